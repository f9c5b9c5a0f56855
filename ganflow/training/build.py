"""From a configuration and a data set to a trainer that can start."""

from pathlib import Path

import torch
from torch import nn

from ganflow.config import components
from ganflow.config.schema import Config
from ganflow.data.prepared.dataset import POINTS, Dataset
from ganflow.distributed import collectives, rng
from ganflow.distributed.batch_split import num_microbatches
from ganflow.methods import build, gan, vae
from ganflow.methods.base import Method
from ganflow.methods.generator import GeneratorSpec
from ganflow.storage.base import Storage
from ganflow.training.batches import Feed
from ganflow.training.checkpoints.checkpoint import CheckpointStore
from ganflow.training.divergence import Guard
from ganflow.training.ema import EMA
from ganflow.training.metric_means import Means
from ganflow.training.player import Player
from ganflow.training.schedules import build_ramps
from ganflow.training.state import TrainState
from ganflow.training.trainer import Trainer


def build_trainer(
    config: Config, dataset: Dataset, device: torch.device, place: Path | Storage | None = None
) -> Trainer:
    """A trainer at image 0.

    Args:
        config: a checked configuration.
        dataset: the train split.
        device: where this rank computes.
        place: the folder or storage of this run alone, for its checkpoints; None keeps none.
    """
    facts = dataset.facts
    store = None if place is None else CheckpointStore(place)
    torch.manual_seed(rng.derive(config.seed, "weights"))
    if config.method == "vae":
        method, players, strides = _vae(config, dataset, device)
        followed = players["G"].network.get_submodule("generator")
    else:
        method, players, strides = _gan(config, dataset, device)
        followed = players["G"].network
    t = config.training
    microbatches = num_microbatches(t.batch, t.microbatch, config.cluster.workers)
    classes = build.conditioning_classes(config, facts.num_classes)
    ema = EMA(followed, t.ema_kimg * 1000, t.ema_rampup, t.ema_start_kimg * 1000)
    return Trainer(
        method=method,
        state=TrainState(players, ema, Means(device), method.modules, microbatches),
        feed=Feed(dataset, config.seed, config.gan.latent_dim, classes > 0, t.mirror, device, t.batch, strides),
        spec=generator_spec(config, dataset),
        training=t,
        seed=config.seed,
        device=device,
        guard=Guard(t.guard, store.storage if store else None, device),
        ramps=build_ramps(config, method.steered, players, ema),
        bf16=_bf16(t.precision, device),
        store=store,
    )


def _gan(config: Config, dataset: Dataset, device: torch.device) -> tuple[Method, dict[str, Player], dict[str, int]]:
    facts, t = dataset.facts, config.training
    G, D = build.build_networks(config, facts.resolution, facts.channels, facts.num_classes)
    regularizers = build.build_regularizers(config)
    augmentation = build.build_augmentation(config)

    players = {
        "G": _player(place(G, device), "optimizers.generator", config.optimizers.generator),
        "D": _player(place(D, device), "optimizers.discriminator", config.optimizers.discriminator),
    }
    method = gan.GAN(players["G"], players["D"], build.build_loss(config), regularizers, augmentation, t.d_steps)
    method.modules.to(device)
    return method, players, {"D": t.batch, "G": t.batch * t.d_steps}


def _vae(config: Config, dataset: Dataset, device: torch.device) -> tuple[Method, dict[str, Player], dict[str, int]]:
    spec = generator_spec(config, dataset)
    encoder = vae.build_encoder(config, spec.resolution, spec.channels, spec.num_classes)
    network = vae.Autoencoder(encoder, spec.build())
    G = _player(place(network, device), "optimizers.generator", config.optimizers.generator)
    return vae.VAE(G, config.vae.sigma, config.vae.beta), {"G": G}, {"G": config.training.batch}


def generator_spec(config: Config, dataset: Dataset) -> GeneratorSpec:
    """What the generator of this configuration on this data is."""
    facts = dataset.facts
    classes = build.conditioning_classes(config, facts.num_classes)
    centres = facts.mixture.centres if facts.mixture else ()
    return GeneratorSpec(
        network=dict(config.gan.generator),
        latent_dim=config.gan.latent_dim,
        resolution=facts.resolution,
        channels=facts.channels,
        num_classes=classes,
        classes=list(dataset.classes) if classes else [],
        points=facts.kind == POINTS,
        centres=[list(centre) for centre in centres],
    )


def open_train(data: Path) -> Dataset:
    """The train split; rank 0 holds it against its checksums before anyone trains on it."""
    dataset = Dataset.open(data, "train", verify=collectives.rank() == 0)
    collectives.barrier()
    return dataset


def place(network: nn.Module, device: torch.device) -> nn.Module:
    """On the device, and channels last where there are convolutions, which are faster so."""
    network = network.to(device)
    for parameter in network.parameters():  # not modules' weights: a normalised one is computed anew at every look
        if parameter.dim() == 4 and parameter.shape[1] > 1:  # with one channel DDP would warn of its strides
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network


def _player(network: nn.Module, key: str, choice: dict[str, object]) -> Player:
    make = components.build("optimizer", choice, key)
    return Player(network, make(network.parameters()))


def _bf16(precision: str, device: torch.device) -> bool:
    """``auto`` takes bf16 on GPUs that compute in it; on CPUs it is slower than float32."""
    if precision != "auto":
        return precision == "bf16"
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
