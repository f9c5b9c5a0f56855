"""From a configuration and a data set to a trainer that can start."""

from pathlib import Path

import torch
from torch import nn

from ganflow import component, distributed, draws, gan
from ganflow.config import Config
from ganflow.data.dataset import Dataset
from ganflow.generator import GeneratorSpec
from ganflow.training.checkpoint import CheckpointStore
from ganflow.training.ema import EMA
from ganflow.training.feed import Feed
from ganflow.training.guard import Guard
from ganflow.training.means import Means
from ganflow.training.player import Player
from ganflow.training.state import TrainState
from ganflow.training.trainer import Trainer


def build_trainer(config: Config, dataset: Dataset, device: torch.device, folder: Path | None = None) -> Trainer:
    """A trainer at image 0.

    Args:
        config: a checked configuration.
        dataset: the train split.
        device: where this rank computes.
        folder: where checkpoints of this run are; None keeps none.
    """
    facts = dataset.facts
    torch.manual_seed(draws.derive(config.seed, "weights"))
    players = _players(config, dataset, device)
    method = gan.GAN(
        players["G"],
        players["D"],
        gan.build_loss(config),
        gan.build_regularizers(config),
        gan.build_augmentation(config).to(device),
        config.training.d_steps,
    )
    modules = method.modules.to(device)
    t = config.training
    classes = gan.conditioning_classes(config, facts.num_classes)
    strides = {"D": t.batch, "G": t.batch * t.d_steps}
    ema = EMA(players["G"].network, t.ema_kimg * 1000, t.ema_rampup)
    return Trainer(
        method=method,
        state=TrainState(players, ema, Means(device), modules),
        feed=Feed(dataset, config.seed, config.gan.latent_dim, classes > 0, t.mirror, device, t.batch, strides),
        spec=generator_spec(config, dataset),
        training=t,
        seed=config.seed,
        device=device,
        guard=Guard(t.guard, folder, device),
        bf16=_bf16(t.precision, device),
        store=CheckpointStore(folder) if folder else None,
    )


def _players(config: Config, dataset: Dataset, device: torch.device) -> dict[str, Player]:
    facts = dataset.facts
    G, D = gan.build_networks(config, facts.resolution, facts.channels, facts.num_classes)
    regularizers = gan.build_regularizers(config).values()

    def lazy(hook: str) -> int:
        return max((r.interval for r in regularizers if r.overrides(hook)), default=1)

    optimizers = config.optimizers
    return {
        "G": _player(place(G, device), "optimizers.generator", optimizers.generator, lazy("generator_term")),
        "D": _player(
            place(D, device), "optimizers.discriminator", optimizers.discriminator, lazy("discriminator_term")
        ),
    }


def generator_spec(config: Config, dataset: Dataset) -> GeneratorSpec:
    """What the generator of this configuration on this data is."""
    facts = dataset.facts
    classes = gan.conditioning_classes(config, facts.num_classes)
    return GeneratorSpec(
        network=dict(config.gan.generator),
        latent_dim=config.gan.latent_dim,
        resolution=facts.resolution,
        channels=facts.channels,
        num_classes=classes,
        classes=list(dataset.classes) if classes else [],
    )


def open_train(data: Path) -> Dataset:
    """The train split; rank 0 holds it against its checksums before anyone trains on it."""
    dataset = Dataset.open(data, "train", verify=distributed.rank() == 0)
    distributed.barrier()
    return dataset


def place(network: nn.Module, device: torch.device) -> nn.Module:
    """On the device, and channels last where there are convolutions, which are faster so."""
    network = network.to(device)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
    return network


def _player(network: nn.Module, key: str, choice: dict[str, object], lazy: int) -> Player:
    make = component.build("optimizer", choice, key)
    stretch = lazy / (lazy + 1) if lazy > 1 else 1.0
    return Player(network, make(network.parameters(), stretch))


def _bf16(precision: str, device: torch.device) -> bool:
    """``auto`` takes bf16 on GPUs that compute in it; on CPUs it is slower than float32."""
    if precision != "auto":
        return precision == "bf16"
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
