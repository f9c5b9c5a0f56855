"""The origin of a model: the code, the data and the run, written beside the weights as ``run.json``."""

import hashlib
import platform
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from ganflow import records
from ganflow.errors import GanflowError

FILE = "run.json"
DIGEST = "model_digest"  # tag of a model and of its versions: sha256 of the weights
PLAYERS_DIGEST = "players_digest"  # tag of a model: sha256 of the players' file, where it has one
_DIRTY = "-dirty"
# The pipeline writes these, and a version keeps what they held (ganflow.tracking.registry.provenance): they make no
# commit dirty.
_KEPT_APART = ("params.yaml", "dvc.lock", "reports")
_PACKAGES = ("torch", "numpy", "ray", "mlflow", "dvc")


@dataclass(frozen=True)
class RunRecord:
    """The link from a model's weights to the run, the code and the data that made it. None: not known."""

    run_id: str
    experiment: str
    fingerprint: str  # of configuration, data and code; names the run
    recipe: str
    model_digest: str  # sha256 of the safetensors file
    data_digest: str  # of the prepared data set
    data_md5: str | None = None  # DVC's
    git_commit: str | None = None  # with "-dirty" when files differed from it
    ray_run: str | None = None
    data_path: str | None = None  # in DVC's repository
    environment: str | None = None
    start: str | None = None  # the model whose weights it began with, and the digest of those
    players_digest: str | None = None  # sha256 of the players' file

    def write(self, path: Path) -> None:
        """Write the record, whole or not at all."""
        records.write(path, self)

    @classmethod
    def read(cls, path: Path) -> "RunRecord":
        """Read what :meth:`write` wrote.

        Raises:
            GanflowError: the file is missing or is not such a record.
        """
        return records.read(path, cls, "`dvc repro train` writes it, or `dvc pull` fetches it")


def summary(record: RunRecord) -> dict[str, str]:
    """The record for people: what is known of it, digests cut short."""
    facts = {
        "recipe": record.recipe,
        "model": record.model_digest[:12],
        "data": record.data_digest[:12],
        "commit": record.git_commit,
        "MLflow run": record.run_id,
        "experiment": record.experiment,
    }
    return {name: value for name, value in facts.items() if value}


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise GanflowError(f"{path} is missing; `dvc repro train` writes it") from None


def git_commit(directory: Path = Path()) -> str | None:
    """The commit that is checked out; None outside of git.

    With ``-dirty`` when tracked files differ from it, other than those of which a version keeps a copy.
    """
    commit = _git(directory, "rev-parse", "HEAD")
    if commit is None:
        return None
    others = [f":(exclude){name}" for name in _KEPT_APART]
    return commit + _DIRTY if _git(directory, "status", "--porcelain", "-uno", "--", ".", *others) else commit


def environment() -> str:
    """The machine's kind and the versions that a result may depend on, in one line."""
    versions = [f"{name} {metadata.version(name)}" for name in _PACKAGES]
    return ", ".join([f"Python {platform.python_version()}", *versions, f"{platform.system()} {platform.machine()}"])


def _git(directory: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=directory, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def data_md5(path: str = "data", lock: Path = Path("dvc.lock")) -> str | None:
    """DVC's md5 of the out at ``path``, as ``dvc.lock`` records it; None where no stage outs it or DVC is not used."""
    try:
        stages = (yaml.safe_load(lock.read_text(encoding="utf-8")) or {}).get("stages", {})
    except (OSError, yaml.YAMLError, AttributeError):
        return None
    outs: list[dict[str, Any]] = [out for stage in stages.values() for out in stage.get("outs", [])]
    return next((out.get("md5") for out in outs if str(out.get("path", "")).rstrip("/") == path.rstrip("/")), None)
