"""The process that decoders are forked from: it outlives the terminal's Ctrl-C and lets the one that asks answer it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.patience import patience

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
# A handler, because what a process ignores its children ignore too.
PROGRAM = """
import os, signal
import numpy as np, psutil
from ganflow.data.decode_pool import pool_map, warm_up
from ganflow.data.prepare import DecodeJob
from ganflow.data.sources.gaussian_mixture import as_they_are

if __name__ == "__main__":
    signal.signal(signal.SIGINT, lambda *_: None)
    warm_up()
    (server,) = [child for child in psutil.Process().children() if "forkserver" in " ".join(child.cmdline())]
    os.killpg(0, signal.SIGINT)
    job = DecodeJob("train", np.zeros((3, 2)), np.zeros(3, np.int64), as_they_are)
    print(sum(len(decoded.images) for decoded in pool_map([job] * 5)))
    print(server.is_running() and server.status() != psutil.STATUS_ZOMBIE)
"""


def test_an_interrupt_right_after_its_start_neither_ends_it_nor_makes_it_speak(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    ended = subprocess.run(
        [sys.executable, tmp_path / "program.py"],
        capture_output=True, text=True, start_new_session=True, timeout=patience(60),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (ended.stdout, ended.stderr) == ("15\nTrue\n", "")
