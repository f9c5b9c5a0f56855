"""CPU seconds, user and system, of commands that a person waits for: in each of some checkouts, in turn.

The medians of five runs, each in its checkout's own project of the digits, after one run that keeps what a command
keeps.

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
GENERATE = ("-m", "ganflow.cli", "generate", "--model", "model", "-n", "16", "--out", "16.npz")
COMMANDS = {
    "ganflow config compose --stdout": (*GANFLOW, "compose", "--stdout"),
    "ganflow config choices": (*GANFLOW, "choices"),
    "ganflow config show": (*GANFLOW, "show"),
    "ganflow config check": (*GANFLOW, "check", "--params", "searched.yaml"),
    "ganflow config check, tune.trials=0": (*GANFLOW, "check"),
    "ganflow generate --model model -n 16 --out 16.npz": GENERATE,
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
    with tempfile.TemporaryDirectory() as work:
        projects = [made(checkout, Path(work, str(n))) for n, checkout in enumerate(folders)]
        for name, arguments in COMMANDS.items():
            pairs = list(zip(folders, projects, strict=True))
            runs = [[cpu_seconds(*pair, *arguments) for pair in pairs] for _ in range(RUNS + 1)][1:]
            medians = (f"{statistics.median(times):.2f}" for times in zip(*runs, strict=True))
            print(f"| {name} |", " | ".join(medians), "|", flush=True)


def made(checkout: Path, project: Path) -> Path:
    """A project by a checkout's code, with data and a small model."""
    project.mkdir()
    cpu_seconds(checkout, project, *GANFLOW, "compose", "--out", "searched.yaml")
    cpu_seconds(checkout, project, *GANFLOW, "compose", "tune.trials=0", "training.kimg=1")
    for stage in ("prepare", "tune", "train"):
        cpu_seconds(checkout, project, "-m", f"pipelines.{stage}")
    return project


if __name__ == "__main__":
    main(*sys.argv[1:])
