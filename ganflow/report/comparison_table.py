"""Two evaluations side by side, as lines of text."""

from collections.abc import Sequence

from ganflow.evaluation.significance import Difference


def table(differences: Sequence[Difference], a: str, b: str) -> list[str]:
    """The rows as lines."""
    return columns(rows(differences, a, b))


def rows(differences: Sequence[Difference], a: str, b: str) -> list[Sequence[str]]:
    """A figure per row: both sides under their names, by how much they differ, who is better."""
    head = ("", a, b, "difference", "better")
    return [head, *((d.figure, text(d.a), text(d.b), by(d), _better(d, a, b)) for d in differences)]


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of equally many cells, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def by(difference: Difference) -> str:
    """By how much the two differ, with the half width of its 95 % interval where that is known."""
    if difference.by is None or difference.margin is None:
        return text(difference.a - difference.b)
    return f"{difference.by:+.4g} ± {difference.margin:.2g}"


def text(value: object) -> str:
    """A value as people read it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _better(difference: Difference, a: str, b: str) -> str:
    if difference.by is None:
        return ""
    return {"A": a, "B": b}.get(difference.winner or "", "neither")
