"""A model that restores images of people's own: any size that its network takes, in tiles where they are large.

Shapes: pixels uint8 (H, W, C), hidden bool (H, W).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import pad

from ganflow.distributed.rng import RandomStream
from ganflow.errors import require
from ganflow.generation.restoration import SEED
from ganflow.generation.tiles import tiled
from ganflow.methods.generator import GENERATES, Generator
from ganflow.signals.image_grid import Images

TILE, MARGIN = 512, 32  # pixels of what is given; as deep as 16 residual blocks look


@dataclass(frozen=True)
class Restorer:
    """Restores one image after the other.

    Args:
        model: what restores.
        tile: the side of what is made at once, in pixels of what is given.

    Raises:
        ConfigError: a model that makes images of noise alone, or a tile that its network cannot take.
    """

    model: Generator
    tile: int = TILE

    def __post_init__(self) -> None:
        require(self.model.spec.restores, "model", self.model.spec.network["name"], GENERATES)
        light = "knows images of one brightness and contrast alone: `ganflow detect` brings yours to it"
        require(not self.model.spec.light, "model", self.model.spec.light, light)
        multiple = self.model.multiple
        fits = self.tile > 0 and self.tile % multiple == 0 and MARGIN % multiple == 0
        require(fits, "tile", self.tile, f"must be a multiple of {multiple}" if multiple > 1 else "must be at least 1")

    @property
    def channels(self) -> int:
        """Channels of the images that it takes: 1 grey, 3 RGB."""
        spec = self.model.spec
        assert spec.given_shape is not None
        return spec.given_shape[0] - self.fills

    @property
    def fills(self) -> bool:
        """True where it has to know which pixels are hidden."""
        return self.model.spec.degradations.masks

    @property
    def factor(self) -> int:
        """The sides of what it makes over those of what it is given."""
        spec = self.model.spec
        assert spec.given_shape is not None
        return spec.shape[1] // spec.given_shape[1]

    def check_size(self, name: str, width: int, height: int) -> None:
        """Refuse an image of a size that the network cannot take.

        Raises:
            ConfigError: with the image's name.
        """
        assert self.model.spec.given_shape is not None
        *_, rows, columns = self.model.spec.given_shape
        allowed = f"this model takes images of {columns}x{rows} alone"
        require(self.model.any_size or (height, width) == (rows, columns), name, f"{width}x{height}", allowed)

    def check_whole(self, name: str, width: int, height: int) -> None:
        """The same of an image that is to be degraded first.

        Raises:
            ConfigError: with the image's name.
        """
        _, rows, columns = self.model.spec.shape
        allowed = f"this model's images are of {columns}x{rows} alone"
        require(self.model.any_size or (height, width) == (rows, columns), name, f"{width}x{height}", allowed)

    def degraded(self, pixels: Images, index: int) -> Tensor:
        """The image as the index-th of a data set, degraded as the model is given it: (1, C', H', W')."""
        spec, device = self.model.spec, self.model.device
        image = spec.signal.ready(torch.from_numpy(pixels).permute(2, 0, 1)[None].to(device))
        return spec.degradations(image, RandomStream(SEED, "given", index, 1, device))

    def given(self, pixels: Images, hidden: npt.NDArray[np.bool_] | None) -> Tensor:
        """An image as the network takes it: (1, C', H, W)."""
        if self.fills:
            mask = np.zeros(pixels.shape[:2], np.bool_) if hidden is None else hidden
            pixels = np.concatenate([pixels, mask[..., None] * np.uint8(255)], 2)
        return self.model.spec.given_of(torch.from_numpy(pixels).permute(2, 0, 1)[None])

    def restored(self, given: Tensor, seed: int = 0) -> Images:
        """The image made of what is given: uint8 (factor·H, factor·W, C)."""
        height, width = given.shape[2:]
        multiple = self.model.multiple
        down, right = -height % multiple, -width % multiple
        whole = pad(given, (0, right, 0, down), mode="replicate") if down or right else given
        made = tiled(lambda part: self.model.restored(part, None, seed), whole, self.factor, self.tile, MARGIN)
        image = made[:, :, : height * self.factor, : width * self.factor]
        rows: Images = self.model.stored(image)[0]
        return rows
