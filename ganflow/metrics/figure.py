"""What a figure says to people; every metric states it of each of its figures."""

from dataclasses import dataclass

LOWER, HIGHER = "lower", "higher"


@dataclass(frozen=True)
class Figure:
    """A figure in words."""

    label: str
    better: str  # LOWER, HIGHER; "" where neither is
    says: str  # one sentence
