"""SNGAN at 32 pixels: a step of the recipe beside one of mimicry's own code, on the same images, in turn.

    python -m benchmarks.sngan MIMICRY [overrides…]         MIMICRY: a checkout of kwotsin/mimicry

Both networks are SNGAN's with as many parameters but for one bias, both steps are five turns of the discriminator and
one of the generator on 64 images, in float32 on two threads. The figure is the median over pairs of the ratio of times.
"""

import importlib
import statistics
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganflow.config import composition
from ganflow.data.prepared.dataset import Dataset, Facts
from ganflow.terminal.console import entry_point
from ganflow.training.build import build_trainer
from tests.support.sparse import write_sparse

PAIRS, BATCH, TURNS = 7, 64, 5
CPU = torch.device("cpu")


def ours(overrides: list[str]) -> Callable[[], object]:
    config = composition.compose(["experiment=sngan", "data=image_folder", "data.path=somewhere", *overrides])
    with tempfile.TemporaryDirectory() as folder:
        write_sparse(Path(folder), Facts((3, 32, 32), 0), 1000, 1)
        return build_trainer(config, Dataset.open(Path(folder), verify=False), CPU).step


def theirs(checkout: str) -> Callable[[], object]:
    sys.path.insert(0, checkout)
    for package in ("torch_mimicry", "torch_mimicry.nets", "torch_mimicry.nets.sngan", "torch_mimicry.nets.gan"):
        stub = types.ModuleType(package)  # their __init__ asks for TensorFlow and torchvision, the step for neither
        stub.__path__ = [f"{checkout}/{package.replace('.', '/')}"]
        sys.modules[package] = stub
    networks: Any = importlib.import_module("torch_mimicry.nets.sngan.sngan_32")
    G, D = networks.SNGANGenerator32(), networks.SNGANDiscriminator32()
    of_g, of_d = (torch.optim.Adam(network.parameters(), 2e-4, (0.0, 0.9)) for network in (G, D))
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1000, 3, 32, 32), np.uint8))

    class Log:
        def add_metric(self, *of: object, **named: object) -> None:
            """What their step tells."""

    def step() -> None:
        for _ in range(TURNS):
            real = images[torch.randint(len(images), (BATCH,))].float() / 127.5 - 1, torch.zeros(BATCH)
            D.train_step(real_batch=real, netG=G, optD=of_d, log_data=Log(), device=CPU)
        G.train_step(real_batch=real, netD=D, optG=of_g, log_data=Log(), device=CPU)

    return step


def seconds(step: Callable[[], object]) -> float:
    begin = time.perf_counter()
    step()
    return time.perf_counter() - begin


@entry_point
def main(checkout: str, *overrides: str) -> None:
    """Print the seconds of each pair, and the median of their ratios."""
    torch.set_num_threads(2)
    our_step, their_step = ours(list(overrides)), theirs(checkout)
    seconds(our_step), seconds(their_step)
    pairs = []
    for _ in range(PAIRS):
        pairs.append((seconds(our_step), seconds(their_step)))
        print(f"a step: {pairs[-1][0]:.2f} s, mimicry's {pairs[-1][1]:.2f} s", flush=True)
    ratio = statistics.median(peer / own for own, peer in pairs)
    print(f"median of the ratios: {ratio:.2f} times as fast ({PAIRS} pairs)")


if __name__ == "__main__":
    main(*sys.argv[1:])
