"""FID's own features: Inception-v3 of 2015, by weights that the user brings."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar

import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.errors import GanflowError, require
from ganflow.evaluation.extractors.base import Splits
from ganflow.evaluation.extractors.inception_v3 import FEATURES, InceptionV3
from ganflow.evaluation.metrics.features import Features
from ganflow.methods.perception import published_weights
from ganflow.terminal.progress import Advanced, unheard

KEY = "evaluation.extractor.weights"
CHUNK = 32  # images at a time: what the widest layers of 299×299 pixels take is about 1 GB
PUBLIC = "6726825d"  # first digits of the public file's sha256, which its name ends with
MISSING = (
    "must be the path or s3:// URI of the Inception-v3 weights of 2015-12-05; they are release assets on GitHub, "
    f"toshas/torch-fidelity v0.2.0 (weights-inception-2015-12-05-{PUBLIC}.pth) and mseitzer/pytorch-fid fid_weights "
    f"(pt_inception-2015-12-05-{PUBLIC}.pth), and nothing is downloaded from there by itself"
)


@dataclass(frozen=True)
class InceptionFeatures:
    """The network as an extractor; its logits, without bias, are of ImageNet's classes, not of the data's."""

    network: InceptionV3
    name: str  # says which weights
    accuracy: float | None = None  # none: it does not know the data's classes
    width: int = FEATURES

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Features:
        """Features (N, 2048) and logits (N, 1008) of images (N, 1 or 3, H, W) with values 0 to 255.

        Computed in float32, without TF32, whatever the surrounding precision.

        Raises:
            GanflowError: images of another shape.
        """
        if images.ndim != 4 or images.shape[1] not in (1, 3) or not len(images):
            raise GanflowError(f"inception takes images (N, 1 or 3, H, W), not {tuple(images.shape)}")
        device = self.network.fc.weight.device
        exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
        with exact, torch.autocast(device.type, enabled=False):
            parts = [self.network(chunk.to(device)) for chunk in images.split(CHUNK)]
        features, logits = (torch.cat(part) for part in zip(*parts, strict=True))
        return Features(features, logits, own_classes=False)


@component("extractor", "inception")
class Inception:
    """The extractor of published FID and Inception Score.

    Args:
        weights: path or ``s3://`` URI of the weights; see :data:`MISSING` for where they come from.
        sha256: what the file's sha256 is, or begins with (8 digits or more); the public file is known by its name.
    """

    signals: ClassVar[tuple[str, ...]] = ("image",)

    def __init__(self, weights: str = "", sha256: str = "") -> None:
        fits = re.fullmatch("(?:[0-9a-f]{8,64})?", sha256.lower()) is not None
        require(fits, "sha256", sha256, "must be 8 to 64 hexadecimal digits")
        self.weights, self.sha256 = weights, sha256.lower()

    def build(
        self, splits: Splits, cache: Path, device: torch.device, listener: Callable[[Advanced], None] = unheard
    ) -> InceptionFeatures:
        """The extractor on ``device``; it is the same for all data, so ``splits`` are not looked at.

        Raises:
            GanflowError: no weights, no such file, or not the file that it should be.
        """
        require(bool(self.weights), KEY, '""', MISSING)
        path, digest = published_weights.fetch(self.weights, self._expected(), cache, KEY)
        with torch.device("meta"):
            network = InceptionV3()
        published_weights.load(network, path, self.weights, KEY)
        network.eval().requires_grad_(False).to(device)
        return InceptionFeatures(network, f"inception-{digest[:12]}")

    def _expected(self) -> str:
        is_public = PurePosixPath(self.weights).name.endswith(f"-{PUBLIC}.pth")
        return self.sha256 or (PUBLIC if is_public else "")
