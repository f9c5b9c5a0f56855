"""The first map of networks that double its sides twice."""

from ganflow.errors import require
from ganflow.signals.base import Shape


def quarters(name: str, shape: Shape, examples: str) -> tuple[int, int]:
    """A quarter of the rows and of the columns of images (C, H, W).

    Raises:
        ConfigError: a side cannot be quartered; the error names the network, and examples of sides that can.
    """
    _, height, width = shape
    misfit = f"cannot make {width}×{height} images; set data.resize to a multiple of 4, such as {examples}"
    require(height % 4 == 0 and width % 4 == 0, "name", name, misfit)
    return height // 4, width // 4
