"""Ctrl-C and SIGTERM: what is open is cleaned up, one line is said, and the status is the signal's."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.support.patience import patience

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
COMMAND = """
import gc, os, signal, sys, time
from pathlib import Path
from ganflow.terminal import interrupts
from ganflow.terminal.interrupts import held
from ganflow.terminal.console import entry_point

def send(number=signal.SIGINT):
    os.kill(os.getpid(), number)
    time.sleep(0.01)

@entry_point
def main():
    try:
        work()
    finally:
        print("cleaned up", flush=True)

def work():
    {work}

main()
"""


def ended(work: str) -> tuple[int, str, str]:
    code = COMMAND.replace("{work}", "\n    ".join(work.strip().splitlines()))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        timeout=patience(120),
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(("number", "status"), [("SIGINT", 130), ("SIGTERM", -signal.SIGTERM)])
def test_a_signal_cleans_up_and_ends_in_one_line(number: str, status: int) -> None:
    told = ended(f"send(signal.{number})\ntime.sleep(60)")
    assert told == (status, "cleaned up\n", f"ganflow: stopped by {number}\n")


def test_a_second_signal_ends_at_once() -> None:
    told = ended("try:\n    send()\nfinally:\n    send()\n    time.sleep(60)")
    assert told == (130, "", "ganflow: stopped by SIGINT\n")


def test_a_clean_up_that_takes_too_long_is_given_up() -> None:
    told = ended("interrupts.CLEAN_UP_S = 0.5\ntry:\n    send()\nfinally:\n    time.sleep(60)")
    assert told == (130, "", "ganflow: stopped by SIGINT\n")


def test_what_is_written_together_is_written(tmp_path: Path) -> None:
    work = f"with held():\n    send()\n    send()\n    Path({str(tmp_path)!r}, 'out').touch()\ntime.sleep(60)"
    assert ended(work) == (130, "cleaned up\n", "ganflow: stopped by SIGINT\n")
    assert (tmp_path / "out").exists()


def test_an_import_is_not_torn(tmp_path: Path) -> None:
    (tmp_path / "heavy.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nprint('whole')")
    (tmp_path / "late.py").write_text("def load():\n    import heavy")
    work = f"sys.path.insert(0, {str(tmp_path)!r})\nimport late\nlate.load()\ntime.sleep(60)"
    assert ended(work) == (130, "whole\ncleaned up\n", "ganflow: stopped by SIGINT\n")


def test_an_interrupt_in_a_finalizer_is_not_lost() -> None:
    work = "class Late:\n    def __del__(self):\n        send()\nlate = Late()\ndel late\ntime.sleep(60)"
    assert ended(work) == (130, "cleaned up\n", "ganflow: stopped by SIGINT\n")


def test_an_error_that_comes_of_the_interrupt_is_not_told() -> None:
    work = "try:\n    send()\nexcept KeyboardInterrupt:\n    raise RuntimeError('the connection was closed')"
    assert ended(work) == (130, "cleaned up\n", "ganflow: stopped by SIGINT\n")


def test_a_clean_up_tells_nothing_more() -> None:
    work = "import logging\ntry:\n    send()\nfinally:\n    logging.getLogger('ganflow').info('the store was moved')"
    assert ended(work) == (130, "cleaned up\n", "ganflow: stopped by SIGINT\n")


@pytest.mark.parametrize(
    "start",
    [
        "subprocess.Popen(['sh', '-c', 'echo $$ > PID; exec sleep 600'])",
        "subprocess.run(['sh', '-c', 'sleep 600 & echo $! > PID'])",  # an orphan by the time of the signal
    ],
)
def test_what_was_started_ends_too(tmp_path: Path, start: str) -> None:
    pid = tmp_path / "pid"
    wait = f"while not (Path({str(pid)!r}).exists() and Path({str(pid)!r}).read_text().strip()): time.sleep(0.01)"
    lines = ["import subprocess, time", start.replace("PID", str(pid)), wait, "send()"]
    assert ended("\n".join(lines))[0] == 130
    give_up = time.monotonic() + 60  # a signal is on its way for a moment
    while (state := status(int(pid.read_text()))) not in (psutil.STATUS_ZOMBIE, None) and time.monotonic() < give_up:
        time.sleep(0.02)
    assert state in (psutil.STATUS_ZOMBIE, None)  # a zombie: its status was not asked for yet


def status(pid: int) -> str | None:
    """psutil's word for a process's state; None where there is none."""
    try:
        return str(psutil.Process(pid).status())
    except psutil.NoSuchProcess:
        return None


@pytest.mark.parametrize("command", [["-m", "pipelines.train"], ["-m", "ganflow.cli", "generate"]])
def test_nothing_is_imported_before_a_command_can_be_interrupted(command: list[str], tmp_path: Path) -> None:
    """What a shell's Ctrl-C meets in the first moments, when nothing but this is loaded."""
    (tmp_path / "torch.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    (tmp_path / "typer.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (130, "ganflow: stopped by SIGINT\n")


LAST = """
import os, signal
from ganflow.terminal.early_signals import end_at_once

class Last:
    def __del__(self, kill=os.kill, me=os.getpid(), number=signal.{number}):
        kill(me, number)

end_at_once()
{kept}
"""


@pytest.mark.parametrize(("number", "status"), [("SIGINT", 130), ("SIGTERM", -signal.SIGTERM)])
@pytest.mark.parametrize("kept", ["Last()", "import sys; sys.last = Last()"])
def test_a_signal_before_main_is_one_line_and_after_the_last_line_nothing(kept: str, number: str, status: int) -> None:
    """Python lets go of its handlers before it takes the modules apart; what they keep lives until then."""
    code = LAST.format(kept=kept, number=number)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        timeout=patience(120),
        check=False,
    )
    expected = (status, f"ganflow: stopped by {number}\n") if kept == "Last()" else (0, "")
    assert (done.returncode, done.stderr) == expected


def test_a_clean_up_outlives_the_alarm_that_ray_sets() -> None:
    """Its C++ handler of SIGTERM, where Ray runs in this process, sets one of three seconds and calls this handler."""
    alarm = "signal.signal(signal.SIGALRM, lambda *_: os.abort())\nsignal.alarm(1)\n"
    told = ended(f"{alarm}try:\n    send(signal.SIGTERM)\n    time.sleep(60)\nfinally:\n    time.sleep(1.5)")
    assert told == (-signal.SIGTERM, "cleaned up\n", "ganflow: stopped by SIGTERM\n")
