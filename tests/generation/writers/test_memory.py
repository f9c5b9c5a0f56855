"""Ten times as many samples need no more memory: the peak of a process of its own, as the kernel has it."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ganflow.methods import generator
from tests.generation.writers.made import SPEC, model

pytestmark = pytest.mark.slow

SIDE, FEW, MANY = 128, 300, 3000
RUN = """
from pathlib import Path
from ganflow.cli import main
try:
    main()
finally:
    print(Path("/proc/self/status").read_text())
"""
MiB = 2**20
# What malloc keeps for later varies with how threads meet, by 100 MiB at times: one arena, and large blocks go back.
PLAIN_MALLOC = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}


def peak(folder: Path, n: int, out: str) -> int:
    """Bytes."""
    arguments = ["--model", "model", "-n", str(n), "--batch", "20", "--out", out]
    done = subprocess.run(
        [sys.executable, "-c", RUN, "generate", *arguments],
        cwd=folder, env={**os.environ, **PLAIN_MALLOC, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = re.search(r"VmHWM:\s+(\d+) kB", done.stdout)
    assert found, done.stdout
    return int(found[1]) * 1024


@pytest.mark.parametrize("out", ["x.npz", "x/"])
def test_memory_does_not_grow_with_their_number(out: str, tmp_path: Path) -> None:
    spec = replace(SPEC, shape=(3, SIDE, SIDE))
    network = model(spec).network
    for parameter in network.parameters():
        parameter.zero_()  # plain grey, so that a PNG takes no time
    (tmp_path / "model").mkdir()
    generator.save(tmp_path / "model" / generator.FILE, network, spec)
    few, many = peak(tmp_path, FEW, f"few{out}"), peak(tmp_path, MANY, f"many{out}")
    more = (MANY - FEW) * SIDE**2 * 3
    assert more > 120 * MiB
    assert many - few < more / 10
