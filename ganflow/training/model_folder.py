"""From a finished run's state to the files that leave training."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml
from torch import nn

from ganflow.atomic_files import write_whole
from ganflow.config.params_file import dump
from ganflow.config.schema import Config
from ganflow.data.normal_classes import HELD_OUT
from ganflow.data.prepared.dataset import Dataset, read_manifest
from ganflow.errors import GanflowError
from ganflow.generation.detection import score_split, threshold
from ganflow.methods import generator
from ganflow.methods.generator import Generator, GeneratorSpec
from ganflow.methods.players import players_file
from ganflow.storage.base import Storage
from ganflow.terminal.redaction import hidden
from ganflow.training.build import generator_spec
from ganflow.training.checkpoints.checkpoint import CheckpointStore
from ganflow.training.history import History

CONFIG = "config.yaml"


def export_model(config: Config, dataset: Dataset, run: Storage, out: Path) -> None:
    """Write ``generator.safetensors`` (the averaged weights), ``players.safetensors`` (those that the players left off
    with) and ``config.yaml`` (what they were trained with).

    A model is copied to wherever DVC's remote is, so no secret of the configuration goes with it.

    Raises:
        GanflowError: the run has no good checkpoint.
    """
    state = CheckpointStore(run).latest()
    if state is None:
        raise GanflowError(f"{run} has no checkpoint; was it removed while training?")
    spec = generator_spec(config, dataset)
    network = spec.build()
    network.load_state_dict(state["ema"])
    if spec.detects:
        spec = with_threshold(spec, network, dataset, config.detection.quantile)
    out.mkdir(parents=True, exist_ok=True)
    generator.save(out / generator.FILE, network, spec)
    networks = {name: player["network"] for name, player in state["players"].items()}
    players_file.save(out / players_file.FILE, networks)
    write_whole(out / CONFIG, yaml.safe_dump(hidden(yaml.safe_load(dump(config))), sort_keys=False))


def with_threshold(spec: GeneratorSpec, network: nn.Module, dataset: Dataset, quantile: float) -> GeneratorSpec:
    """The spec with the score above which an image raises an alarm, from normal images that were held out."""
    if HELD_OUT not in read_manifest(dataset.root)["splits"]:
        return spec
    held_out = Dataset.open(dataset.root, HELD_OUT, verify=False)
    scored = score_split(Generator(network, spec), held_out, np.arange(len(held_out)))
    limit = {"threshold": threshold(scored.scores, quantile), "quantile": quantile, "held_out": len(held_out)}
    return replace(spec, detection={**spec.detection, **limit})


def export_reports(history: History, reports: Path) -> None:
    """Write ``training.csv`` (the curves) and ``samples/`` (this run's grids alone, the last one as ``final.png``)."""
    write_whole(reports / "training.csv", history.csv())
    samples = reports / "samples"
    samples.mkdir(parents=True, exist_ok=True)
    for earlier in samples.glob("snapshot-*.png"):
        earlier.unlink()
    grids = history.snapshots()
    for name, grid in grids.items():
        write_whole(samples / name, grid)
    write_whole(samples / "final.png", next(reversed(grids.values())))
