"""`ray` as people run it, but for tests, which share the machine.

A node has as long to start as the first argument says, and its workers are run by the Python that the second one names.
The dashboard, the autoscaler and the server of Ray's client, which nothing here asks, are seconds of CPU for each head.
"""

import sys
from unittest.mock import patch

from ray._private.node import Node
from ray.scripts.scripts import main

from ganflow.cluster.session.ray_internals import quick_workers, raylet_awaited


def nothing(*arguments: object, **options: object) -> None:
    """In place of a method that starts a process."""


unasked = dict.fromkeys(("start_api_server", "start_monitor", "start_ray_client_server"), nothing)
with raylet_awaited(float(sys.argv.pop(1))), quick_workers(), patch.multiple(Node, **unasked):
    sys.executable = sys.argv.pop(1)
    main()
