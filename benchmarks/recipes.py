"""What recipes cost: seconds per 1,000 real images on this device, memory, and the hours of each recipe's own length.

The networks, batch and turns are the recipe's; the images are digits of 32 pixels, unless overrides say otherwise.
Each recipe is warmed up by a step and timed for at least half a minute and three steps. Memory is the most that a step
needed: what the GPU's tensors took, or on a CPU what the process grew by.

    python benchmarks/recipes.py sngan,r3gan [overrides…]            a GPU is used where there is one
    python benchmarks/recipes.py r3gan training.microbatch=64        one that needs more memory than there is
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
from ganflow.terminal.console import entry_point
from ganflow.training.build import build_trainer

SECONDS, STEPS = 30.0, 3  # at least


def measured(overrides: list[str], device: torch.device) -> str:
    """One line of the table."""
    config = composition.compose(overrides)
    with tempfile.TemporaryDirectory() as folder:
        prepare(components.build("source", config.data, "data"), Path(folder))
        trainer = build_trainer(config, Dataset.open(Path(folder)), device)
        memory = Memory(device)
        trainer.step()
        times: list[float] = []
        while len(times) < STEPS or sum(times) < SECONDS:
            start = time.perf_counter()
            trainer.step()
            if device.type == "cuda":
                torch.cuda.synchronize()
            times.append(time.perf_counter() - start)
    batch = config.training.batch * config.training.d_steps
    size = {name: sum(p.numel() for p in player.parameters) / 1e6 for name, player in trainer.state.players.items()}
    pace = statistics.median(times) / batch * 1000
    millions = " ".join(f"{name} {count:.2f}" for name, count in size.items())
    kimg = config.training.kimg
    length = f"{pace * kimg / 3600:8.3g} h for {kimg:g} kimg"
    return f"{config.recipe:20s} {batch:5d} {millions:>17s} M {pace:8.3g} s/kimg {memory.most():6.2f} GiB {length}"


class Memory:
    """The most that was in use since this was made."""

    def __init__(self, device: torch.device) -> None:
        self.cuda = device.type == "cuda"
        if self.cuda:
            torch.cuda.reset_peak_memory_stats()
        else:
            Path("/proc/self/clear_refs").write_text("5")  # the peak, of Linux's record of this process
        self.before = 0.0 if self.cuda else self._resident("VmRSS")

    def most(self) -> float:
        """In GiB."""
        return (torch.cuda.max_memory_allocated() if self.cuda else self._resident("VmHWM") - self.before) / 2**30

    @staticmethod
    def _resident(name: str) -> float:
        lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return float(lines[name].split()[0]) * 1024


@entry_point
def main(recipes: str, *overrides: str) -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    print(torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads")
    for recipe in recipes.split(","):
        print(measured(["data.resize=32", *overrides, f"experiment={recipe}"], device), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
