"""The curve of a run: the learning rate, as a factor of what each optimizer starts from, and what goes with it."""

from math import cos, pi


def factor(nimg: int, warmup: float, decay: str, floor: float, total: float) -> float:
    """Linear from 0 to 1 over the first ``warmup`` images, then from 1 to ``floor`` until ``total`` images.

    Args:
        nimg: real images seen before the step.
        warmup: length of the warm-up in images; 0 for none.
        decay: ``constant``, ``linear`` or ``cosine`` (Loshchilov & Hutter, 2017, eq. 5, without restarts).
        floor: share of the rate that is left at the end of a decay.
        total: images at which a decay ends.
    """
    return nimg / warmup if nimg < warmup else floor + (1.0 - floor) * left(nimg, warmup, decay, total)


def left(nimg: int, warmup: float, decay: str, total: float) -> float:
    """How much of a decay is still to come: 1 until the end of the warm-up, 0 from ``total`` images on."""
    if decay == "constant" or nimg < warmup:
        return 1.0
    done = min(1.0, (nimg - warmup) / (total - warmup)) if total > warmup else 1.0
    return 1.0 - done if decay == "linear" else 0.5 * (1.0 + cos(pi * done))
