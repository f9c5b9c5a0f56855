"""Learned perceptual image patch similarity (Zhang et al., 2018), by weights that the user brings."""

from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.evaluation.metrics.base import LOWER, Figure
from ganflow.evaluation.metrics.features import UnmeasurableError
from ganflow.evaluation.metrics.restoration.base import RESTORES, PairMetric, in_parts
from ganflow.evaluation.metrics.restoration.pairs import Pairs
from ganflow.methods.perception import published_weights
from ganflow.methods.perception.backbones import Backbone, Frozen, alexnet, vgg

KEY = "evaluation.metrics.lpips"
LAYERS = {"alex": (1, 4, 7, 9, 11), "vgg": (3, 8, 15, 22, 29)}  # activations that are compared
WIDTHS = {"alex": (64, 192, 384, 256, 256), "vgg": (64, 128, 256, 512, 512)}
SMALLEST = {"alex": 31, "vgg": 16}  # pixels
EPSILON = 1e-8
MISSING = (
    f"no weights; set {KEY}.backbone to AlexNet's or VGG16's on ImageNet by torchvision's names (its "
    "alexnet-owt-7be5be79.pth, vgg16-397923af.pth), and "
    f"{KEY}.heads to the authors' lpips/weights/v0.1/alex.pth or vgg.pth; nothing is downloaded by itself"
)


@component("metric", "lpips")
class LPIPS(PairMetric):
    """``Σₗ mean_hw wₗ · (φ̂ₗ(y) − φ̂ₗ(x))²`` of each restored image y and true one x (eq. 1); the mean over images.

    φ̂ are activations of the backbone, at each place of length one; w are learned from what people said. This is
    version 0.1 of the authors' code, for whole images as they are.

    Args:
        network: ``alex``, as the authors advise for figures, or ``vgg``.
        backbone: path of the backbone's weights.
        heads: path of the w.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "lpips": Figure("LPIPS", LOWER, "How unlike restored and true images look, learned from people.", RESTORES),
        "lpips_simple": Figure("LPIPS of the simple method", "", "The same without a model: what to beat.", RESTORES),
    }
    bounded = "lpips"

    def __init__(self, network: str = "alex", backbone: str = "", heads: str = "") -> None:
        require(network in LAYERS, "network", network, f"one of {', '.join(LAYERS)}")
        self.network, self.backbone, self.heads = network, backbone, heads

    def of_images(self, made: Tensor, pairs: Pairs) -> Tensor:
        """LPIPS of every image: (N,)."""
        if not (self.backbone and self.heads):
            raise UnmeasurableError(MISSING)
        side, fewest = min(made.shape[-2:]), SMALLEST[self.network]
        if side < fewest:
            raise UnmeasurableError(f"images of {side} pixels are too small for {self.network}, which needs {fewest}")
        return in_parts(self._distance(), made, pairs.target)

    def _distance(self) -> Callable[[Tensor, Tensor], Tensor]:
        with torch.device("meta"):
            network, heads = alexnet() if self.network == "alex" else vgg("vgg16"), Heads(WIDTHS[self.network])
        _read(network, self.backbone, "backbone")
        _read(heads, self.heads, "heads")
        features, layers = Frozen(network), LAYERS[self.network]

        def distance(x: Tensor, y: Tensor) -> Tensor:
            with torch.inference_mode():
                outputs = [features(images.float() / 127.5 - 1, layers) for images in (x, y)]
                apart: Tensor = heads.to(x.device)(*outputs)
            return apart

        return distance


def _read(network: nn.Module, path: str, option: str) -> None:
    """Read the weights, of which the backbone's file has those of its classes too."""
    key = f"{KEY}.{option}"
    file, _ = published_weights.find(path, "", key)
    published_weights.load(network, file, path, key, others=isinstance(network, Backbone))


class Heads(nn.Module):
    """The w of each layer, ``linL.model.1.weight`` (1, C, 1, 1), as the authors' files name them."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        for level, width in enumerate(widths):
            self.add_module(f"lin{level}", Head(width))

    def forward(self, of_made: list[Tensor], of_true: list[Tensor]) -> Tensor:
        """The distance of activations (N, C, H, W) of each layer: (N,)."""
        terms = [head(a, b) for head, a, b in zip(self.children(), of_made, of_true, strict=True)]
        return torch.stack(terms).sum(0)


class Head(nn.Module):
    """The w of one layer; the authors train them behind dropout, which has no weights."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.model = nn.Sequential(nn.Identity(), nn.Conv2d(width, 1, 1, bias=False))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        weighted: Tensor = self.model((_directions(a) - _directions(b)).square())
        return weighted.mean((1, 2, 3))


def _directions(x: Tensor) -> Tensor:
    """At each place, of length one."""
    return x / (EPSILON + x.square().sum(1, keepdim=True)).sqrt()
