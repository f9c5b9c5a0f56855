"""Adaptive discriminator augmentation (Karras et al., 2020, "Training GANs with limited data")."""

import math

import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.distributed import collectives
from ganflow.distributed.rng import RandomStream
from ganflow.errors import require
from ganflow.methods.augment.affine import Affine, blit, deform, warp
from ganflow.methods.augment.base import Augmentation, in_float32
from ganflow.methods.augment.colour import recolour
from ganflow.methods.augment.diffaugment import cutout
from ganflow.methods.augment.octaves import POWER, equalise
from ganflow.methods.augment.resample import resample

REACH = 0.125  # of translations: the largest whole one, and the deviation of the other, as shares of the side
# Deviations; of factors in powers of two.
SCALE, STRETCH, BRIGHTNESS, CONTRAST, SATURATION, OCTAVE, NOISE = 0.2, 0.2, 0.2, 0.5, 1.0, 1.0, 0.1
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
        images = _move(images, self.p, draw, self.pipeline)
        if "c" in self.pipeline:
            images = _recolour(images, self.colour * self.p, draw)
        if "f" in self.pipeline:
            images = _equalise(images, self.p, draw)
        if "n" in self.pipeline:
            images = _add_noise(images, self.p, draw)
        return _cut_out(images, self.p, draw) if "o" in self.pipeline else images

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


# Every parameter is drawn such that 0 leaves the image as it is, and multiplied by whether it is its turn.


def _move(images: Tensor, p: Tensor, draw: RandomStream, pipeline: str) -> Tensor:
    if "g" not in pipeline:
        return warp(images, _blit(images, p, draw)) if "b" in pipeline else images
    deformed = _deform(images, p, draw)
    return resample(images, _blit(images, p, draw).after(deformed) if "b" in pipeline else deformed)


def _blit(images: Tensor, p: Tensor, draw: RandomStream) -> Affine:
    u = draw.uniform("blit", 7).to(images.dtype)
    flip, quarters, shift = (u[:, :3] < p).T
    side = images.shape[-1]
    pixels = ((2 * u[:, 5:] - 1) * REACH * side).round()
    return blit((2 * u[:, 3]).floor() * flip, (4 * u[:, 4]).floor() * quarters, pixels * shift[:, None])


def _deform(images: Tensor, p: Tensor, draw: RandomStream) -> Affine:
    u, n = (numbers.to(images.dtype) for numbers in (draw.uniform("geometry", 7), draw.normal("geometry sizes", 4)))
    scale, stretch, shift = (u[:, :3] < p).T
    before, after = (u[:, 3:5] < 1 - (1 - p).sqrt()).T  # either of them: with p
    angle = math.pi * (2 * u[:, 5:] - 1)
    pixels = n[:, 2:] * REACH * images.shape[-1]
    return deform(
        (n[:, 0] * SCALE * scale).exp2(),
        angle[:, 0] * before,
        (n[:, 1] * STRETCH * stretch).exp2(),
        angle[:, 1] * after,
        pixels * shift[:, None],
    )


def _recolour(images: Tensor, p: Tensor, draw: RandomStream) -> Tensor:
    u, n = (numbers.to(images.dtype) for numbers in (draw.uniform("colour", 7), draw.normal("colour sizes", 3)))
    brightness, contrast, flip, hue, saturation = (u[:, :5] < p).T
    return recolour(
        images,
        n[:, 0] * BRIGHTNESS * brightness,
        (n[:, 1] * CONTRAST * contrast).exp2(),
        (2 * u[:, 5]).floor() * flip,
        math.pi * (2 * u[:, 6] - 1) * hue,
        (n[:, 2] * SATURATION * saturation).exp2(),
    )


def _equalise(images: Tensor, p: Tensor, draw: RandomStream) -> Tensor:
    on = draw.uniform("filter", len(POWER)).to(images.dtype) < p
    return equalise(images, (draw.normal("filter sizes", len(POWER)).to(images.dtype) * OCTAVE * on).exp2())


def _add_noise(images: Tensor, p: Tensor, draw: RandomStream) -> Tensor:
    on = draw.uniform("noise", 1).to(images.dtype) < p
    deviation = draw.normal("noise sizes", 1).to(images.dtype).abs() * NOISE * on
    return images + deviation[..., None, None] * draw.normal("noise pixels", *images.shape[1:]).to(images.dtype)


def _cut_out(images: Tensor, p: Tensor, draw: RandomStream) -> Tensor:
    u = draw.uniform("cutout", 3).to(images.dtype)
    return torch.where((u[:, 0] < p).view(-1, 1, 1, 1), cutout(images, u[:, 1:]), images)
