"""Anomaly detection by reconstruction: what a model cannot make again was not among the normal images.

Shapes: images float32 (N, C, H, W) in [-1, 1].
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import conv2d, pad

from ganflow.data.prepared.dataset import Dataset
from ganflow.methods.generator import Generator
from ganflow.methods.networks.restoration.autoencoder import AutoencoderGenerator
from ganflow.signals.image_grid import Images

REACH = 3  # of a Gaussian, in deviations
DARKEST = 1e-3  # energy that an image has at least, so that a black one has a finite score
BRIGHT = 1.0  # a difference: half of that of black and white


class Scored(NamedTuple):
    """Images with what was found in them.

    Attributes:
        scores: float64 (N,); the higher, the more anomalous.
        maps: float32 (N, H, W), the same of every pixel: the difference of image and reconstruction.
        again: the reconstructions, as they are stored.
    """

    scores: Tensor
    maps: Tensor
    again: Tensor


def score(generator: Generator, images: Tensor) -> Scored:
    """Score images, by ``detection`` of the model's header.

    A map is ``|x − x̂|``, smoothed before its absolute value, the mean over colours: noise goes, a stroke too many
    stays. The score is the mean of its squares or their maximum. ``relative`` has it as a share of the image's own
    energy, black being 0: bright images have more to lose. With ``latent`` a share of it is the mean squared difference
    of the codes of x and of x̂ (Akcay et al., 2018, eq. 6).
    """
    options = generator.spec.detection
    images = images.to(generator.device)
    again = generator.restored(generator.spec.whole(images))
    maps, scores = compared(images, again, options)
    share = float(options["latent"])
    if share:
        scores = (1 - share) * scores + share * _between_codes(generator, images, again)
    return Scored(scores.cpu(), maps.cpu(), generator.spec.signal.stored(again).cpu())


def compared(images: Tensor, again: Tensor, options: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """Maps (N, H, W), and the scores (N,) that they alone give, of images and any reconstructions of them."""
    maps = smoothed(images - again, float(options["smooth"])).abs().mean(1)
    squares = maps.double().square().flatten(1)
    scores = squares.mean(1) if options["pool"] == "mean" else squares.amax(1)
    if options["relative"]:
        scores = scores / ((images.double() + 1) / 2).square().flatten(1).mean(1).clamp_min(DARKEST)
    return maps, scores


@torch.inference_mode()
def _between_codes(generator: Generator, images: Tensor, again: Tensor) -> Tensor:
    network = generator.network
    assert isinstance(network, AutoencoderGenerator), "only these have codes, which was checked before training"
    whole = generator.spec.whole
    return (network.codes(whole(images)) - network.codes_again(whole(again))).double().square().mean(1)


def smoothed(maps: Tensor, sigma: float) -> Tensor:
    """Maps (N, C, H, W) under a Gaussian of this deviation in pixels; their own reflection lies around them."""
    if not sigma:
        return maps
    reach = min(round(REACH * sigma), *(side - 1 for side in maps.shape[2:]))
    bell = torch.exp(-(torch.arange(-reach, reach + 1, device=maps.device) ** 2) / (2 * sigma**2))
    bell = (bell / bell.sum())[None, None, None]
    padded = pad(maps.flatten(0, 1)[:, None], (reach,) * 4, mode="reflect")
    return conv2d(conv2d(padded, bell), bell.transpose(2, 3)).view(maps.shape)


def score_split(generator: Generator, data: Dataset, rows: NDArray[np.int64]) -> Scored:
    """These rows of a split, scored in batches."""
    parts = []
    for first in range(0, max(len(rows), 1), generator.batch):
        images = torch.from_numpy(data.images(rows[first : first + generator.batch]))
        parts.append(score(generator, generator.spec.signal.ready(images)))
    return Scored(*map(torch.cat, zip(*parts, strict=True)))


def score_pictures(generator: Generator, pixels: Images) -> Scored:
    """Score a user's own picture, uint8 (H, W, C) of the model's size, in the light of its images."""
    stored = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    return score(generator, generator.spec.signal.ready(generator.spec.as_trained(stored)))


def as_picture(maps: Tensor) -> Images:
    """Maps as grey images, uint8 (N, H, W, 1); white is a difference of :data:`BRIGHT` or more."""
    pixels: Images = ((maps / BRIGHT).clamp(0, 1) * 255).byte().cpu().numpy()[..., None]
    return pixels


def threshold(held_out: Tensor, quantile: float) -> float:
    """The score above which an image raises an alarm: the quantile of normal images that were held out."""
    return float(held_out.quantile(quantile))
