"""MNIST from nothing, from a model of scikit-learn's digits at 28 pixels, and from that with frozen layers of D: FID
along the way, of 5,000 samples in features of MNIST's own classifier.

    python benchmarks/fine_tuning.py MNIST 0-2 [overrides…]                     the folder of IDX files, and seeds
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from ganflow.config import components, composition
from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset
from ganflow.evaluation.build import build_evaluator
from ganflow.methods import generator
from ganflow.methods.players import players_file
from ganflow.methods.start import Start
from ganflow.terminal.console import entry_point
from ganflow.training.build import build_trainer
from ganflow.training.callbacks import Callbacks
from ganflow.training.events import Event, Snapshot

CPU = torch.device("cpu")
SAMPLES = 5000
NETWORKS = (
    "gan/generator=dcgan", "gan/discriminator=dcgan", "gan.generator.width=32", "gan.discriminator.width=32",
)  # fmt: skip
DIGITS = ("data=digits", "data.resize=28", "training.kimg=120", *NETWORKS)
FROZEN = ("gan.freeze_discriminator=1", "training.start=digits")


def prepared(overrides: Sequence[str], folder: Path) -> Path:
    prepare(components.build("source", composition.compose(list(overrides)).data, "data"), folder)
    return folder


def digits_model(folder: Path, seed: int) -> Start:
    """A model of the digits, by the files that a training leaves."""
    config = composition.compose([*DIGITS, f"seed={seed}", "training.overhead=null"])
    trainer = build_trainer(config, Dataset.open(folder / "digits"), CPU)
    trainer.fit()
    trainer.state.reconcile()
    weights, players = folder / generator.FILE, folder / players_file.FILE
    generator.save(weights, trainer.state.ema.network, trainer.spec)
    networks = {name: player.network.state_dict() for name, player in trainer.state.players.items()}
    players_file.save(players, networks)
    return Start.of("digits", weights, players)


def curve(folder: Path, start: Start | None, overrides: Sequence[str]) -> dict[float, float]:
    """FID by kimg."""
    whole = [*NETWORKS, "training.kimg=60", "training.snapshot_kimg=6", "training.overhead=null", *overrides]
    config = composition.compose(whole)
    evaluator = build_evaluator(config.evaluation, folder / "mnist", folder / "extractors", CPU)
    found: dict[float, float] = {}

    def note(event: Event) -> None:
        if isinstance(event, Snapshot):
            found[round(event.nimg / 1000, 1)] = float(event.metrics["fid"])

    callbacks = Callbacks(note, lambda made: {"fid": evaluator.measure(made, SAMPLES, ["fid"])["fid"].value})
    build_trainer(config, Dataset.open(folder / "mnist"), CPU, callbacks=callbacks, start=start).fit()
    return found


@entry_point
def main(mnist: str, seeds: str = "0", *overrides: str) -> None:
    first, _, last = seeds.partition("-")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepared(DIGITS, folder / "digits")
        data = ("data=idx", f"data.path={mnist}", *overrides)
        prepared(data, folder / "mnist")
        for seed in range(int(first), int(last or first) + 1):
            start = digits_model(folder, seed)
            ways = {"from nothing": (None, ()), "from digits": (start, ()), "with a frozen layer": (start, FROZEN)}
            for way, (begin, more) in ways.items():
                figures = curve(folder, begin, [*data, *more, f"seed={seed}"])
                line = ", ".join(f"{kimg:g} kimg {fid:.2f}" for kimg, fid in figures.items())
                print(f"seed {seed}, {way}: {line}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
