"""The perceptual loss: images alike to a network that recognises photographs (Johnson et al., 2016; SRGAN, ESRGAN)."""

import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.methods.content_losses.base import ContentLoss
from ganflow.methods.perception import published_weights
from ganflow.methods.perception.backbones import BLOCKS, Frozen, index_of, vgg
from ganflow.methods.regularizers.base import GeneratorTurn
from ganflow.signals.base import Shape
from ganflow.storage import is_remote

DISTANCES = {"l1": l1_loss, "squared_error": mse_loss}
MISSING = (
    "must be the path or s3:// URI of VGG's weights on ImageNet by torchvision's names, such as its "
    "vgg19-dcbb9e9d.pth; nothing is downloaded by itself. Without any, D's features do: gan/content=[feature_matching]"
)


@component("content_loss", "perceptual")
class Perceptual(ContentLoss):
    """``λ · d(φ(x), φ(G))`` of features φ of VGG; of several ``layers`` the mean.

    ESRGAN (Wang et al., 2018, section 3.3) has the absolute difference of conv5_4 of VGG19 before its activation, and
    λ = 1 beside 0.005 of the adversarial term; SRGAN (Ledig et al., 2017, eq. 5) the squared one after it.

    Args:
        weight: λ.
        weights: path or ``s3://`` URI of a state dict by torchvision's names.
        sha256: what the file's sha256 is, or begins with (8 digits or more): part of the run's name.
        network: ``vgg16`` or ``vgg19``.
        layers: convolutions, ``convBLOCK_NUMBER``.
        before_activation: compare what enters the activations after them, which are sparse.
        distance: ``l1`` or ``squared_error``.
    """

    def __init__(
        self,
        weight: float = 1.0,
        weights: str = "",
        sha256: str = "",
        network: str = "vgg19",
        layers: list[str] = ["conv5_4"],  # noqa: B006 - read only, a configuration default
        before_activation: bool = True,
        distance: str = "l1",
    ) -> None:
        super().__init__(weight)
        require(network in BLOCKS, "network", network, f"one of {', '.join(BLOCKS)}")
        require(distance in DISTANCES, "distance", distance, f"one of {', '.join(DISTANCES)}")
        require(len(layers) > 0, "layers", layers, "at least one, as in [conv5_4]")
        fits = re.fullmatch("(?:[0-9a-f]{8,64})?", sha256.lower()) is not None
        require(fits, "sha256", sha256, "must be 8 to 64 hexadecimal digits")
        self.weights, self.sha256, self.name = weights, sha256.lower(), network
        self.indices = sorted({index_of(network, layer, before_activation) for layer in layers})
        self.layers, self.smallest = (
            layers,
            2 ** max(int(layer.removeprefix("conv")[0]) - 1 for layer in layers),
        )  # each block halves
        self.distance = DISTANCES[distance]
        self.features: Frozen | None = None

    def check(self, shape: Shape) -> None:
        """Refuse to begin without weights, with images of other channels, or smaller than one place of a layer."""
        channels, *sides = shape
        require(channels in (1, 3), "name", "perceptual", f"compares grey and colour images, not {channels} channels")
        fits = min(sides) >= self.smallest
        allowed = f"these need images of {self.smallest} pixels or more; name layers of an earlier block"
        require(fits, "layers", self.layers, allowed)
        require(bool(self.weights), "weights", '""', MISSING)
        if not is_remote(self.weights):
            published_weights.find(self.weights, self.sha256, "weights")

    def prepare(self, cache: Path) -> None:
        """Read the weights."""
        require(bool(self.weights), "weights", '""', MISSING)
        path, _ = published_weights.fetch(self.weights, self.sha256, cache, "weights")
        with torch.device("meta"):
            network = vgg(self.name)
        published_weights.load(network, path, self.weights, "weights", others=True)
        del network.features[self.indices[-1] + 1 :]
        self.features = Frozen(network)

    def forward(self, turn: GeneratorTurn) -> Tensor:
        with torch.no_grad():
            real = self._seen(turn.real)
        fake = self._seen(turn.fake)
        return torch.stack([self.distance(a, b) for a, b in zip(fake, real, strict=True)]).mean()

    def _seen(self, images: Tensor) -> Sequence[Tensor]:
        assert self.features is not None
        return self.features(images, self.indices)
