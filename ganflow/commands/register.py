"""`ganflow register`: the model that stands here, in the registry, with the alias pointing to it."""

from pathlib import Path

import yaml

from ganflow.cluster.jobs.trial_files import read_best
from ganflow.config import params_file, project_folder
from ganflow.config.composition import override
from ganflow.config.keys import trained_sections
from ganflow.config.schema import Config
from ganflow.errors import GanflowError
from ganflow.tracking.registry import checkout, provenance
from ganflow.training.model_folder import CONFIG


def register() -> str:
    """Register ``model/`` and say which version it is.

    Raises:
        GanflowError: ``params.yaml`` is not what the model was trained with; files are missing; no answer.
    """
    if project_folder.copied():
        raise GanflowError(f"this is a copy that DVC made for an experiment; run it in {project_folder.root()}")
    params = params_file.load()
    _check(params, checkout.MODEL / CONFIG)
    return checkout.line(checkout.register(params, insist=True))


def _check(params: Config, trained: Path) -> None:
    """A version keeps ``params.yaml`` and what the search found, so these must be the model's own."""
    if not trained.is_file():
        return
    best = provenance.TUNE / provenance.BEST
    now = yaml.safe_load(params_file.dump(override(params, read_best(provenance.TUNE)) if best.is_file() else params))
    then = yaml.safe_load(trained.read_text(encoding="utf-8"))
    differing = [key for part in trained_sections() for key in _differing(part, then.get(part), now[part])]
    if differing:
        raise GanflowError(
            f"{trained.parent}/ was trained with another {', '.join(differing)} than params.yaml has; `dvc repro` "
            "trains what it has, `git checkout params.yaml` brings back what was committed"
        )


def _differing(key: str, then: object, now: object) -> list[str]:
    if isinstance(then, dict) and isinstance(now, dict):
        return [
            key_name
            for name in {**then, **now}
            for key_name in _differing(f"{key}.{name}", then.get(name), now.get(name))
        ]
    return [] if then == now else [key]
