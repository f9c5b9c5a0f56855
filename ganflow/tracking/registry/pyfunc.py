"""The generator as MLflow serves it. MLflow copies this file into a registered model and runs it there.

It has no state of its own and nothing of it is pickled: the weights and their description are the safetensors file.
"""

import math
import os
import warnings
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read at every event, so even now that mlflow is loaded
import mlflow
import numpy as np
import torch
from mlflow.exceptions import MlflowException

from ganflow.errors import ConfigError, require
from ganflow.methods import generator
from ganflow.signals import image_grid
from ganflow.signals.base import Samples

EVERY_CLASS, UNTRUNCATED = -1, -1.0
MOST = 256  # samples of a request
FORMATS = ("array", "png")


def answer(made: generator.Generator, asked: Mapping[str, int | float | str]) -> Samples | list[str]:
    """The samples that a request asks for: those that ``ganflow generate`` makes of the same seed.

    Args:
        made: the generator.
        asked: ``n``, ``seed``, ``label`` (-1: every class in turn), ``truncation`` (-1: none), ``format``.

    Returns:
        ``array``: uint8 (n, H, W, C), points float32 (n, 2); ``png``: n PNG files in base64.

    Raises:
        ConfigError: what cannot be.
    """
    n, seed, label = int(asked.get("n", 16)), int(asked.get("seed", 0)), int(asked.get("label", EVERY_CLASS))
    cut, kind = float(asked.get("truncation", UNTRUNCATED)), str(asked.get("format", FORMATS[0]))
    require(1 <= n <= MOST, "n", n, f"1 to {MOST}; `ganflow generate` makes any number")
    require(kind in FORMATS, "format", kind, f"one of {', '.join(FORMATS)}")
    require(
        kind != "png" or made.spec.signal.alone,
        "format",
        kind,
        f"array: this generator makes {made.spec.signal.plural}",
    )
    require(math.isfinite(cut), "truncation", cut, "a number; -1 for none")
    classes, truncation = None if label == EVERY_CLASS else label, None if cut == UNTRUNCATED else cut
    samples = made.sample(n, seed, classes, truncation=truncation)
    if kind == "array":
        return samples
    return [b64encode(image_grid.png(image)).decode() for image in samples.astype("uint8", copy=False)]


def restored(made: generator.Generator, model_input: Any) -> Samples:
    """Images made of those that are given.

    Args:
        made: the model.
        model_input: uint8 (n, H, W, C'); of a model that fills in, the last channel is 255 where pixels are hidden.

    Returns:
        uint8 (n, H, W, C).

    Raises:
        ConfigError: images of another shape or type.
    """
    given, spec = np.asarray(model_input), made.spec
    assert spec.given_shape is not None
    row = (*spec.given_shape[1:], spec.given_shape[0])
    fits = given.dtype == np.uint8 and given.ndim == 4 and given.shape[1:] == row and 0 < len(given) <= MOST
    require(fits, "model_input", f"{given.dtype}{given.shape}", f"must be uint8 (n, {', '.join(map(str, row))})")
    images = torch.from_numpy(np.ascontiguousarray(given.transpose(0, 3, 1, 2)))
    return made.stored(made.restored(made.spec.given_of(spec.as_trained(images))))


# MLflow takes type hints of ``predict`` for a schema of its input; without them it gives advice, before any filter.
with warnings.catch_warnings(record=True):

    class ServedGenerator(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined, unused-ignore]
        """:func:`answer` for MLflow, without a look at the model input; or :func:`restored`."""

        def load_context(self, context: Any) -> None:
            """Read the weights."""
            self.generator = generator.load(context.artifacts["generator"])

        def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
            """Answer ``params``; what cannot be asked for is the status 400 with a line that says why."""
            try:
                if self.generator.spec.restores:
                    return restored(self.generator, model_input)
                return answer(self.generator, params or {})
            except ConfigError as error:
                raise MlflowException.invalid_parameter_value(str(error)) from None


mlflow.models.set_model(ServedGenerator())
