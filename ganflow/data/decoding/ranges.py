"""The values of pixels before they become 8 bits, and the range that becomes 0..255.

A file seldom says which value is white: cameras write twelve bits into sixteen, and floats may mean anything. So the
values of the whole set are looked at, and one range is taken for all of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganflow.errors import ConfigError

AUTO = "auto"
CUSTOMARY = (8, 10, 12, 14, 16)  # bits of a sensor or a scanner
INTEGERS, SIGNED, FLOATS, ALPHA = "integers", "signed integers", "floats", "alpha"

Range = tuple[float, float]  # the values that become 0 and 255


@dataclass(frozen=True)
class Scale:
    """The meaning of a value; images of one scale share one range."""

    kind: str  # INTEGERS | SIGNED | FLOATS | ALPHA
    white: int = 0  # said by the format; 0: not said
    significant: int = 0  # bits by PNG's sBIT; 0: not said

    def provisional(self) -> Range:
        """The range that is right for most sets, tried before all values are known."""
        return (0.0, 1.0) if self.kind == FLOATS else (0.0, float(self.white or 65535))

    def __str__(self) -> str:
        return self.kind + (f" with sBIT {self.significant}" if self.significant else "")


@dataclass(frozen=True)
class Seen:
    """The values of some images of one scale."""

    images: int
    low: float
    high: float
    ones: int = 0  # every bit that any of the integers has set

    def __add__(self, other: "Seen") -> "Seen":
        low, high = min(self.low, other.low), max(self.high, other.high)
        return Seen(self.images + other.images, low, high, self.ones | other.ones)


@dataclass(frozen=True)
class Ranges:
    """The range of every scale, by ``data.range``, by the values of a set, or provisional."""

    option: Any = AUTO
    settled: Mapping[Scale, Range] = field(default_factory=dict)

    def of(self, scale: Scale) -> Range:
        """The range of one scale."""
        return self._given(scale) or self.settled.get(scale) or scale.provisional()

    def settle(self, limits: Mapping[Scale, Seen]) -> "Ranges":
        """The ranges by the values of all images.

        Raises:
            ConfigError: values without an agreed range, or one option for values of several kinds.
        """
        kinds = sorted({scale.kind for scale in limits if self._given(scale)})
        if len(kinds) > 1:
            raise ConfigError("data.range", self.option, f"the images have {' and '.join(kinds)}, which share no range")
        return Ranges(self.option, {scale: self._given(scale) or _assumed(scale, its) for scale, its in limits.items()})

    def agrees(self, other: "Ranges", scales: Iterable[Scale]) -> bool:
        """True where two of them scale all values alike."""
        return all(self.of(scale) == other.of(scale) for scale in scales)

    def reason(self, scale: Scale) -> str:
        """The origin of a range."""
        if self._given(scale):
            return "data.range"
        if scale.white:
            return "the format"
        return f"sBIT {scale.significant}" if scale.significant else "assumed"

    def scaled(self, values: NDArray[np.number], scale: Scale) -> NDArray[np.float64]:
        """Values from 0 (black) to 1 (white); what lies outside of the range is cut."""
        black, white = self.of(scale)
        return np.clip((values.astype(np.float64) - black) / (white - black), 0.0, 1.0)

    def _given(self, scale: Scale) -> Range | None:
        return None if scale.white or scale.kind == ALPHA else explicit(self.option)


def explicit(option: Any) -> Range | None:
    """The range that an option names: a number is white over a black of 0; None for ``auto``.

    Raises:
        ValueError: it is neither.
    """
    if option == AUTO:
        return None
    ends = [0, option] if isinstance(option, int | float) and not isinstance(option, bool) else list(option)
    if len(ends) != 2 or isinstance(option, str) or not float(ends[0]) < float(ends[1]) < float("inf"):
        raise ValueError(option)
    return float(ends[0]), float(ends[1])


def check_range(option: Any) -> None:
    """Refuse what is neither ``auto`` nor a range."""
    try:
        explicit(option)
    except (TypeError, ValueError):
        raise ConfigError("range", option, "auto, WHITE such as 4095, or [BLACK,WHITE] such as [-1000,400]") from None


def _assumed(scale: Scale, limits: Seen) -> Range:
    if scale.white:
        return scale.provisional()
    values = f"{limits.low:,.6g} to {limits.high:,.6g}"
    if scale.kind == FLOATS:
        if limits.low < 0 or limits.high > 1:
            raise _unknown(f"floats from {values} have no agreed range")
        return scale.provisional()
    if limits.low < 0 or limits.high > 65535:
        raise _unknown(f"{scale.kind} from {values} have no agreed range")
    if scale.significant and not _is_scaled_up(limits.ones, scale.significant):
        return 0.0, float(2**scale.significant - 1)
    if scale.significant or not limits.high:
        return scale.provisional()
    sizes = sorted({*CUSTOMARY, 15}) if scale.kind == SIGNED else CUSTOMARY
    return 0.0, float(next(2**bits - 1 for bits in sizes if limits.high < 2**bits))


def _is_scaled_up(ones: int, significant: int) -> bool:
    """True where 16-bit samples fill their range, as PNG asks of samples with fewer significant bits."""
    return ones >= 2**significant or not ones % 2 ** (16 - significant)


def _unknown(why: str) -> ConfigError:
    return ConfigError("data.range", AUTO, f"{why}; data.range=[BLACK,WHITE] says which values become 0 and 255")


def extremes(values: NDArray[np.number]) -> Seen:
    """The values of one image."""
    ones = 0 if values.dtype.kind == "f" else int(np.bitwise_or.reduce(values, axis=None))
    return Seen(1, float(values.min()), float(values.max()), ones)
