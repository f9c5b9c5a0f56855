"""A request with a picture of the client's own: restored, or looked at for anomalies."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from ganflow.data.decoding.decode import Frame
from ganflow.data.decoding.formats import UnreadableImageError
from ganflow.errors import ConfigError, require
from ganflow.generation.detection import as_picture, score_pictures
from ganflow.generation.own_pictures import AS_IT_IS, OwnPicture, read_picture
from ganflow.generation.restorer import Restorer
from ganflow.methods.generator import Generator
from ganflow.serving.request import SEEDS
from ganflow.signals.image_grid import Images, png

MAP, SCORE = "png", "json"  # of an answer


class AskedPicture(Protocol):
    """One request, checked against the model."""

    @property
    def format(self) -> str:
        """The form of the answer."""

    n: ClassVar[int]  # of a batch

    def answer(self, generator: Generator) -> bytes:
        """The answer, encoded."""


@dataclass(frozen=True)
class AskedRestoration:
    """A picture to restore; what is transparent in it is hidden."""

    pixels: Images  # (H, W, C)
    hidden: npt.NDArray[np.bool_] | None
    seed: int = 0
    format: str = "png"
    n: ClassVar[int] = 1

    def answer(self, generator: Generator) -> bytes:
        """The picture, restored, as a PNG."""
        restorer = Restorer(generator)
        return png(restorer.restored(restorer.given(self.pixels, self.hidden), self.seed))


@dataclass(frozen=True)
class AskedDetection:
    """A picture to look at, of the model's size."""

    pixels: Images  # (H, W, C)
    format: str = SCORE
    n: ClassVar[int] = 1

    def answer(self, generator: Generator) -> bytes:
        """Score, threshold and whether that is an alarm, as JSON; or the map, white where it is anomalous, as a PNG."""
        scored = score_pictures(generator, self.pixels)
        if self.format == MAP:
            return png(as_picture(scored.maps)[0])
        value, limit = float(scored.scores[0]), generator.spec.detection.get("threshold")
        alarm = None if limit is None else value > limit
        return json.dumps({"score": value, "threshold": limit, "alarm": alarm}).encode()


def parse_restoration(body: bytes, options: Mapping[str, object], generator: Generator, most: int) -> AskedRestoration:
    """Hold a picture against a model that restores.

    Args:
        body: an image file.
        options: ``seed``.
        generator: what will restore it.
        most: pixels that it may have.

    Raises:
        ConfigError: not a picture, too large, of a size that the model cannot take, or an option that is not known.
    """
    _check_options(options, "seed")
    seed = options.get("seed", 0)
    fits = isinstance(seed, int) and not isinstance(seed, bool) and abs(seed) < SEEDS
    require(fits, "seed", seed, f"must be a whole number from {-SEEDS + 1} to {SEEDS - 1}")
    assert isinstance(seed, int)
    restorer = Restorer(generator)
    picture = _read(body, restorer.channels, most)
    height, width, _ = picture.pixels.shape
    restorer.check_size("body", width, height)
    return AskedRestoration(picture.pixels, picture.transparent, seed)


def parse_detection(body: bytes, options: Mapping[str, object], generator: Generator, most: int) -> AskedDetection:
    """Hold a picture against a model that detects; it is resized to the model's images.

    Raises:
        ConfigError: as :func:`parse_restoration`.
    """
    _check_options(options, "format")
    form = options.get("format", SCORE)
    require(form in (SCORE, MAP), "format", form, f"{SCORE} (score and alarm) or {MAP} (the map)")
    require(generator.spec.detects, "detect", "this model", "was not trained to detect anomalies")
    channels, height, width = generator.spec.shape
    picture = _read(body, channels, most, Frame(resize=f"{width}x{height}"))
    return AskedDetection(picture.pixels, str(form))


def _check_options(options: Mapping[str, object], option: str) -> None:
    for key, value in options.items():
        require(key == option, key, value, f"no such option; there is {option}")


def _read(body: bytes, channels: int, most: int, frame: Frame = AS_IT_IS) -> OwnPicture:
    try:
        return read_picture(body, channels, most, frame)
    except UnreadableImageError as error:
        raise ConfigError("body", f"{len(body)} bytes", f"must be an image file: {error}") from None
