"""Snippets that use a registered model, as a reader pastes them; tests run them."""

import torch

from ganflow.generation.export import IMAGES, LABELS, Z
from ganflow.methods.generator import GeneratorSpec

N = 16  # samples of a snippet


def with_ganflow(spec: GeneratorSpec, weights: str) -> str:
    """By seed, which makes the same samples everywhere: the command, and MLflow's model of this folder."""
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


def with_torch(spec: GeneratorSpec, file: str) -> str:
    """``torch.export.load`` alone."""
    labels = f"labels = torch.arange({N}) % {spec.num_classes}\n" if spec.num_classes else ""
    names = f"{Z}, {LABELS}" if spec.num_classes else Z
    return f"""With torch alone (written by {torch.__version__.partition("+")[0]}; load only what you trust):

```python
import torch

module = torch.export.load("{file}").module()
z = torch.randn({N}, {spec.latent_dim})
{labels}with torch.no_grad():
    made = module({names})
{spec.signal.with_torch}
```"""


def with_onnxruntime(spec: GeneratorSpec, file: str) -> str:
    """onnxruntime alone."""
    labels = f', "{LABELS}": np.arange({N}, dtype=np.int64) % {spec.num_classes}' if spec.num_classes else ""
    return f"""With onnxruntime alone:

```python
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("{file}", providers=["CPUExecutionProvider"])
z = np.random.default_rng(7).standard_normal(({N}, {spec.latent_dim}), np.float32)
[made] = session.run(["{IMAGES}"], {{"{Z}": z{labels}}})
{spec.signal.with_numpy}
```"""


def rule(spec: GeneratorSpec) -> str:
    """The inputs and outputs of the exports."""
    labels = f" and `{LABELS}` int64 (N,), 0 to {spec.num_classes - 1}" if spec.num_classes else ""
    takes = f"Exports take `{Z}` float32 (N, {spec.latent_dim}) from N(0, 1){labels}, N at will"
    return (
        f"{takes}. They give {spec.signal.output(spec.shape)}. Truncation of w and noise by sample are no part of them."
    )
