"""Names that look alike."""

from collections.abc import Iterable
from difflib import get_close_matches


def plain(name: str) -> str:
    """A name without what people mix up: case, and hyphens for underscores."""
    return name.casefold().replace("-", "_")


def nearest(name: str, names: Iterable[str]) -> str:
    """The end of a sentence: which of the known names was meant; empty where none looks alike."""
    by_plain = {plain(candidate): candidate for candidate in names}
    near = get_close_matches(plain(name), by_plain, n=1)
    return f"; did you mean {by_plain[near[0]]}?" if near else ""
