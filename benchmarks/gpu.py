"""What only a GPU can show, in less than ten minutes: values beside the CPU's, resume, images/s, memory, a profile.

    python benchmarks/gpu.py                 or `make gpu`; without a GPU it does the same on the CPU, by tiny networks

Images/s stand beside a plain loop of the same networks, losses, penalties, optimizers and precision, in turn in one
process (``step_overhead.py``). Augmentation is left out of both where there is a plain loop. The images are
made up: they need no package but those of ``PACKAGES`` in the Makefile. On a GPU it writes
``benchmarks/results/DEVICE-DATE.json``, elsewhere ``build/DEVICE-DATE.json``, and prints rows for docs/results.md.
"""

import json
import re
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from recipes import Memory
from step_overhead import bare_step, block
from torch import nn

from ganflow.config import components, composition
from ganflow.config.schema import Config
from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset
from ganflow.terminal.console import entry_point
from ganflow.training.build import build_trainer
from ganflow.training.checkpoints.checkpoint import copied
from ganflow.training.trainer import Trainer

RESULTS = Path(__file__).with_name("results")
# Name in the table → what is trained, and whether a plain loop stands beside it.
SPEED = {
    "DCGAN-32": (["experiment=dcgan", "data.resize=32"], True),
    "SNGAN-32": (["experiment=sngan", "data.resize=32"], True),
    "StyleGAN2-ADA-32": (["experiment=stylegan2_ada", "data.resize=32"], False),
    "StyleGAN2-ADA-128": (["experiment=stylegan2_ada", "data.resize=128"], False),
    "R3GAN-32": (["experiment=r3gan", "data.resize=32", "gan/augmentation=none"], True),
}
VALUES = ("DCGAN-32", "SNGAN-32", "R3GAN-32")  # whose steps draw nothing on the device
TINY = ["gan.generator.width=8", "gan.discriminator.width=8", "training.batch=8"]
GROUPS = {"R3GAN-32": ["gan.generator.group=4", "gan.discriminator.group=4"]}
STEPS, BLOCKS, BLOCK_S, LEAST_S = 4, 9, 1.0, 1e-4
PICTURES = 512


