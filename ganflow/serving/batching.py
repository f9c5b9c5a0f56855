"""Several requests drawn as one batch: a network call costs nearly the same for one sample as for a few."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ganflow.methods.generator import Generator
from ganflow.serving.answer import encode
from ganflow.serving.own_picture import AskedPicture
from ganflow.serving.request import Asked
from ganflow.signals.base import Samples

AnyAsked = Asked | AskedPicture


def draw(jobs: Sequence[tuple[Generator, AnyAsked]]) -> list[Samples | bytes]:
    """The samples of every request: uint8 (n, H, W, C) each, float32 (n, 2) of points; the answer to a picture.

    Requests share a call if the same generator draws them, and with a w the same truncation. What a request gets does
    not depend on its company, but for float32's rounding.
    """
    together: dict[tuple[int, float | None], list[int]] = {}
    made: dict[int, Samples | bytes] = {}
    asked_samples: dict[int, Asked] = {}
    for index, (generator, asked) in enumerate(jobs):
        if not isinstance(asked, Asked):  # each picture has a size of its own
            made[index] = asked.answer(generator)
            continue
        asked_samples[index] = asked
        together.setdefault((id(generator), asked.truncation if generator.has_w else None), []).append(index)
    for members in together.values():
        generator = jobs[members[0]][0]
        made.update(zip(members, _at_once(generator, [asked_samples[index] for index in members]), strict=True))
    return [made[index] for index in range(len(jobs))]


def _at_once(generator: Generator, requests: Sequence[Asked]) -> list[Samples]:
    z = torch.cat([asked.latents(generator) for asked in requests])
    labels = _together([asked.labels(generator) for asked in requests])
    noise = _together([asked.noise(generator) for asked in requests])
    truncation = requests[0].truncation
    parts = []
    for first in range(0, len(z), generator.batch):
        rows = slice(first, first + generator.batch)
        mine = [None if each is None else each[rows] for each in (labels, noise)]
        parts.append(generator.stored(generator.draw(z[rows], mine[0], truncation, mine[1])))
    ends = np.cumsum([asked.n for asked in requests])[:-1]
    return np.split(np.concatenate(parts), ends)


def _together(requests: Sequence[Tensor | None]) -> Tensor | None:
    """One after the other; None where the generator takes none."""
    rows = [each for each in requests if each is not None]
    return torch.cat(rows) if rows else None


def answer(generator: Generator, asked: AnyAsked, made: Samples | bytes) -> bytes:
    """The answer to a request, from what :func:`draw` made for it."""
    if not isinstance(asked, Asked):
        return bytes(made)
    labels = asked.labels(generator)
    return encode(asked.format, np.asarray(made), None if labels is None else labels.tolist(), generator.spec)
