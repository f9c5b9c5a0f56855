"""What an extractor says of a set of images: every metric consumes this, so images pass the extractor once."""

from dataclasses import dataclass

from torch import Tensor

from ganflow.errors import GanflowError


@dataclass(frozen=True)
class Features:
    """Features (N, F) and class logits (N, K) of N images; K is 0 when the extractor knows no classes."""

    embeddings: Tensor
    logits: Tensor

    def __len__(self) -> int:
        return len(self.embeddings)


def check_finite(name: str, features: Features) -> None:
    """Refuse to make a figure out of features that are not finite, or out of fewer than two images."""
    if len(features) < 2:
        raise GanflowError(f"{name} needs at least 2 images, got {len(features)}")
    if not features.embeddings.isfinite().all():
        raise GanflowError(f"{name}: features hold NaN or infinity; the generator has diverged")
