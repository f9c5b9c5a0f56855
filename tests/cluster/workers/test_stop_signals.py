import os
import signal
import subprocess
import sys
import threading

import pytest

from ganflow.cluster.workers.stop_signals import signalled
from tests.support.patience import patience

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_and_the_second_acts_as_before(number: signal.Signals) -> None:
    asked: list[str] = []
    came: list[int] = []
    before = signal.signal(number, lambda n, frame: came.append(n))
    try:
        with signalled(asked.append, lambda: True) as signal_of:
            assert signal_of() is None
            os.kill(os.getpid(), number)
            assert (asked, signal_of(), came) == ([number.name], number.name, [])
            os.kill(os.getpid(), number)
            assert (asked, came) == ([number.name], [number])
        os.kill(os.getpid(), number)
        assert came == [number, number]
    finally:
        signal.signal(number, before)


def test_what_has_nothing_to_save_yet_acts_as_before() -> None:
    asked: list[str] = []
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda n, frame: came.append(n))
    try:
        with signalled(asked.append, lambda: False) as signal_of:
            os.kill(os.getpid(), signal.SIGINT)
            assert (asked, signal_of(), came) == ([], None, [signal.SIGINT])
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_leave_signals_as_they_are() -> None:
    handlers = []

    def work() -> None:
        with signalled(print, lambda: True) as signal_of:
            handlers.append((signal.getsignal(signal.SIGTERM), signal_of()))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [(signal.getsignal(signal.SIGTERM), None)]


def test_a_process_that_is_told_twice_ends() -> None:
    code = (
        "import os, signal; from ganflow.cluster.workers.stop_signals import signalled\n"
        "from ganflow.terminal.messages import shown\n"
        "with shown(), signalled(lambda why: print(why, flush=True), lambda: True):\n"
        "    [os.kill(os.getpid(), signal.SIGTERM) for _ in range(2)]\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=patience(60))
    assert ended.returncode == -signal.SIGTERM
    assert ended.stdout == "SIGTERM\n"
    assert "SIGTERM: saving, then stopping; once more ends at once" in ended.stderr
