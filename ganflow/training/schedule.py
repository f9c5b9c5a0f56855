"""The learning rate over a run, as a factor of what each optimizer starts from."""

from math import cos, pi


def factor(nimg: int, warmup: float, decay: str, floor: float, total: float) -> float:
    """Linear from 0 to 1 over the first ``warmup`` images, then from 1 to ``floor`` until ``total`` images.

    Args:
        nimg: real images seen before the step.
        warmup: length of the warm-up in images; 0 for none.
        decay: ``constant``, ``linear`` or ``cosine`` (Loshchilov & Hutter, 2017, eq. 5, without restarts).
        floor: share of the rate that is left at the end of a decay.
        total: length of the run in images.
    """
    if nimg < warmup:
        return nimg / warmup
    if decay == "constant":
        return 1.0
    done = min(1.0, (nimg - warmup) / (total - warmup)) if total > warmup else 1.0
    left = 1.0 - done if decay == "linear" else 0.5 * (1.0 + cos(pi * done))
    return floor + (1.0 - floor) * left
