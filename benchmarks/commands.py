"""CPU seconds, user and system, of commands that a person waits for: in each of some checkouts, in turn.

The medians of five runs, in a project of the digits, after one run that keeps what a command keeps.

    python benchmarks/commands.py [checkout…]                  e.g. . ../ganflow-before
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from ganflow.terminal.console import entry_point

RUNS = 5
GANFLOW = ("-m", "ganflow.cli", "config")
COMMANDS = {
    "ganflow config compose --stdout": (*GANFLOW, "compose", "--stdout"),
    "ganflow config choices": (*GANFLOW, "choices"),
    "ganflow config show": (*GANFLOW, "show"),
    "ganflow config check": (*GANFLOW, "check", "--params", "searched.yaml"),
    "ganflow config check, tune.trials=0": (*GANFLOW, "check"),
    "ganflow generate --model model -n 16 --out 16.npz": (
        "-m",
        "ganflow.cli",
        "generate",
        "--model",
        "model",
        "-n",
        "16",
        "--out",
        "16.npz",
    ),  # fmt: skip
    "python -m pipelines.tune, tune.trials=0": ("-m", "pipelines.tune"),
    "python -m pipelines.prepare": ("-m", "pipelines.prepare"),
}


def cpu_seconds(checkout: Path, project: Path, *arguments: str) -> float:
    """Run Python on a checkout's code, in a project."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    subprocess.run([sys.executable, *arguments], cwd=project, env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@entry_point
def main(*checkouts: str) -> None:
    """Print a row per command, with a column per checkout."""
    folders = [Path(checkout).resolve() for checkout in checkouts or (".",)]
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        cpu_seconds(folders[0], project, *GANFLOW, "compose", "--out", "searched.yaml")
        cpu_seconds(folders[0], project, *GANFLOW, "compose", "tune.trials=0", "training.kimg=1")
        for stage in ("prepare", "tune", "train"):
            cpu_seconds(folders[0], project, "-m", f"pipelines.{stage}")
        for name, arguments in COMMANDS.items():
            runs = [[cpu_seconds(it, project, *arguments) for it in folders] for _ in range(RUNS + 1)][1:]
            print(
                f"| {name} |", " | ".join(f"{statistics.median(times):.2f}" for times in zip(*runs, strict=True)), "|"
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
