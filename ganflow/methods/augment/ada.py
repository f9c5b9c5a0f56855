"""Adaptive discriminator augmentation (Karras et al., 2020, "Training GANs with limited data")."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.distributed import collectives
from ganflow.distributed.rng import First, Floats, RandomStream, normal, uniform
from ganflow.errors import require
from ganflow.methods.augment.affine import blit, deform, warp
from ganflow.methods.augment.base import Augmentation, in_float32
from ganflow.methods.augment.colour import recolour, recolouring
from ganflow.methods.augment.diffaugment import cutout
from ganflow.methods.augment.homogeneous import Matrices, chosen, padded, product
from ganflow.methods.augment.octaves import POWER, equalise
from ganflow.methods.augment.resample import resample

REACH = 0.125  # of translations: the largest whole one, and the deviation of the other, as shares of a side
# Deviations; of factors in powers of two.
SCALE, STRETCH, BRIGHTNESS, CONTRAST, SATURATION, OCTAVE, NOISE = 0.2, 0.2, 0.2, 0.5, 1.0, 1.0, 0.1
TRANSFORMS = 8  # of places, the most that there are; colours have fewer
BELOW_ONE = 1 - 2.0**-24
Size = tuple[int, int]  # width and height of images
Draw = Callable[[Callable[..., Floats], str, int], Floats]  # by uniform or normal, a name and how many: (N, so many)
CATEGORIES = {"b": "blitting", "g": "geometry", "c": "colour", "f": "filter", "n": "noise", "o": "cutout"}


@component("augmentation", "ada")
class ADA(Augmentation):
    """Appendix B's transforms, each with probability p, and section 3.1's control of p by how sure D is of real images.

    Every ``interval``-th turn of D: ``p += sign(E[sign D(x)] − target) · batch · interval / (1000·kimg)``, within
    [0, 1], where E is over the turns since the last time. With ``target=0``, p stays what it is at the start.

    ``pipeline`` names the categories by letter, and they follow one another in this order: ``b`` mirrors, turns by 90°
    and moves by whole pixels, ``g`` scales, turns and moves by parts of pixels, ``c`` changes colours (hue and
    saturation of three channels only), each with probability ``colour``·p, ``f`` makes octaves of the spectrum louder
    or quieter, ``n`` adds noise, ``o`` cuts a square of half the side out. ``b`` and ``g`` together are one resampling
    through wavelet filters, mirrored at the edges; ``b`` alone moves pixels and changes none.
    """

    def __init__(
        self,
        target: float = 0.6,
        kimg: float = 500.0,
        p: float = 0.0,
        interval: int = 4,
        pipeline: str = "bgc",
        colour: float = 1.0,
    ) -> None:
        super().__init__()
        require(0 <= target < 1, "target", target, "0 (p is fixed) to less than 1")
        require(kimg > 0, "kimg", kimg, "must be more than 0")
        require(0 <= p <= 1, "p", p, "from 0 to 1")
        require(interval > 0, "interval", interval, "must be at least 1")
        sound = 0 < len(pipeline) == len(set(pipeline) & set(CATEGORIES))
        letters = f"letters of {''.join(CATEGORIES)}: {', '.join(CATEGORIES.values())}"
        require(sound, "pipeline", pipeline, letters)
        require(0 <= colour <= 1, "colour", colour, "from 0 to 1")
        self.target, self.kimg, self.interval, self.pipeline, self.colour = target, kimg, interval, pipeline, colour
        self.follows_logits = target > 0
        self.p: Tensor
        self.register_buffer("p", torch.tensor(p))
        self.sign: Tensor  # E[sign D(x)] at the last control
        self.register_buffer("sign", torch.tensor(0.0))
        self.signs: Tensor  # since then: the sum over turns, of which the mean over ranks is to be taken
        self.register_buffer("signs", torch.tensor(0.0))
        self._control_after = 0  # images of the last interval, in the turn that ends it

    @in_float32
    def forward(self, images: Tensor, draw: RandomStream) -> Tensor:
        images = self._moved_and_recoloured(images, draw)
        if "f" in self.pipeline:
            images = _equalise(images, self.p, draw)
        if "n" in self.pipeline:
            images = _add_noise(images, self.p, draw)
        return _cut_out(images, self.p, draw) if "o" in self.pipeline else images

    def _moved_and_recoloured(self, images: Tensor, draw: RandomStream) -> Tensor:
        if not set("bgc") & set(self.pipeline):
            return images
        channels, height, width = images.shape[1:]
        of = {"pipeline": self.pipeline, "colour": self.colour, "channels": channels, "size": (width, height)}
        drawn = draw.made(_transforms, **of).to(images.dtype)
        size = math.isqrt(drawn.shape[-1])
        places_and_colours = product(chosen(drawn[..., 1:].unflatten(-1, (size, size)), drawn[..., 0] < self.p))
        if set("bg") & set(self.pipeline):
            see = resample if "g" in self.pipeline else warp
            images = see(images, places_and_colours[:, 0, :3, :3])
        return recolour(images, places_and_colours[:, -1]) if "c" in self.pipeline else images

    @torch.no_grad()
    def observe(self, real_logits: Tensor, batch: int, turn: int) -> None:
        # A logit that is no number counts as unsure: p must outlive the step that the trainer drops.
        share = collectives.world_size() / batch
        self.signs += real_logits.sign().nan_to_num().sum() * share
        self._control_after = batch * self.interval if (turn + 1) % self.interval == 0 else 0

    @torch.no_grad()
    def finish_turn(self) -> None:
        images, self._control_after = self._control_after, 0
        if not images:
            return
        collectives.mean_([self.signs])
        self.sign.copy_(self.signs / self.interval)
        self.signs.zero_()
        if self.target > 0:
            step = images / (1000 * self.kimg)
            self.p.add_((self.sign - self.target).sign() * step).clamp_(0, 1)

    def figures(self) -> dict[str, Tensor]:
        return {"p": self.p, "sign": self.sign}


def _transforms(
    first: First, seed: int, stream: str, count: int, pipeline: str, colour: float, channels: int, size: Size
) -> Floats:
    """All that may be done to places, and all that may be done to colours: (count, 1 or 2, TRANSFORMS, 1 + size²).

    Of every transform, the probability p above which it is done, and its homogeneous matrix.
    """

    def draw(numbers: Callable[..., Floats], name: str, size: int) -> Floats:
        return numbers(seed, f"{stream}/{name}", first, count, size)

    moved = [_blits(draw, size)] if "b" in pipeline else []
    moved += [_deformations(draw, size)] if "g" in pipeline else []
    recoloured = [_colours(draw, colour, channels)] if "c" in pipeline else []
    order = max(3, channels + 1)
    return np.stack([_packed(chain, order) for chain in (moved, recoloured) if chain], axis=1)


Transforms = tuple[Floats, Matrices]  # the p above which each is done (N, K), and their matrices (N, K, D, D)


def _packed(chain: list[Transforms], size: int) -> Floats:
    """(N, TRANSFORMS, 1 + size²); those after the last one are never done."""
    above, matrices = (np.concatenate(parts, axis=1) for parts in zip(*chain, strict=True))
    count, transforms = above.shape
    packed = np.full((count, TRANSFORMS, 1 + size**2), 2, np.float32)
    packed[:, :transforms, 0] = above
    packed[:, :, 1:] = padded(matrices, TRANSFORMS, size).reshape(count, TRANSFORMS, -1)
    return packed


def _blits(draw: Draw, size: Size) -> Transforms:
    u = draw(uniform, "blit", 7)
    pixels = ((2 * u[:, 5:] - 1) * (REACH * np.array(size)).astype(np.float32)).round()
    return u[:, :3], blit((2 * u[:, 3]).astype(int), (4 * u[:, 4]).astype(int), pixels)


def _deformations(draw: Draw, size: Size) -> Transforms:
    u, n = draw(uniform, "geometry", 7), draw(normal, "geometry sizes", 4)
    scale, stretch, shift = u[:, :3].T
    # Either of the two turns with p: u < 1 - √(1 - p). So one that is done at p = 1 stays below it.
    before, after = np.minimum(1 - (1 - u[:, 3:5].astype(np.float64)) ** 2, BELOW_ONE).astype(np.float32).T
    angle = math.pi * (2 * u[:, 5:] - 1)
    moved = n[:, 2:] * REACH * np.array(size, np.float32)
    matrices = deform(np.exp2(n[:, 0] * SCALE), angle[:, 0], np.exp2(n[:, 1] * STRETCH), angle[:, 1], moved)
    return np.stack([before, stretch, after, scale, shift], axis=1), matrices


def _colours(draw: Draw, share: float, channels: int) -> Transforms:
    u, n = draw(uniform, "colour", 7), draw(normal, "colour sizes", 3)
    matrices = recolouring(
        n[:, 0] * BRIGHTNESS,
        np.exp2(n[:, 1] * CONTRAST),
        (2 * u[:, 5]).astype(int),
        math.pi * (2 * u[:, 6] - 1),
        np.exp2(n[:, 2] * SATURATION),
        channels,
    )
    brightness, contrast, flip, hue, saturation = (u[:, :5] / share if share else np.full_like(u[:, :5], 2)).T
    of_all = [saturation, hue, flip, contrast, brightness]
    return np.stack(of_all[-matrices.shape[1] :], axis=1), matrices


def _equalise(images: Tensor, p: Tensor, draw: RandomStream) -> Tensor:
    on = draw.uniform("filter", len(POWER)).to(images.dtype) < p
    return equalise(images, (draw.normal("filter sizes", len(POWER)).to(images.dtype) * OCTAVE * on).exp2())


def _add_noise(images: Tensor, p: Tensor, draw: RandomStream) -> Tensor:
    on = draw.uniform("noise", 1).to(images.dtype) < p
    deviation = draw.normal("noise sizes", 1).to(images.dtype).abs() * NOISE * on
    return images + deviation[..., None, None] * draw.normal("noise pixels", *images.shape[1:]).to(images.dtype)


def _cut_out(images: Tensor, p: Tensor, draw: RandomStream) -> Tensor:
    u = draw.uniform("cutout", 3).to(images.dtype)
    return cutout(images, u[:, 1:], u[:, 0] < p)
