"""Nothing that tests start outlives them: a process of its own waits for pytest's end and kills all that is left.

Whatever starts below pytest inherits :data:`VARIABLE`, in sessions and process groups of its own, too.
"""

import contextlib
import os
import subprocess
import sys
import time
import uuid

import psutil

VARIABLE = "GANFLOW_TEST_SESSION"
GRACE_S = 10.0  # for what ends by itself once pytest is gone


def watch() -> None:
    """Start the reaper of this process, unless a pytest above has one."""
    if VARIABLE in os.environ:
        return
    name = os.environ[VARIABLE] = uuid.uuid4().hex
    env = {key: value for key, value in os.environ.items() if key != VARIABLE}
    subprocess.Popen([sys.executable, __file__, name, str(os.getpid())], env=env, start_new_session=True)


def left(name: str) -> list[psutil.Process]:
    """The living processes of a session of tests."""
    alive = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(VARIABLE) == name and process.status() != psutil.STATUS_ZOMBIE:
                alive.append(process)
    return alive


def main(name: str, pid: int) -> None:
    """Wait for the end of pytest, then for what it left; kill that after :data:`GRACE_S`."""
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait()
    end = time.monotonic() + GRACE_S
    while (alive := left(name)) and time.monotonic() < end:
        time.sleep(0.2)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
