"""The discriminator as it is called in a turn: behind the augmentation and the regularisers that perturb images.

Shapes: images (N, C, H, W) in [-1, 1]; labels (N,) or None; logits (N,), or (N, K) of a D that judges K parts of an
image.
"""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from ganflow.methods.augment.base import Augmentation
from ganflow.methods.augment.none import NoAugmentation
from ganflow.methods.base import Batch, Network, to_float32
from ganflow.methods.regularizers.base import Regularizer


class Judgement(NamedTuple):
    """D of images: logits (N,) or (N, K), and the auxiliary classifier's logits (N, classes) where it has one."""

    logits: Tensor
    classes: Tensor | None

    @classmethod
    def of(cls, out: Tensor) -> "Judgement":
        """By the shape of a network's output: (N,), (N, 1 + classes), or a map of such, (N, 1 + classes, …)."""
        if out.ndim == 1:
            return cls(out, None)
        if out.ndim == 2:
            return cls(out[:, 0], out[:, 1:])
        classes = out[:, 1:].flatten(2).mean(2)
        return cls(out[:, 0].flatten(1), classes if classes.shape[1] else None)

    @property
    def by_image(self) -> Tensor:
        """One logit of every image, the mean over its parts: (N,)."""
        return self.logits if self.logits.ndim == 1 else self.logits.mean(1)


class DiscriminatorOutputs(NamedTuple):
    """Rows of a turn of D from ``place`` in the whole batch on; ``size`` counts all."""

    real: Tensor
    fake: Tensor
    real_logits: Tensor
    fake_logits: Tensor
    place: int
    size: int

    def first(self, rows: int) -> list[Tensor]:
        """Those among the first rows of the whole batch."""
        return [t[: max(0, rows - self.place)] for t in self[:4]]


class AugmentedDiscriminator:
    """D in one turn: every image passes the augmentation and the perturbing regularisers first, each by new draws."""

    def __init__(
        self,
        D: Network,
        augmentation: Augmentation,
        perturbing: Sequence[Regularizer],
        batch: Batch,
        sees_given: bool = False,
    ) -> None:
        self.D, self.augmentation, self.perturbing, self.batch = D, augmentation, perturbing, batch
        self.others = (batch.given,) if sees_given else ()
        self.perturbs = bool(perturbing) or not isinstance(augmentation, NoAugmentation)
        self.calls = 0

    def __call__(self, images: Tensor, labels: Tensor | None) -> Judgement:
        perturbed = self._perturbed(images) if self.perturbs else images
        return Judgement.of(to_float32(self.D(perturbed, labels, *self.others)))

    def _perturbed(self, images: Tensor) -> Tensor:
        self.calls += 1
        draw = self.batch.draw.substream(f"judge-{self.calls}")
        augmented: Tensor = self.augmentation(images, draw)
        for regularizer in self.perturbing:
            augmented = regularizer.perturb(augmented, draw, self.batch.nimg)
        return augmented

    def logits(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """The verdict's adversarial part."""
        return self(images, labels).logits
