"""The features of a set of images: every metric consumes these, so images pass the extractor once."""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganflow.errors import GanflowError

ROUNDING = 16  # units in the last place: batches of another size add in another order
SEED = 0  # of the direction that rows are sorted along


class UnmeasurableError(GanflowError):
    """Features that a metric makes no figure of, with the reason; the other metrics go on."""


@dataclass(frozen=True)
class Features:
    """Features (N, F) and class logits (N, K) of N images; K is 0 when the extractor knows no classes.

    Of stacked images, whose C channels have a class each, logits are (N, C, K).
    """

    embeddings: Tensor
    logits: Tensor
    distances: Tensor | None = None  # of points (N,): from the mode that each belongs to, in σ
    labels: Tensor | None = None  # (N,): the class that a sample was asked to be, or that an image is of
    own_classes: bool = True  # the logits are of the data's own classes; Inception's are of ImageNet's

    def to(self, device: torch.device) -> "Features":
        """The same on a device."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        moved: dict[str, Any] = {name: v.to(device) for name, v in values.items() if isinstance(v, Tensor)}
        return replace(self, **moved)

    def __len__(self) -> int:
        return len(self.embeddings)

    @cached_property
    def distinct(self) -> Tensor:
        """Rows (M,), in order, of the images that repeat none before them."""
        return distinct(self.embeddings)

    @property
    def classes(self) -> int:
        """Number of the data's classes that are recognised; of stacked images the combinations, K^C."""
        if not self.own_classes:
            return 0
        each: int = self.logits.shape[-1]
        return each ** self.logits.shape[1] if self.logits.ndim == 3 else each

    @property
    def recognised(self) -> Tensor:
        """The most likely class (N,); of stacked images the channels' classes are its digits in base K."""
        best = self.logits.argmax(-1)
        if best.ndim == 1:
            return best
        weight = self.logits.shape[-1] ** torch.arange(best.shape[1] - 1, -1, -1, device=best.device)
        return (best * weight).sum(1)


def check_finite(name: str, fake: Features, *reference: Features) -> None:
    """Refuse to make a figure out of features that are not finite, or out of fewer than two images.

    Raises:
        UnmeasurableError: samples or reference images of that kind.
    """
    for features in (fake, *reference):
        if len(features) < 2:
            raise UnmeasurableError(f"{name} needs at least 2 images, got {len(features)}")
    if not fake.embeddings.isfinite().all():
        raise UnmeasurableError(f"{name}: features hold NaN or infinity; the generator has diverged")
    if not all(features.embeddings.isfinite().all() for features in reference):
        raise UnmeasurableError(f"{name}: features of the reference hold NaN or infinity; take another extractor")


def some_rows(n: int, most: int) -> Tensor:
    """At most ``most`` of n rows: all in their order, or else the first of a permutation that is always the same."""
    if n <= most:
        return torch.arange(n)
    return torch.from_numpy(np.random.default_rng(0).permutation(n)[:most])


def distinct(x: Tensor) -> Tensor:
    """Rows (M,), in order, of x (N, F) that repeat no row before them.

    Two rows are equal if they lie no farther apart than the rounding of their type, in units of the rows' usual norm.
    """
    rows = _unequal_bits(x)
    tolerance = ROUNDING * torch.finfo(x.dtype).eps * float(x.double().square().sum(1).mean().sqrt()) if len(x) else 0.0
    position = _along_a_line(x)
    shift = 1  # equal rows are neighbours in that order, or have only equal ones between them
    while len(rows) > shift:
        order = rows[position[rows].argsort()]
        first, second = order[:-shift], order[shift:]
        near = position[second] - position[first] <= tolerance
        if not near.any():
            break
        first, second = first[near], second[near]
        equal = (x[first].double() - x[second].double()).norm(dim=1) <= tolerance
        repeats = torch.maximum(first, second)[equal]
        rows, shift = (rows[~torch.isin(rows, repeats)], 1) if len(repeats) else (rows, shift + 1)
    return rows.sort().values


def _unequal_bits(x: Tensor) -> Tensor:
    """The first row of each kind, (M,): most repeats are found by this alone, however many there are."""
    first_rows: dict[bytes, int] = {}
    for i, row in enumerate((x + 0.0).cpu().numpy()):  # + 0.0 makes one of the two zeros
        first_rows.setdefault(row.tobytes(), i)
    return torch.tensor(list(first_rows.values()), dtype=torch.long, device=x.device)


def _along_a_line(x: Tensor) -> Tensor:
    """The position of each row along a direction of unit length: (N,). No two are farther apart there than they are."""
    direction = np.random.default_rng(SEED).normal(size=x.shape[1])
    return x.double() @ torch.from_numpy(direction / np.linalg.norm(direction)).to(x.device)
