"""The training loop against a bare PyTorch loop with the same networks, loss, penalty, optimizers and average.

Both run in this process in alternating blocks, so that a machine whose speed drifts slows both. The figure is the
median over blocks of the ratio of their times.

    python benchmarks/step_overhead.py [overrides…]            e.g. data=idx gan/generator=dcgan training.batch=128
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganflow.config import components, composition
from ganflow.config.schema import Config
from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset
from ganflow.methods.build import conditioning_classes
from ganflow.methods.gan import build_loss, build_networks
from ganflow.methods.players.player import to_device
from ganflow.terminal.console import entry_point
from ganflow.training.build import build_trainer

BLOCKS = 61
BLOCK_S = 1.0  # what a block takes at most, roughly
STEPS = 16  # in a block of quick ones: what the loop does ahead for several turns falls into every block alike


def bare_step(config: Config, dataset: Dataset, device: torch.device, bf16: bool = False) -> Callable[[], None]:
    """What a tutorial writes: everything inline, torch's own random numbers, no reports, no checkpoints."""
    torch.manual_seed(0)
    networks = (*build_networks(config, dataset.facts), build_networks(config, dataset.facts)[0])
    G, D, ema = (to_device(network, device) for network in networks)
    of_g, of_d = config.optimizers.generator, config.optimizers.discriminator
    G_optimizer = torch.optim.Adam(G.parameters(), of_g["lr"], of_g["betas"], fused=True)
    D_optimizer = torch.optim.Adam(D.parameters(), of_d["lr"], of_d["betas"], fused=True)
    images, labels = (
        torch.from_numpy(dataset.images(np.arange(len(dataset)))).to(device),
        torch.from_numpy(np.asarray(dataset.labels)).to(device),
    )
    loss, batch = build_loss(config), config.training.batch
    gammas = {str(name): float(node["gamma"]) for name, node in config.gan.regularizers.items() if name in ("r1", "r2")}
    averages, weights = list[Tensor](ema.parameters()), list[Tensor](G.parameters())
    classes = conditioning_classes(config, dataset.facts)

    def latents() -> tuple[Tensor, Tensor | None]:
        z = torch.randn(batch, config.gan.latent_dim, device=device)
        return z, torch.randint(classes, (batch,), device=device) if classes else None

    def penalty(name: str, logits: Tensor, at: Tensor) -> Tensor:
        (gradient,) = torch.autograd.grad(logits.sum(), at, create_graph=True)
        squared: Tensor = gradient.square().sum((1, 2, 3)).mean()
        return gammas[name] / 2 * squared

    def turn_of_d() -> tuple[Tensor, Tensor | None]:
        rows = torch.randint(len(images), (batch,), device=device)
        real, y = images[rows].float() / 127.5 - 1, labels[rows] if classes else None
        D.requires_grad_(True)
        z, z_y = latents()
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            with torch.no_grad():
                fake = G(z, z_y)
            real.requires_grad_("r1" in gammas)
            fake.requires_grad_("r2" in gammas)
            real_logits, fake_logits = D(real, y), D(fake, z_y)
            total = loss.discriminator(real_logits, fake_logits)
            if "r1" in gammas:
                total = total + penalty("r1", real_logits, real)
            if "r2" in gammas:
                total = total + penalty("r2", fake_logits, fake)
        D_optimizer.zero_grad(set_to_none=True)
        total.backward()
        D_optimizer.step()
        return real.detach(), y

    def step() -> None:
        for _ in range(config.training.d_steps):
            real, y = turn_of_d()
        D.requires_grad_(False)
        G_optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            fake_logits = D(*fakes(G, latents()))
            with torch.no_grad():
                real_logits = D(real, y) if loss.paired else None
            loss.generator(fake_logits, real_logits).backward()
        G_optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(averages, weights, 0.01)

    return step


def fakes(G: torch.nn.Module, drawn: tuple[Tensor, Tensor | None]) -> tuple[Tensor, Tensor | None]:
    return G(*drawn), drawn[1]


def block(step: Callable[[], None], device: torch.device, steps: int) -> float:
    """Seconds per step."""
    start = time.perf_counter()
    for _ in range(steps):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / steps


@entry_point
def main(*overrides: str) -> None:
    config = composition.compose(overrides)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with tempfile.TemporaryDirectory() as folder:
        prepare(components.build("source", config.data, "data"), Path(folder) / "data")
        dataset = Dataset.open(Path(folder) / "data")
        ours, bare = build_trainer(config, dataset, device).step, bare_step(config, dataset, device)
        slower = max(block(step, device, 4) for step in (ours, bare))
        steps = max(2, min(STEPS, round(BLOCK_S / slower)))
        pairs = [(block(ours, device, steps), block(bare, device, steps)) for _ in range(BLOCKS)]
    ratios = sorted(a / b for a, b in pairs)
    a, b = (statistics.median(column) * 1e3 for column in zip(*pairs, strict=True))
    print(f"{config.recipe}, batch {config.training.batch}, {device}, {torch.get_num_threads()} threads")
    print(f"ganflow {a:.2f} ms/step, bare {b:.2f} ms/step, ratio {statistics.median(ratios):.3f}", end=" ")
    print(f"(quartiles {ratios[BLOCKS // 4]:.3f} to {ratios[-1 - BLOCKS // 4]:.3f}, {BLOCKS} blocks of {steps} steps)")


if __name__ == "__main__":
    main(*sys.argv[1:])
