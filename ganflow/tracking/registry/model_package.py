"""A generator as an MLflow model folder that stands alone: weights, the code to read them, a signature. No pickle."""

import shutil
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ganflow
from ganflow.methods import generator
from ganflow.methods.players import players_file
from ganflow.report.model_card import WEIGHTS as WEIGHTS  # where MLflow puts the artifact inside of a model
from ganflow.report.model_card import Card
from ganflow.tracking.registry import model_files

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

PLAYERS = f"artifacts/{players_file.FILE}"
NAME = "generator"  # of the logged model
SCRIPT = Path(__file__).with_name("pyfunc.py")
# Of a request; label -1 is every class in turn, truncation -1 is none.
DEFAULTS: dict[str, int | float | str] = {"n": 16, "seed": 0, "label": -1, "truncation": -1.0, "format": "array"}

_CODE = (
    "__init__.py",
    "errors.py",
    "config/__init__.py",
    "config/components.py",
    "config/similar_names.py",
    "distributed/__init__.py",
    "distributed/host_arrays.py",
    "distributed/rng.py",
    "methods/__init__.py",
    "methods/degradations",
    "methods/generator.py",
    "methods/networks",
    "signals",
)
_REQUIREMENTS = ("mlflow", "torch", "numpy", "safetensors", "omegaconf", "pillow")


def write(folder: Path, weights: Path, model_id: str, run_id: str, card: Card) -> None:
    """Write the MLflow model of a generator, with exports, samples and its card for those who have no MLflow.

    Args:
        folder: new; what is logged.
        weights: the generator's safetensors file.
        model_id: the logged model's id in MLflow.
        run_id: the training's run.
        card: what its README.md says.
    """
    from mlflow import pyfunc
    from mlflow.models import Model

    G = generator.load(weights)
    with tempfile.TemporaryDirectory() as staged:
        pyfunc.save_model(
            path=str(folder),
            python_model=str(SCRIPT),
            artifacts=_artifacts(weights),
            code_paths=[str(_stage_code(Path(staged)))],
            signature=signature(G.spec),
            input_example=_example(G.spec),
            pip_requirements=requirements(),
            mlflow_model=Model(model_id=model_id, run_id=run_id),
        )
    for cache in list(folder.rglob("__pycache__")):
        shutil.rmtree(cache)
    model_files.write(folder, G, card)


def _artifacts(weights: Path) -> dict[str, str]:
    """The weights, and those of the players where they lie beside."""
    players = weights.with_name(players_file.FILE).resolve()
    return {"generator": str(weights.resolve())} | ({"players": str(players)} if players.is_file() else {})


def signature(spec: generator.GeneratorSpec) -> "ModelSignature":
    """The signature of the served model: it takes :data:`DEFAULTS` and gives uint8 (n, H, W, C), points float32 (n, 2).

    A model that restores takes images and no parameters.

    MLflow has no word for an answer of two types, so ``format`` "png" stands in the model card alone.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import DataType, ParamSchema, ParamSpec, Schema, TensorSpec

    samples = TensorSpec(spec.signal.dtype, (-1, *spec.signal.row(spec.shape)))
    if spec.given_shape is not None:
        given = TensorSpec(spec.signal.dtype, (-1, *spec.given_shape[1:], spec.given_shape[0]))
        return ModelSignature(inputs=Schema([given]), outputs=Schema([samples]))
    types = {int: DataType.long, float: DataType.double, str: DataType.string}
    return ModelSignature(
        outputs=Schema([samples]),
        params=ParamSchema([ParamSpec(name, types[type(value)], value) for name, value in DEFAULTS.items()]),
    )


def _example(spec: generator.GeneratorSpec) -> Any:
    import numpy as np

    if spec.given_shape is None:
        return np.zeros(1, np.int64), dict(DEFAULTS)
    return np.zeros((1, *spec.given_shape[1:], spec.given_shape[0]), np.uint8)


def requirements() -> list[str]:
    """The packages that the model's own code imports, at the versions installed here. ganflow itself travels along."""
    return [f"{name}=={metadata.version(name).partition('+')[0]}" for name in _REQUIREMENTS]


def _stage_code(folder: Path) -> Path:
    """The part of ganflow that a generator needs, as a package of the same name."""
    source, target = Path(ganflow.__file__).parent, folder / "ganflow"
    target.mkdir()
    for name in _CODE:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source / name, target / name)
    return target
