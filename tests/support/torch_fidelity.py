"""torch-fidelity's Inception-v3 as the independent reference of tests/system; its figures for the other tests.

The package depends on torchvision, which ``make setup`` does not bring and ``pip check`` would miss, but the modules of
its Inception-v3 do not. To compare with it, or to record its figures anew::

    make test-system
    PYTHONPATH=.venv/fidelity:. python -m tests.support.torch_fidelity
"""

import importlib
import importlib.util
import json
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from tests.support.inception import random_images, random_weights

RECORDED = Path(__file__).with_name("torch_fidelity.json")
CASES = [(channels, resolution) for channels in (1, 3) for resolution in (32, 64, 299)]
EVERY = {"features": 128, "logits": 63}  # so many features and logits apart are recorded: 16 of each
WANTED = ["2048", "logits_unbiased"]


def module(name: str) -> Any:
    """One module of the package, without what its ``__init__`` imports, and leaving no trace in ``sys.modules``."""
    spec = importlib.util.find_spec("torch_fidelity")
    assert spec is not None, "this test needs torch-fidelity, which `make test-system` installs"
    parent = ModuleType("torch_fidelity")
    parent.__path__ = list(spec.submodule_search_locations or ())
    with mock.patch.dict(sys.modules, {"torch_fidelity": parent}):
        return importlib.import_module(f"torch_fidelity.{name}")


def network(weights: Path) -> Any:
    """Takes uint8 RGB images (N, 3, H, W); gives features (N, 2048) and logits without bias (N, 1008)."""
    make = module("feature_extractor_inceptionv3").FeatureExtractorInceptionV3
    return make("reference", WANTED, feature_extractor_weights_path=str(weights))


def excerpt(features: Tensor, logits: Tensor) -> dict[str, list[float]]:
    """Of one image: what is recorded."""
    return {"features": features[0, :: EVERY["features"]].tolist(), "logits": logits[0, :: EVERY["logits"]].tolist()}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "weights.pth")
        torch.save(random_weights(), path)
        reference = network(path)
    images = {f"{c}x{r}": random_images(1, c, r).repeat(1, 3 // c, 1, 1) for c, r in CASES}
    figures = {name: excerpt(*reference(image)) for name, image in images.items()}
    lines = ",\n".join(f'  "{name}": {json.dumps(figure)}' for name, figure in figures.items())
    RECORDED.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
