"""From a configuration and a data set to a trainer that can start."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch

from ganflow.config.schema import Config
from ganflow.data.prepared.dataset import Dataset, read_manifest
from ganflow.distributed import collectives, rng
from ganflow.distributed.batch_split import num_microbatches
from ganflow.distributed.host_arrays import OneCopy
from ganflow.distributed.metric_means import RunningMeans
from ganflow.generation import restoration
from ganflow.methods.base import Turn
from ganflow.methods.build import build_method, conditioning_classes, degradations, kept
from ganflow.methods.generator import GeneratorSpec
from ganflow.methods.start import Start
from ganflow.storage.base import Storage
from ganflow.training.batches import BatchSource
from ganflow.training.callbacks import Callbacks
from ganflow.training.checkpoints.async_writer import Writer
from ganflow.training.checkpoints.checkpoint import CheckpointStore
from ganflow.training.divergence import Guard
from ganflow.training.ema import EMA
from ganflow.training.rhythm import Rhythm
from ganflow.training.schedules import build_ramps
from ganflow.training.state import TrainState
from ganflow.training.trainer import Trainer, grid


def build_trainer(
    config: Config,
    dataset: Dataset,
    device: torch.device,
    place: Path | Storage | None = None,
    callbacks: Callbacks | None = None,
    writer: Writer | None = None,
    start: Start | None = None,
) -> Trainer:
    """A trainer at image 0.

    Args:
        config: a checked configuration.
        dataset: the train split.
        device: where this rank computes.
        place: the folder or storage of this run alone, for its checkpoints; None keeps none.
        callbacks: what hears, measures and pauses it.
        writer: writes checkpoints; given where something else is written in one order with them.
        start: the weights to begin with; None: fresh ones.
    """
    store = None if place is None else CheckpointStore(place)
    torch.manual_seed(rng.derive(config.seed, "weights"))
    built, t, what = build_method(config, dataset.facts, device), config.training, kept(config, dataset.facts)
    microbatches = num_microbatches(t.batch, t.microbatch, config.cluster.workers)
    conditional = conditioning_classes(config, dataset.facts) > 0
    strides = images_per_turn(built.method.turns, t.batch)
    arrays = _arrays(device)
    ema = EMA(built.generator, t.ema_kimg * 1000, t.ema_rampup, t.ema_start_kimg * 1000)
    if start is not None:
        start.give(built, ema.network)
    return Trainer(
        method=built.method,
        state=TrainState(built.players, ema, RunningMeans(device), built.method.modules, microbatches),
        batch_source=BatchSource(
            dataset,
            config.seed,
            config.gan.latent_dim,
            conditional,
            t.mirror,
            device,
            t.batch,
            strides,
            arrays,
            degradations(config, dataset.facts),
        ),
        spec=generator_spec(config, dataset),
        training=t,
        seed=config.seed,
        device=device,
        guard=Guard(t.guard, store.storage if store else None, device, list(built.optimizers.values())),
        ramps=build_ramps(config, built, ema),
        bf16=_bf16(t.precision, device),
        store=store,
        callbacks=callbacks or Callbacks(),
        writer=writer or Writer(),
        arrays=arrays,
        rhythm=Rhythm(t.overhead),
        preview=restoration.preview(_held_out(dataset)) if what.given_shape else grid,
    )


def _held_out(dataset: Dataset) -> Dataset:
    """The test split of the data, or, where there is none, the train split itself."""
    has_test = "test" in read_manifest(dataset.root)["splits"]
    return Dataset.open(dataset.root, "test", verify=False) if has_test else dataset


def images_per_turn(turns: Sequence[Turn], batch: int) -> dict[str, int]:
    """Real images from one turn of a player to its next: those of a step, shared among its turns."""
    number = Counter(turn.player for turn in turns)
    of_a_step = batch * sum(turn.fresh for turn in turns)
    return {player: of_a_step // times for player, times in number.items()}


def generator_spec(config: Config, dataset: Dataset) -> GeneratorSpec:
    """The generator of this configuration on this data, without its weights."""
    facts = dataset.facts
    classes = conditioning_classes(config, facts)
    centres = facts.mixture.centres if facts.mixture else ()
    what = kept(config, facts)
    detects = facts.normal and what.given_shape is not None
    return GeneratorSpec(
        network=dict(what.network),
        latent_dim=what.latent_dim,
        shape=facts.shape,
        num_classes=classes,
        classes=list(dataset.classes) if classes else [],
        kind=facts.signal.family,
        centres=[list(centre) for centre in centres],
        given_shape=what.given_shape,
        given=config.given,
        detection=_detection(config, dataset) if detects else {},
    )


def _detection(config: Config, dataset: Dataset) -> dict[str, object]:
    """The way from an image and its reconstruction to its score."""
    d = config.detection
    normal = [dataset.classes[label] for label in dataset.facts.normal]
    light = {"light": dataset.facts.light} if dataset.facts.light else {}
    options = {"latent": d.latent, "smooth": d.smooth, "relative": d.relative, "pool": d.pool}
    return {"normal": normal, **options, **light}


def open_train(data: Path) -> Dataset:
    """The train split; rank 0 holds it against its checksums before anyone trains on it."""
    dataset = Dataset.open(data, "train", verify=collectives.rank() == 0)
    collectives.barrier()
    return dataset


def _arrays(device: torch.device) -> OneCopy | None:
    """A CPU needs no copies, and its cores have enough to do."""
    return OneCopy(device) if device.type == "cuda" else None


def _bf16(precision: str, device: torch.device) -> bool:
    """``auto`` takes bf16 on GPUs that compute in it; on CPUs it is slower than float32."""
    if precision != "auto":
        return precision == "bf16"
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
