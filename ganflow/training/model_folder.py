"""From a finished run's state to the files that leave training."""

from pathlib import Path

import yaml

from ganflow.atomic_files import write_whole
from ganflow.config.params_file import dump
from ganflow.config.schema import Config
from ganflow.data.prepared.dataset import Dataset
from ganflow.errors import GanflowError
from ganflow.methods import generator, players_file
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
    out.mkdir(parents=True, exist_ok=True)
    generator.save(out / generator.FILE, network, spec)
    networks = {name: player["network"] for name, player in state["players"].items()}
    players_file.save(out / players_file.FILE, networks)
    write_whole(out / CONFIG, yaml.safe_dump(hidden(yaml.safe_load(dump(config))), sort_keys=False))


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
