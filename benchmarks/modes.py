"""Modes captured on a toy mixture over several seeds, by PacGAN's protocol (Lin et al., 2018, table 1).

One seed after the other trains in this process, and is measured at its end by 2,500 samples of the averaged generator.

    OMP_NUM_THREADS=1 python benchmarks/modes.py 0-4 experiment=grid25 [overrides…]      seeds, then the recipe
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

from ganflow.config import components, composition
from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset
from ganflow.evaluation.extractors.pixels import nearest_mode
from ganflow.evaluation.metrics.modes import Modes
from ganflow.methods.generator import Generator
from ganflow.terminal.console import entry_point
from ganflow.training.build import build_trainer

SAMPLES = 2500
FIGURES = ("modes", "high_quality", "reverse_kl", "seconds")


def measured(overrides: list[str]) -> dict[str, float]:
    """One seed, from data to figures."""
    start = time.perf_counter()
    config = composition.compose(overrides)
    with tempfile.TemporaryDirectory() as folder:
        prepare(components.build("source", config.data, "data"), Path(folder) / "data")
        dataset = Dataset.open(Path(folder) / "data")
        trainer = build_trainer(config, dataset, torch.device("cpu"))
        trainer.fit()
        extractor = nearest_mode(dataset)
        points = Generator(trainer.state.ema.network, trainer.spec).sample(SAMPLES, seed=0)
        samples = extractor(torch.from_numpy(points))
    return Modes()(samples, samples) | {"seconds": time.perf_counter() - start}


@entry_point
def main(seeds: str, *overrides: str) -> None:
    rows = []
    first, _, last = seeds.partition("-")
    for seed in range(int(first), int(last or first) + 1):
        rows.append(measured([*overrides, f"seed={seed}"]))
        print(f"seed {seed}: " + ", ".join(f"{name} {rows[-1][name]:.4g}" for name in FIGURES), flush=True)
    for name in FIGURES:
        values = [row[name] for row in rows]
        error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
        print(f"{name:13s} {statistics.mean(values):.4g} ± {error:.2g}")


if __name__ == "__main__":
    main(*sys.argv[1:])
