"""One class normal, the others anomalies, every class in turn: AUROC of a recipe beside PCA and the nearest neighbour.

python benchmarks/one_class.py RECIPE 0-9 [overrides…]          as in: detect_mnist 0-9 data.path=MNIST
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from ganflow.config import components, composition
from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset
from ganflow.evaluation.build import build_evaluator
from ganflow.evaluation.outcome import Outcome
from ganflow.methods.build import check_fits
from ganflow.methods.generator import Generator
from ganflow.terminal.console import entry_point
from ganflow.training.build import build_trainer

CPU = torch.device("cpu")
SHOWN = ("auroc", "auroc_pca", "auroc_pca_scored", "auroc_nearest", "average_precision", "fpr95")


def figures(recipe: str, label: int, overrides: tuple[str, ...], folder: Path) -> Outcome:
    """The figures of a training on images of one class, on all of the test split."""
    whole = [f"experiment={recipe}", f"data.normal=[{label}]", "training.overhead=null", *overrides]
    config = composition.compose(whole)
    prepare(components.build("source", config.data, "data"), folder)
    dataset = Dataset.open(folder)
    check_fits(config, dataset.facts)
    trainer = build_trainer(config, dataset, CPU)
    trainer.fit()
    trainer.state.reconcile()
    evaluator = build_evaluator(config.evaluation, folder, folder / "extractors", CPU)
    model = Generator(trainer.state.ema.network, trainer.spec)
    inputs = evaluator.inputs(evaluator.drawn(model, config.evaluation.samples))
    return evaluator.outcome(inputs, resamples=config.evaluation.resamples)


@entry_point
def main(recipe: str, labels: str, *overrides: str) -> None:
    first, _, last = labels.partition("-")
    table: dict[str, list[float]] = {}
    for label in range(int(first), int(last or first) + 1):
        with tempfile.TemporaryDirectory() as name:
            found = figures(recipe, label, overrides, Path(name) / "data").figures
        for figure in filter(found.__contains__, SHOWN):
            table.setdefault(figure, []).append(found[figure].value)
        interval = f"{found['auroc'].low:.4f} to {found['auroc'].high:.4f}"
        row = ", ".join(f"{figure} {values[-1]:.4f}" for figure, values in table.items())
        print(f"{label}: {row} (auroc {interval})", flush=True)
    print("mean: " + ", ".join(f"{figure} {np.mean(values):.4f}" for figure, values in table.items()))


if __name__ == "__main__":
    main(*sys.argv[1:])
