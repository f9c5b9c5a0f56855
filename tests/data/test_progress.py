"""A bar where there is a terminal, plain lines where there is none."""

import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

CODE = """
from ganflow.data.progress import progress
with progress(30, "prepare") as advance:
    for _ in range(3):
        advance(10)
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


def test_without_a_terminal_there_are_plain_lines() -> None:
    run = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, env=ENVIRONMENT, check=True)
    assert run.stdout == ""
    # What is done at once has no rate, but on a machine that is slow just now it may not be done at once.
    assert re.fullmatch(r"prepare: 30 of 30 images(, [\d,]+/s)?\n", run.stderr)


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
