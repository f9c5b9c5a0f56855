"""The program that a node of ganflow's starts for every worker of Ray: it sets the environment and becomes the worker.

Ray's own imports all of Ray to read two options, a second of CPU for each worker, and then the worker imports it again.
What Ray's own does beyond that (containers, other languages) is left to it.
"""

import json
import os
import re
import shlex
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

CONTEXT, LANGUAGE = "--serialized-runtime-env-context=", "--language="
KNOWN = ("env_vars", "py_executable", "command_prefix")
UNSET = re.compile(r"\$\{[A-Z0-9_]+\}")


def environment(variables: dict[str, str]) -> dict[str, str]:
    """This process's environment with those of a runtime environment, in which ``${NAME}`` stands for another one."""
    result = dict(os.environ)
    for name, value in variables.items():
        result[name] = os.environ[name] = UNSET.sub("", os.path.expandvars(value))
    return result


def main(arguments: Sequence[str]) -> None:
    """Become the worker.

    Args:
        arguments: the two options, in any place, and the worker's program with its own options.
    """
    context = json.loads(next((a.removeprefix(CONTEXT) for a in arguments if a.startswith(CONTEXT)), "") or "{}")
    command = [a for a in arguments if not a.startswith((CONTEXT, LANGUAGE))]
    prefix = context.get("command_prefix") or []
    folder = prefix[1] if prefix[:1] == ["cd"] and prefix[2:] == ["&&"] else None  # of code that travelled, quoted
    others = [name for name, value in context.items() if value and name not in KNOWN]
    usual = context.get("py_executable") in (None, sys.executable) and (folder or not prefix) and not others
    if f"{LANGUAGE}PYTHON" not in arguments or not usual:
        ray = find_spec("ray")
        assert ray is not None
        assert ray.origin is not None
        setup = Path(ray.origin).with_name("_private") / "workers/setup_worker.py"
        os.execv(sys.executable, [sys.executable, str(setup), *arguments])
    if folder:
        os.chdir(shlex.split(folder)[0])
    os.execve(sys.executable, [sys.executable, *command], environment(context.get("env_vars") or {}))


if __name__ == "__main__":
    main(sys.argv[1:])
