import numpy as np
import pytest

from ganflow.methods.augment.wavelets import SYM2, SYM6, Taps, octaves


@pytest.mark.parametrize(("taps", "moments"), [(SYM2, 2), (SYM6, 6)])
def test_filters_are_orthonormal_with_as_many_vanishing_moments_as_their_length_allows(
    taps: Taps, moments: int
) -> None:
    assert len(taps) == 2 * moments
    own = np.correlate(taps, taps, "full")[len(taps) - 1 :]
    np.testing.assert_allclose(own[::2], [1] + [0] * (moments - 1), rtol=0, atol=1e-11)  # with itself, moved by pairs
    high = taps * (-1.0) ** np.arange(len(taps))
    centred = np.arange(len(taps)) - len(taps) / 2
    for k in range(moments):
        assert float((high * centred**k).sum()) == pytest.approx(0, abs=1e-8), k


def test_of_all_such_filters_of_twelve_taps_sym6_is_the_least_asymmetric() -> None:
    # Daubechies' polynomial; of each root and its inverse one is chosen, complex ones with their conjugates.
    halfband = np.polynomial.polynomial.polyfromroots([-1] * 12)
    unknown = np.zeros((11, 11))  # the even polynomial Q with halfband·Q = a filter whose even taps vanish but one
    for k in range(11):
        shifted = np.concatenate([np.zeros(k), halfband, np.zeros(10 - k)])
        unknown[:, k] = shifted[1::2]
    target = np.zeros(11)
    target[5] = 1
    roots = np.polynomial.polynomial.polyroots(np.linalg.solve(unknown, target))
    inside = sorted((r for r in roots if abs(r) < 1 and r.imag > -1e-9), key=lambda r: (r.real, r.imag))
    made = []
    for pick in range(2 ** len(inside)):
        chosen = [1 / np.conj(r) if pick >> i & 1 else r for i, r in enumerate(inside)]
        every = [*([-1] * 6), *chosen, *(np.conj(r) for r in chosen if abs(r.imag) > 1e-9)]
        taps = np.polynomial.polynomial.polyfromroots(every).real
        made.append(taps * np.sqrt(2) / taps.sum())

    def asymmetry(taps: Taps) -> float:
        w = np.linspace(0.01, 2.0, 200)
        phase = np.unwrap(np.angle(np.exp(-1j * np.outer(w, np.arange(12))) @ taps))
        return float(np.abs(phase - np.polyval(np.polyfit(w, phase, 1), w)).max())

    best = min(made, key=asymmetry)
    assert min(np.abs(best - SYM6).max(), np.abs(best[::-1] - SYM6).max()) < 1e-6


def test_octaves_sum_to_the_image_and_pass_their_own_frequencies() -> None:
    bands = octaves(4)
    assert bands.shape == (4, 43)
    np.testing.assert_allclose(bands, bands[:, ::-1], rtol=0, atol=1e-15)
    np.testing.assert_allclose(bands.sum(0), np.eye(43)[21], rtol=0, atol=1e-12)
    middles = np.array([0, 3 / 32, 3 / 16, 0.5])  # cycles per pixel, inside of each octave
    passed = np.cos(2 * np.pi * np.outer(middles, np.arange(-21, 22))) @ bands.T
    assert (passed.argmax(1) == np.arange(4)).all()
    np.testing.assert_allclose(passed[[0, 3], [0, 3]], 1, rtol=0, atol=1e-12)
