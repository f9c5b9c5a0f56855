"""The program in the place of a node's dashboard agent: it says that the agent's services are not there, and waits.

A node of ganflow's has no dashboard that would ask one, and waits until its agent has loaded Ray. Ray's own agent
says the same where its optional packages are missing; a raylet wants one that runs.
"""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

NODE, SESSION = "--node-id=", "--session-dir="
SERVICES = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port")
ABSENT = "-1"
LOOK_S = 1.0


def main(arguments: Sequence[str]) -> None:
    """Write the files that a raylet waits for; end when it has ended.

    Args:
        arguments: of Ray's own agent.
    """
    raylet = os.getppid()
    node, session = (next(a.removeprefix(key) for a in arguments if a.startswith(key)) for key in (NODE, SESSION))
    for service in SERVICES:
        place = Path(session, f"{service}_{node}")
        whole = place.with_suffix(".new")
        whole.write_text(ABSENT, encoding="utf-8")
        whole.rename(place)
    while os.getppid() == raylet:
        time.sleep(LOOK_S)


if __name__ == "__main__":
    main(sys.argv[1:])
