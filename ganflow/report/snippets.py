"""Snippets that use a registered model, as a reader pastes them; tests run them."""

import torch

from ganflow.generation.export import GIVEN, IMAGES, LABELS, Z
from ganflow.methods.generator import GeneratorSpec
from ganflow.signals.base import Shape
from ganflow.signals.light import DEVIATION, MEAN

N = 16  # samples of a snippet


def with_ganflow(spec: GeneratorSpec, weights: str) -> str:
    """By seed, which makes the same samples everywhere: the command, and MLflow's model of this folder."""
    if spec.given_shape is not None:
        return _restore_with_ganflow(spec, spec.given_shape, weights)
    label = ', "label": 0' if spec.num_classes else ""
    picture = ', "format": "png"' if spec.signal.alone else ""
    return f"""With ganflow, where a seed stands for the same samples on every machine:

```sh
ganflow generate --model {weights} -n 64 --seed 7 --out samples.png
```

With MLflow, by the code in this folder (`mlflow models serve -m . --env-manager local` answers the same):

```python
import mlflow

model = mlflow.pyfunc.load_model(".")
samples = model.predict([0], params={{"n": {N}, "seed": 7{label}{picture}}})
```"""


def _restore_with_ganflow(spec: GeneratorSpec, given: Shape, weights: str) -> str:
    """Images of one's own."""
    restore = f"ganflow restore pictures/ restored/ --model {weights}"
    detect = f"ganflow detect pictures/ --model {weights} --out scores.csv"
    shape = ", ".join(map(str, (1, *given[1:], given[0])))
    return f"""With ganflow, images of your own:

```sh
{detect if spec.detects else restore}
```

With MLflow, by the code in this folder (`mlflow models serve -m . --env-manager local` answers the same):

```python
import mlflow
import numpy as np

model = mlflow.pyfunc.load_model(".")
restored = model.predict(np.zeros(({shape}), np.uint8))
```"""


def with_torch(spec: GeneratorSpec, file: str) -> str:
    """``torch.export.load`` alone."""
    labels = f"labels = torch.arange({N}) % {spec.num_classes}\n" if spec.num_classes else ""
    names = f"{Z}, {LABELS}" if spec.num_classes else Z
    inputs = f"z = torch.randn({N}, {spec.latent_dim})\n{labels}"
    if spec.given_shape is not None:
        names, inputs = GIVEN, f"{GIVEN} = torch.zeros({N}, {_sides(spec.given_shape)})\n"
    return f"""With torch alone (written by {torch.__version__.partition("+")[0]}; load only what you trust):

```python
import torch

module = torch.export.load("{file}").module()
{inputs}with torch.no_grad():
    made = module({names})
{spec.signal.with_torch}
```"""


def with_onnxruntime(spec: GeneratorSpec, file: str) -> str:
    """onnxruntime alone."""
    labels = f', "{LABELS}": np.arange({N}, dtype=np.int64) % {spec.num_classes}' if spec.num_classes else ""
    name, made = Z, f"np.random.default_rng(7).standard_normal(({N}, {spec.latent_dim}), np.float32)"
    if spec.given_shape is not None:
        name, made = GIVEN, f"np.zeros(({N}, {_sides(spec.given_shape)}), np.float32)"
    return f"""With onnxruntime alone:

```python
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("{file}", providers=["CPUExecutionProvider"])
{name} = {made}
[made] = session.run(["{IMAGES}"], {{"{name}": {name}{labels}}})
{spec.signal.with_numpy}
```"""


def rule(spec: GeneratorSpec) -> str:
    """The inputs and outputs of the exports."""
    if spec.given_shape is not None:
        mask = "; the last channel is 1 where a pixel is hidden, else 0" if spec.degradations.masks else ""
        takes = f"Exports take `{GIVEN}` float32 (N, {_sides(spec.given_shape)}), -1 black to 1 white{mask}, N at will"
        light = f" of a mean of {MEAN} and a deviation of {DEVIATION:g} of 255, as `data.light` makes them,"
        takes += light if spec.light else ""
        return f"{takes}. They give {spec.signal.output(spec.shape)}."
    labels = f" and `{LABELS}` int64 (N,), 0 to {spec.num_classes - 1}" if spec.num_classes else ""
    takes = f"Exports take `{Z}` float32 (N, {spec.latent_dim}) from N(0, 1){labels}, N at will"
    return (
        f"{takes}. They give {spec.signal.output(spec.shape)}. Truncation of w and noise by sample are no part of them."
    )


def _sides(shape: Shape) -> str:
    return ", ".join(map(str, shape))
