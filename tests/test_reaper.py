"""A pytest that is killed leaves nothing running, not even what has a session of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from tests.support.project import wait_until
from tests.support.reaper import VARIABLE

ROOT = Path(__file__).parents[1]
CONFTEST = "from tests.support import reaper\nreaper.GRACE_S = 0.5\nreaper.watch()\n"
STARTS = """
import subprocess, time
from pathlib import Path

def test_starts():
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    Path("pid").write_text(str(child.pid))
    time.sleep(600)
"""


def test_a_killed_pytest_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_starts.py").write_text(STARTS)
    env = {k: v for k, v in os.environ.items() if k != VARIABLE} | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_starts.py"]
    pytest = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL)
    pid = tmp_path / "pid"
    wait_until(lambda: pid.exists() and bool(pid.read_text()), "the test to start its process")
    child = psutil.Process(int(pid.read_text()))
    pytest.send_signal(signal.SIGKILL)
    pytest.wait()
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the process to be killed")
