"""Filters of orthogonal wavelets (Daubechies, 1992, "Ten lectures on wavelets")."""

import math

import numpy as np
from numpy.typing import NDArray

Taps = NDArray[np.float64]

# The least asymmetric low-pass filter with six vanishing moments, which the field calls sym6 (table 6.3).
SYM6: Taps = np.array(
    [
        0.015404109327027373,
        0.0034907120842174702,
        -0.11799011114819057,
        -0.048311742585633,
        0.4910559419267466,
        0.787641141030194,
        0.3379294217276218,
        -0.07263752278646252,
        -0.021060292512300564,
        0.04472490177066578,
        0.0017677118642428036,
        -0.007800708325034148,
    ]
)
_ROOT = math.sqrt(3)
SYM2: Taps = np.array([1 - _ROOT, 3 - _ROOT, 3 + _ROOT, 1 + _ROOT]) / (4 * math.sqrt(2))  # two vanishing moments


def octaves(count: int) -> Taps:
    """Zero-phase filters that cut the spectrum into bands, the lowest first, whose sum is the image.

    With ``L = H(z)·H(1/z)/2`` of SYM2 and ``1 − L`` of its high-pass twin: the highest band is ``1 − L``, and the next
    ones are the same bands of half the frequency, ``B(z²)``, behind ``L``.

    Returns:
        (count, taps), each centred.
    """
    low = np.convolve(SYM2, SYM2[::-1]) / 2
    high = -low
    high[len(high) // 2] += 1
    bands: list[Taps] = [np.ones(1)]
    for _ in range(count - 1):
        bands = [*(np.convolve(_at_half_the_frequency(band), low) for band in bands), high]
    reach = len(bands[0]) // 2
    return np.stack([np.pad(band, reach - len(band) // 2) for band in bands])


def _at_half_the_frequency(band: Taps) -> Taps:
    sparse = np.zeros(2 * len(band) - 1)
    sparse[::2] = band
    return sparse
