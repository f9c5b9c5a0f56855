"""Samples as the bytes that go back: a PNG, NumPy's format or JSON. Another form is another entry here."""

import io
import json
from collections.abc import Callable

import numpy as np

from ganflow.methods.generator import GeneratorSpec
from ganflow.signals import image_grid
from ganflow.signals.base import Samples

MOST_COLUMNS = 20


def encode(format: str, samples: Samples, labels: list[int] | None, spec: GeneratorSpec) -> bytes:
    """Samples in one of :data:`FORMATS`.

    Args:
        format: which one.
        samples: uint8 (n, H, W, C); float32 (n, 2) of points.
        labels: the class of each, of a conditional generator.
        spec: of what drew them.
    """
    return FORMATS[format][1](samples, labels, spec)


def _png(samples: Samples, labels: list[int] | None, spec: GeneratorSpec) -> bytes:
    """One image in its own pixels, several in a grid; classes that take turns side by side."""
    if len(samples) == 1 and spec.signal.alone:
        return image_grid.png(samples[0].astype(np.uint8, copy=False))
    turn = len(set(labels)) if labels else 0
    return spec.signal.preview(samples, turn if 1 < turn <= MOST_COLUMNS else None, spec.centres)


def _npy(samples: Samples, labels: list[int] | None, spec: GeneratorSpec) -> bytes:
    stream = io.BytesIO()
    np.save(stream, samples, allow_pickle=False)
    return stream.getvalue()


def _json(samples: Samples, labels: list[int] | None, spec: GeneratorSpec) -> bytes:
    content = {"samples": samples.tolist(), "labels": labels}
    return json.dumps(content, separators=(",", ":")).encode()


Encoder = Callable[[Samples, list[int] | None, GeneratorSpec], bytes]
FORMATS: dict[str, tuple[str, Encoder]] = {  # name → media type, how
    "png": ("image/png", _png),
    "npy": ("application/x-npy", _npy),
    "json": ("application/json", _json),
}
