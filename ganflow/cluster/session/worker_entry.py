"""The program that a node of ganflow's starts for every worker of Ray: it sets the environment and becomes the worker.

Ray's own imports all of Ray to read two options, a second of CPU for each worker, and then the worker imports it again.
What Ray's own does beyond that (containers, other languages) is left to it.

Where a server (:mod:`.fork_server`) has loaded what workers import, the worker is a fork of it, and this waits for its
end.
"""

import json
import os
import re
import shlex
import socket
import struct
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

CONTEXT, LANGUAGE = "--serialized-runtime-env-context=", "--language="
KNOWN = ("env_vars", "py_executable", "command_prefix")
FORK_SERVER = "GANFLOW_FORK_SERVER"  # its name in the abstract namespace
FORKED = b"+"
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
    variables = environment(context.get("env_vars") or {})
    server = variables.pop(FORK_SERVER, None)
    if folder:
        os.chdir(shlex.split(folder)[0])
    elif server and forked(server, command, variables):
        return
    os.execve(sys.executable, [sys.executable, *command], variables)


def forked(server: str, command: Sequence[str], variables: dict[str, str]) -> bool:
    """Let a server fork the worker, and wait until that has ended; False: the server has ended, or does not do it."""
    try:
        with asked_for(server, command, variables) as connection:
            if connection.recv(1) != FORKED:
                return False
            connection.recv(1)
    except ConnectionRefusedError:
        return False
    return True


def asked_for(server: str, command: Sequence[str] | None, variables: dict[str, str]) -> socket.socket:
    """The connection on which a server was asked for a worker.

    Raises:
        ConnectionRefusedError: the server has ended, or is not of this user.
    """
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(f"\0{server}")
    if not is_of_this_user(connection):
        raise ConnectionRefusedError
    socket.send_fds(connection, [b" "], [0, 1, 2])
    asked = {"command": command, "folder": os.getcwd(), "environment": variables}
    connection.sendall(json.dumps(asked).encode() + b"\n")
    return connection


def is_of_this_user(connection: socket.socket) -> bool:
    """True if the process at the other end runs as the same user."""
    form = "3i"  # pid, uid, gid
    peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(form))
    return bool(struct.unpack(form, peer)[1] == os.getuid())


if __name__ == "__main__":
    main(sys.argv[1:])