class Bench:
    """One device, and the data of each size, prepared once."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        self.folder, self.device = folder, device
        rng = np.random.default_rng(0)
        for number in range(PICTURES):
            place = folder / "pictures" / "ab"[number % 2] / f"{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            rough = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
            rough.resize((128, 128), Image.Resampling.BICUBIC).save(place)

    def config(self, name: str, *overrides: str) -> Config:
        """The recipe of a row; tiny on a CPU."""
        tiny = [*TINY, *GROUPS.get(name, [])] if self.device.type == "cpu" else []
        pictures = ["data=image_folder", f"data.path={self.folder / 'pictures'}"]
        return composition.compose([*pictures, *SPEED[name][0], *tiny, *overrides])

    def data(self, config: Config) -> Dataset:
        """The pictures in the recipe's size."""
        place = self.folder / f"data-{config.data['resize']}"
        if not place.exists():
            prepare(components.build("source", config.data, "data"), place)
        return Dataset.open(place)

    def trainer(self, config: Config, device: torch.device | None = None) -> Trainer:
        """A training at image 0."""
        return build_trainer(config, self.data(config), device or self.device)

    def values(self, name: str) -> dict[str, float]:
        """How far the weights are from the CPU's after some steps in float32, as shares of how far they moved."""
        config = self.config(name, "training.precision=fp32", "gan/augmentation=none", "training.batch=16")
        ours, theirs = self.trainer(config), self.trainer(config, torch.device("cpu"))
        first = {n: flat(player.network) for n, player in theirs.state.players.items()}
        for _ in range(STEPS):
            ours.step()
            theirs.step()
        return {n: apart(ours, theirs, n) / float((flat(p.network) - first[n]).norm()) for n, p in players(theirs)}

    def resumed(self, name: str) -> dict[str, float]:
        """How far a training that stopped, was saved and went on is from one that did not; 0: the same bits."""
        config = self.config(name)
        whole, cut, rest = (self.trainer(config) for _ in range(3))
        for _ in range(2 * STEPS):
            whole.step()
        for _ in range(STEPS):
            cut.step()
        rest.state.load_state_dict(copied(cut.state.state_dict()))
        for _ in range(STEPS):
            rest.step()
        return {n: apart(whole, rest, n) for n, _ in players(whole)}

    def speed(self, name: str) -> dict[str, float]:
        """Images/s, beside the plain loop's where there is one, and GiB."""
        config = self.config(name)
        memory, trainer = Memory(self.device), self.trainer(config)
        images = config.training.batch * config.training.d_steps
        loops = [trainer.step]
        if SPEED[name][1]:
            loops.append(bare_step(config, self.data(config), self.device, trainer.bf16))
        slowest = max(block(step, self.device, STEPS) for step in loops)
        steps = max(2, round(BLOCK_S / max(slowest, LEAST_S)))
        turns = [[block(step, self.device, steps) for step in loops] for _ in range(BLOCKS)]
        times = [statistics.median(column) for column in zip(*turns, strict=True)]
        figures = {"images_per_second": images / times[0], "GiB": memory.most(), "bf16": float(trainer.bf16)}
        if len(times) > 1:
            ratios = statistics.median(plain / ours for ours, plain in turns)
            figures |= {"plain_images_per_second": images / times[1], "times_as_fast": ratios}
        return figures

    def profile(self, name: str) -> list[dict[str, Any]]:
        """The ten kinds of kernels that took longest in one step: their name, their number, milliseconds."""
        trainer = self.trainer(self.config(name))
        for _ in range(STEPS):
            trainer.step()
        with torch.profiler.profile() as profile:
            block(trainer.step, self.device, 1)
        key = "self_device_time_total" if self.device.type == "cuda" else "self_cpu_time_total"
        rows = sorted(profile.key_averages(), key=lambda row: getattr(row, key), reverse=True)
        return [{"kernel": r.key[:80], "calls": r.count, "ms": round(getattr(r, key) / 1e3, 3)} for r in rows[:10]]


def players(trainer: Trainer) -> list[tuple[str, Any]]:
    return list(trainer.state.players.items())


def flat(network: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().double().cpu().flatten() for p in network.parameters()])


def apart(one: Trainer, other: Trainer, name: str) -> float:
    return float((flat(one.state.players[name].network) - flat(other.state.players[name].network)).norm())


@entry_point
def main() -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    named = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU-{torch.get_num_threads()}-threads"
    start, now = time.monotonic(), datetime.now(UTC)
    told: dict[str, Any] = {
        "device": named,
        "date": f"{now:%Y-%m-%d}",
        "torch": torch.__version__,
        "command": "make gpu",
    }
    if device.type == "cpu":
        print("no GPU: the same on the CPU, with networks of width 8 and batches of 8")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), device)
        for what, names in (
            ("values", VALUES), ("resumed", SPEED), ("speed", SPEED), ("profile", ("StyleGAN2-ADA-32",)),
        ):  # fmt: skip
            told[what] = {name: getattr(bench, what)(name) for name in names}
            print(f"{what} {json.dumps(told[what])}", flush=True)
    told["seconds"] = round(time.monotonic() - start)
    results = RESULTS if device.type == "cuda" else Path("build")
    results.mkdir(exist_ok=True)
    file = results / f"{re.sub(r'[^a-z0-9]+', '-', named.lower())}-{now:%Y-%m-%d}.json"
    file.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(f"| on {named}, {told['date']} | images/s | plain loop | times as fast | GiB |\n|---|---|---|---|---|")
    for name, f in told["speed"].items():
        plain = f"{f['plain_images_per_second']:,.0f} | {f['times_as_fast']:.2f}" if "times_as_fast" in f else "– | –"
        print(f"| {name} | {f['images_per_second']:,.0f} | {plain} | {f['GiB']:.2f} |")
    print(f"{file}, after {told['seconds']} s")


if __name__ == "__main__":
    main()
