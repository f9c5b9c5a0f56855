"""Restoration of images of a data set: what is given of them, what a model makes of that, and a picture of both.

Shapes: images uint8 (N, C, H, W), as they are stored; given float32 (N, C', H', W'), as networks take it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ganflow.data.prepared.dataset import Dataset
from ganflow.distributed.rng import RandomStream
from ganflow.methods.generator import Generator, GeneratorSpec
from ganflow.signals.base import Shape
from ganflow.signals.image_grid import GAP, Images, png, tiles

SEED = 0  # of what is given of a split: every model is given the same
SHOWN = 12  # images beside each other
ORDER = "given, by a simple method, restored, true"  # of the rows of a picture


@dataclass(frozen=True)
class Restored:
    """Images of a data set with what was given of them and what was made of that."""

    given: Tensor
    restored: Tensor
    simple: Tensor
    target: Tensor
    hidden: Tensor | None  # bool (N, 1, H, W)


def restore(generator: Generator, data: Dataset, first: int, count: int) -> Restored:
    """Restore images ``first … first + count - 1`` of a split, from what is always given of these."""
    spec, device = generator.spec, generator.device
    signal, chain = spec.signal, spec.degradations
    rows = np.arange(first, first + count)
    target = torch.from_numpy(data.images(rows)).to(device)
    if data.facts.given is None:
        given = chain(signal.ready(target), RandomStream(SEED, "given", first, count, device))
    else:
        given = signal.ready(torch.from_numpy(data.given(rows)).to(device))
    labels = torch.from_numpy(data.labels[rows]) if spec.num_classes else None
    made = signal.stored(generator.restored(given, labels, SEED, first))
    simple = signal.stored(as_image(chain.simple(given), spec.shape))
    hidden = chain.hidden(given)
    return Restored(given, made, simple, target, None if hidden is None else hidden > 0.5)


def as_image(given: Tensor, shape: Shape) -> Tensor:
    """An image of another size or other colours as one of this shape: bicubic, and grey or each channel alike."""
    if given.shape[2:] != shape[1:]:
        given = interpolate(given, shape[1:], mode="bicubic", antialias=True)
    if given.shape[1] == shape[0]:
        return given
    return given.mean(1, keepdim=True).expand(-1, shape[0], -1, -1)


def picture(restored: Restored, spec: GeneratorSpec) -> bytes:
    """Rows of images, one below the other, as the bytes of a PNG: the :data:`ORDER` says which."""
    rows = [seen(restored.given, spec.shape, spec.degradations.masks)]
    rows += [spec.signal.rows(images) for images in (restored.simple, restored.restored, restored.target)]
    bands: list[Images] = [tiles(row, len(row)) for row in rows]
    return png(np.concatenate([bands[0], *(band[GAP:] for band in bands[1:])]))


def seen(given: Tensor, shape: Shape, masked: bool) -> Images:
    """Pixels (N, H, W, C) that show a person what is given, beside the image."""
    image = given[:, :-1] if masked else given
    if image.shape[1] < shape[0]:
        image = image.expand(-1, shape[0], -1, -1)
    if image.shape[2:] != shape[1:]:
        image = interpolate(image, shape[1:], mode="nearest")
    pixels: Images = ((image * 127.5) + 128).clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().contiguous().numpy()
    return pixels


def preview(data: Dataset) -> Callable[[Generator], bytes]:
    """A function that shows a generator's way with the first images of a split."""

    def shown(generator: Generator) -> bytes:
        return picture(restore(generator, data, 0, min(SHOWN, len(data))), generator.spec)

    return shown
