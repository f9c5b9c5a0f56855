"""The provenance of a version, kept with its run as text: enough to make it again in another checkout."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from ganflow.config import params_file
from ganflow.config.schema import Config
from ganflow.config.yaml_file import Node
from ganflow.errors import GanflowError
from ganflow.terminal.redaction import hidden
from ganflow.tracking import mlflow_client

if TYPE_CHECKING:
    from mlflow import MlflowClient

FOLDER = "origin"  # among the run's artifacts
PARAMS, LOCK, BEST = "params.yaml", "dvc.lock", "best.yaml"
TUNE = Path("reports/tune")
COMPUTES = ("workers", "cpus_per_worker", "gpu")  # of ``cluster``; the rest says where work runs


def texts(params: Config) -> dict[str, str]:
    """``params.yaml``, DVC's record of what the stages read and wrote, and what the search found, by their path.

    Without secrets, and without what says where work runs and is tracked.
    """
    node = yaml.safe_load(params_file.dump(params))
    del node["tracking"]
    node["cluster"] = {key: node["cluster"][key] for key in COMPUTES}
    contents = {PARAMS: node, LOCK: _read(Path(LOCK)), BEST: _read(TUNE / BEST)}
    return {
        f"{FOLDER}/{name}": yaml.safe_dump(hidden(content), sort_keys=False)
        for name, content in contents.items()
        if content is not None
    }


@dataclass(frozen=True)
class Origin:
    """The texts that :func:`texts` kept. None: the version has none of them."""

    params: Node | None
    lock: Node | None
    best: Node | None


def fetch(client: "MlflowClient", run_id: str, store: str) -> Origin:
    """Read back what a run keeps.

    Raises:
        GanflowError: a file that is not a YAML mapping.
    """
    stored = {Path(item.path).name for item in client.list_artifacts(run_id, FOLDER)}
    with tempfile.TemporaryDirectory() as folder, mlflow_client.telling(store):

        def one(name: str) -> Node | None:
            if name not in stored:
                return None
            return _read(Path(client.download_artifacts(run_id, f"{FOLDER}/{name}", folder)))

        return Origin(one(PARAMS), one(LOCK), one(BEST))


def _read(path: Path) -> Node | None:
    try:
        node = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except yaml.YAMLError as error:
        raise GanflowError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(node, dict):
        raise GanflowError(f"{path} is not a mapping")
    return node
