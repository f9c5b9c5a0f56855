"""Walks through the latent space as a moving picture without end."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import torch

from ganflow.errors import require
from ganflow.generation.sampling import Sampling
from ganflow.generation.writers.base import Sink, sink
from ganflow.generation.writers.png import columns
from ganflow.generation.writers.target import Place
from ganflow.methods.generator import slerp
from ganflow.signals import image_grid
from ganflow.signals.image_grid import Images
from ganflow.terminal.progress import progress

MOST = 400  # walks side by side
TICK_MS = 10  # the unit of time of a GIF
SHORTEST_MS = 20  # of a frame; browsers show shorter ones ten times as long
KEYS = 8  # frames that a GIF's colours are chosen from
COLOURS = 256
FORMATS: dict[str, dict[str, Any]] = {
    ".gif": {"format": "GIF", "optimize": False, "disposal": 1},
    ".webp": {"format": "WEBP", "quality": 90, "method": 4},
    ".apng": {"format": "PNG"},
}


@sink(*FORMATS, says="an animation: `ffmpeg -i walk.apng walk.mp4` makes a video of one")
@dataclass(frozen=True)
class Animation(Sink):
    """From every sample by great circles through ``stops`` latents and back, ``frames`` pictures in ``seconds``.

    The first frame is the picture that a .png shows. A walk keeps its class
    and its noise.
    """

    frames: int = 120
    seconds: float = 6.0
    stops: int = 3

    def __post_init__(self) -> None:
        require(self.stops > 1, "stops", self.stops, "must be at least 2")
        require(self.frames >= self.stops, "frames", self.frames, f"must be at least stops, {self.stops}")
        longest = self.frames * SHORTEST_MS / 1000
        require(self.seconds >= longest, "seconds", self.seconds, f"at least {longest:g}: 50 frames a second at most")

    def write(self, sampling: Sampling, place: Place) -> None:
        signal = sampling.spec.signal
        require(signal.alone, "out", place.out, f"{signal.plural} are not images; name a .png (all in one plot)")
        require(sampling.n <= MOST, "n", sampling.n, f"at most {MOST} walks side by side")
        parts = np.concatenate(list(self._walk(sampling)))  # (frames · n, H, W, C)
        walks = parts.reshape(self.frames, sampling.n, *parts.shape[1:])
        frames = [image_grid.tiles(walk_frames, columns(sampling)) for walk_frames in walks]
        options = FORMATS[PurePosixPath(place.name).suffix]
        place.storage.write(place.name, _encode(frames, _durations(self.frames, self.seconds), options))

    def _walk(self, sampling: Sampling) -> Iterator[Images]:
        """Frame by frame, the walks within: image j is of walk j mod n in frame j div n."""
        n, model = sampling.n, sampling.generator
        z = model.stops(sampling.seed, n, self.stops, sampling.truncation)
        labels, noise = model.labels(0, n, sampling.label), model.noise(sampling.seed, 0, n)
        with progress(total := self.frames * n, "generate") as advance:
            for first in range(0, total, sampling.starts.step):
                j = torch.arange(first, min(first + sampling.starts.step, total))
                frame, walk = j // n, j % n
                at = frame.double() * self.stops / self.frames
                stop = at.long()
                latents = slerp(z[stop, walk], z[(stop + 1) % self.stops, walk], (at - stop).float())
                of_walk = [None if each is None else each[walk] for each in (labels, noise)]
                yield sampling.make(latents, *of_walk).astype(np.uint8, copy=False)
                advance(len(j))


def _durations(frames: int, seconds: float) -> list[int]:
    """Milliseconds of every frame, in whole ticks that add up."""
    ends = [round(i * seconds * 1000 / TICK_MS / frames) * TICK_MS for i in range(frames + 1)]
    return [end - start for start, end in pairwise(ends)]


def _encode(frames: list[Images], durations: list[int], options: dict[str, Any]) -> bytes:
    from PIL import Image

    pictures = [Image.fromarray(f[..., 0] if f.shape[-1] == 1 else f) for f in frames]
    if options["format"] == "GIF" and pictures[0].mode == "RGB":
        pictures = _few_colours(pictures)
    stream = io.BytesIO()
    pictures[0].save(
        stream, save_all=True, append_images=pictures[1:], duration=durations, loop=0, **options
    )  # fmt: skip
    return stream.getvalue()


def _few_colours(pictures: list[Any]) -> list[Any]:
    """The same colours in all frames, for with colours of its own each would flicker."""
    from PIL import Image

    some = np.concatenate([np.asarray(p) for p in pictures[:: -(-len(pictures) // KEYS)]])
    palette = Image.fromarray(some).quantize(COLOURS, Image.Quantize.MEDIANCUT)
    return [p.quantize(palette=palette, dither=Image.Dither.NONE) for p in pictures]
