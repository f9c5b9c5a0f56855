"""The generator as MLflow serves it. MLflow copies this file into a registered model and runs it there.

It has no state of its own and nothing of it is pickled: the weights and their description are the safetensors file.
"""

import warnings
from typing import Any

import mlflow

from ganflow import generator

EVERY_CLASS = -1

# MLflow takes type hints of ``predict`` for a schema of its input; without them it gives advice, before any filter.
with warnings.catch_warnings(record=True):

    class ServedGenerator(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined, unused-ignore]
        """Samples for (n, seed, label): uint8 (n, H, W, C), points float32 (n, 2). The model input is not looked at."""

        def load_context(self, context: Any) -> None:
            """Read the weights."""
            self.generator = generator.load(context.artifacts["generator"])

        def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
            """Draw ``params["n"]`` samples of ``params["seed"]``; ``label`` -1 is every class in turn."""
            asked = params or {}
            label = int(asked.get("label", EVERY_CLASS))
            n, seed = int(asked.get("n", 16)), int(asked.get("seed", 0))
            return self.generator.sample(n, seed, None if label == EVERY_CLASS else label)


mlflow.models.set_model(ServedGenerator())
