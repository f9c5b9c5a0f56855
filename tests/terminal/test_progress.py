"""A bar where there is a terminal, plain lines where there is none; both move with time."""

import os
import pty
import re
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from ganflow.terminal import progress as shown
from ganflow.terminal.progress import Advanced, Amount, Bar, Bars, doing, hours, progress
from tests.support.patience import patience

CODE = """
import time
from ganflow.terminal.progress import progress
with progress(30, "prepare") as advance:
    for _ in range(3):
        time.sleep(0.02)
        advance(10)
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}

Capture = pytest.CaptureFixture[str]


def lines_of(code: str) -> list[str]:
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, check=True)
    assert run.stdout == ""
    return run.stderr.splitlines()


def on_a_terminal(code: str) -> str:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    subprocess.run([sys.executable, "-c", code], stderr=theirs, env=ENVIRONMENT, check=True, timeout=patience(60))
    os.close(theirs)
    drawn = os.read(ours, 65536).decode()
    os.close(ours)
    return drawn


def test_without_a_terminal_there_are_plain_lines() -> None:
    (line,) = lines_of(CODE)
    assert re.fullmatch(r"prepare: 30 of 30 images, [\d,]+/s", line)


def test_on_a_terminal_there_is_one_bar_with_its_rate() -> None:
    drawn = on_a_terminal(CODE)
    assert "30/30" in drawn
    assert "images/s" in drawn
    assert drawn.count("\n") == 1


def test_what_is_done_at_once_has_no_rate(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr(shown, "AT_ONCE_S", 3600.0)
    with progress(30, "prepare") as advance:
        advance(30)
    assert capsys.readouterr().err == "prepare: 30 of 30 images\n"


def test_an_error_has_the_last_word(capsys: Capture) -> None:
    with pytest.raises(ZeroDivisionError), progress(30, "prepare") as advance:
        advance(1 // 0)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0:01"), (59, "0:01"), (60, "0:01"), (61, "0:02"), (3599, "1:00"), (4980, "1:23"), (360_000, "100:00")],
)
def test_times_left_are_hours_and_minutes(seconds: float, told: str) -> None:
    assert hours(seconds) == told


class Clock:
    """Stands in the place of the module ``time``."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(shown, "time", clock)
    return clock


def test_a_line_says_how_much_how_fast_and_how_long(clock: Clock) -> None:
    amount = Amount("prepare", 60_000, "images", 0)
    clock.now += 9
    assert amount.line() == "prepare: 0 of 60,000 images, 9 s so far"
    clock.now += 1
    amount.reach(1_000)
    assert amount.line() == "prepare: 1,000 of 60,000 images, 100/s, 0:10 left"
    clock.now += 60  # nothing more is done: the rate stays what it was, and the end comes nearer
    assert amount.line() == "prepare: 1,000 of 60,000 images, 100/s, 0:09 left"
    amount.note = "fid=12.3"
    amount.reach(60_000)
    assert amount.line() == "prepare: 60,000 of 60,000 images, 857/s, fid=12.3"


def test_what_was_done_before_does_not_count_for_the_rate(clock: Clock) -> None:
    amount = Amount("generate", 1000, "images", 900)
    clock.now += 5
    amount.reach(950)
    assert amount.line() == "generate: 950 of 1,000 images, 10/s, 0:01 left"


def test_less_than_one_a_second_is_told_by_the_time_left_alone(clock: Clock) -> None:
    amount = Amount("tune", 12, "trials", 0)
    clock.now += 600
    amount.reach(2)
    assert amount.line() == "tune: 2 of 12 trials, 0:50 left"


def test_bytes_are_told_in_millions(clock: Clock) -> None:
    amount = Amount("download", 2_500_000_000, "B", 0)
    clock.now += 10
    amount.reach(500_000_000)
    assert amount.line() == "download: 500.0 of 2,500.0 MB, 50.0 MB/s, 0:01 left"


def test_a_bar_moves_with_time(clock: Clock, capsys: Capture) -> None:
    """Its thread asks it to every second; here the test does."""
    with Bar("measure", 2, "metrics") as bar:
        bar.reach(0, "fid")
        for _ in range(40):
            clock.now += 1
            bar.tick(last=True)
    told = capsys.readouterr().err.splitlines()
    assert told[:-1] == [f"measure: 0 of 2 metrics, {seconds} s so far, fid" for seconds in (8, 16, 24, 32, 40)]


def test_what_is_aside_has_a_line_only_if_it_takes_long(clock: Clock, capsys: Capture) -> None:
    with Bar("unpack", 4_000_000, "B", aside=True) as bar:
        bar.reach(4_000_000)
    assert capsys.readouterr().err == ""
    with Bar("unpack", 4_000_000, "B", aside=True) as bar:
        clock.now += 10
        bar.tick(last=True)
        bar.reach(4_000_000)
    told = "unpack: 0.0 of 4.0 MB, 10 s so far\nunpack: 4.0 of 4.0 MB, 0.4 MB/s\n"
    assert capsys.readouterr().err == told


def test_of_several_bars_the_last_one_tells(clock: Clock, capsys: Capture) -> None:
    with Bar("train", 100) as below, Bar("measure", 2, "metrics") as above:
        clock.now += 20
        below.tick(last=False)
        above.tick(last=True)
        assert capsys.readouterr().err == "measure: 0 of 2 metrics, 20 s so far\n"


def test_a_thread_lets_bars_tick(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr(shown, "LINE_EVERY_S", 0.0)
    said = ""
    with Bar("measure", 2, "metrics"):
        end = time.monotonic() + 60
        while "measure: 0 of 2 metrics" not in said and time.monotonic() < end:
            time.sleep(0.05)
            said += capsys.readouterr().err
    assert re.match(r"measure: 0 of 2 metrics, \d s so far\n", said)


WAITS = """
import logging, time
from ganflow.terminal import progress
from ganflow.terminal.messages import shown
progress.SHORT_S = progress.LINE_EVERY_S = 0.5
with shown(), progress.doing("train: Ray starts"):
    time.sleep(2.5)
    logging.getLogger("ganflow").info("here it is")
"""


def test_what_has_no_known_end_is_told_while_it_lasts() -> None:
    first, *_, last = lines_of(WAITS)
    assert first == "train: Ray starts, 1 s so far"
    assert last == "ganflow: here it is"


def test_on_a_terminal_a_wait_leaves_nothing_behind() -> None:
    drawn = on_a_terminal(WAITS)
    assert "\r\x1b[Ktrain: Ray starts, 1 s so far\r" in drawn
    assert drawn.endswith("\r\x1b[Kganflow: here it is\r\n")
    assert drawn.count("\n") == 1


def test_what_is_soon_over_is_not_told(capsys: Capture) -> None:
    with doing("train: Ray starts"):
        pass
    assert capsys.readouterr().err == ""


def test_a_wait_is_silent_while_others_tell(clock: Clock, capsys: Capture) -> None:
    wait = shown.Waiting("train: working")
    clock.now += 100
    wait.tick(last=False)
    wait.close()
    assert capsys.readouterr().err == ""


def test_bars_open_and_end_with_their_work(capsys: Capture) -> None:
    with Bars() as bars:
        for event in (Advanced("samples", 6, 10), Advanced("train images", 3, 5), Advanced("samples", 4, 10)):
            bars(event)
        said = capsys.readouterr().err
        assert said.strip().partition(", ")[0] == "samples: 10 of 10 images"
        assert said.count("\n") == 1
        bars(Advanced("measure", 1, 2, "metrics"))
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(", ")[0] for line in said] == ["measure: 1 of 2 metrics", "train images: 3 of 5 images"]
