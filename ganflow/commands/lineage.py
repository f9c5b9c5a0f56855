"""`ganflow lineage`: where a registered version comes from, and which versions some data led to."""

import json
from typing import Any

from ganflow.config import params_file
from ganflow.config.schema import TrackingConfig
from ganflow.errors import GanflowError
from ganflow.tracking import mlflow_client
from ganflow.tracking.registry.version_lineage import trace, trained_on


def tracking() -> TrackingConfig:
    """The MLflow store that ``params.yaml`` names, if there is such a file."""
    return params_file.load().tracking if params_file.PARAMS.is_file() else TrackingConfig(experiment="")


def lineage(model: str | None, data: str | None, *, as_json: bool) -> list[str]:
    """Lines that tell of a version, or of the versions of some data.

    Raises:
        GanflowError: neither or both were named; no such version; no answer.
    """
    if (model is None) == (data is None):
        raise GanflowError("name a version, as models:/NAME/3, or --data and an md5")
    settings = tracking()
    client = mlflow_client.connect(settings, create=False)
    if data is not None:
        rows = [_row(version) for version in trained_on(client, data, settings)]
        return [json.dumps(rows, indent=2)] if as_json else _listed(rows, data)
    version_lineage = trace(client, str(model), settings)
    sections = version_lineage.sections()
    if as_json:
        return [json.dumps(sections | {"parameters": version_lineage.origin.params}, indent=2)]
    return [line for title, facts in sections.items() for line in _section(title, facts)]


def _section(title: str, facts: dict[str, object]) -> list[str]:
    width = max(map(len, facts))
    return [title, *(f"  {name:{width}s}  {value}" for name, value in facts.items())]


def _row(version: Any) -> dict[str, str]:
    return {
        "model": f"models:/{version.name}/{version.version}",
        "aliases": ", ".join(sorted(version.aliases)),
        "recipe": version.tags.get("recipe", ""),
        "commit": version.tags.get("git_commit", "")[:12],
        "data": version.tags.get("data_md5", ""),
    }


def _listed(rows: list[dict[str, str]], data: str) -> list[str]:
    if not rows:
        return [f"no version was trained on data {data}"]
    table = [{name: name for name in rows[0]}, *rows]
    widths = {name: max(len(row[name]) for row in table) for name in rows[0]}
    return ["  ".join(row[name].ljust(width) for name, width in widths.items()).rstrip() for row in table]
