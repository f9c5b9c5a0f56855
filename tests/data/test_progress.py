"""A bar where there is a terminal, plain lines where there is none."""

import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from ganflow.data import progress as shown_progress

CODE = """
import time
from ganflow.data.progress import progress
with progress(30, "prepare") as advance:
    for _ in range(3):
        time.sleep(0.02)
        advance(10)
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


def test_without_a_terminal_there_are_plain_lines() -> None:
    run = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, env=ENVIRONMENT, check=True)
    assert run.stdout == ""
    assert re.fullmatch(r"prepare: 30 of 30 images, [\d,]+/s\n", run.stderr)


def test_what_is_done_at_once_has_no_rate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(shown_progress, "AT_ONCE_S", 3600.0)
    with shown_progress.progress(30, "prepare") as advance:
        advance(30)
    assert capsys.readouterr().err == "prepare: 30 of 30 images\n"


def test_on_a_terminal_there_is_one_bar_with_its_rate() -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    subprocess.run([sys.executable, "-c", CODE], stderr=theirs, env=ENVIRONMENT, check=True, timeout=60)
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert "30/30" in shown
    assert "images/s" in shown
    assert shown.count("\n") == 1


RESUMED = """
import time
from ganflow.data.progress import progress
with progress(1000, "generate", done=990) as advance:
    time.sleep(0.5)
    advance(10)
"""


def test_what_was_done_before_does_not_count_for_the_rate() -> None:
    run = subprocess.run([sys.executable, "-c", RESUMED], capture_output=True, text=True, env=ENVIRONMENT, check=True)
    start, _, rate = run.stderr.strip().rpartition(", ")
    assert start == "generate: 1,000 of 1,000 images"
    assert 0 < int(rate.removesuffix("/s")) <= 20
