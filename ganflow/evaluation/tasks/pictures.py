"""Pictures that say what no figure does: whether samples are copies, and whether the ways between them make sense."""

import numpy as np
import numpy.typing as npt
import torch

from ganflow.errors import require
from ganflow.methods.generator import Generator
from ganflow.signals.image_grid import GAP, GAP_GREY, Images, png, tiles

COLUMNS = 16  # pairs beside each other
BRIGHTEST = 0.995  # share of pixels that are not white
BAND_GAP = 8 * GAP  # pixels between one band of pairs and the next


Floats = npt.NDArray[np.float32]


def closest_pairs(samples: Images, originals: Images) -> bytes:
    """Each sample above the training image that it is closest to, as the bytes of a PNG.

    Pairs stand in bands of two rows, ``COLUMNS`` at most beside each other.

    Args:
        samples: uint8 (n, H, W, C), C being 1 or 3.
        originals: uint8 (n, H, W, C); row i belongs to sample i.

    Raises:
        ConfigError: no pairs, different shapes, or another type.
    """
    require(samples.shape == originals.shape, "originals", originals.shape, f"must be {samples.shape}, as the samples")
    columns = min(max(1, len(samples)), COLUMNS)
    bands: list[Images] = []
    for first in range(0, max(1, len(samples)), COLUMNS):
        above, below = (tiles(images[first : first + COLUMNS], columns) for images in (samples, originals))
        if bands:
            bands.append(np.full((BAND_GAP, *above.shape[1:]), GAP_GREY, np.uint8))
        bands += [above, below[GAP:]]  # one gap between the two, not each one's own
    return png(np.concatenate(bands))


def interpolation(generator: Generator, rows: int = 8, steps: int = 9, seed: int = 0) -> bytes | None:
    """Ways between latents, one per row, as the bytes of a PNG; none where one sample alone is nothing to see.

    Row i goes from sample i to an end of its own in ``steps`` equal steps, has that sample's noise all
    the way, and is of class i mod num_classes.
    """
    signal = generator.spec.signal
    if not signal.alone:
        return None
    shares = torch.linspace(0, 1, steps)
    ways = [generator.path(seed, 0, rows, share.expand(rows)) for share in shares]
    labels, noise = generator.labels(0, rows, None), generator.noise(seed, 0, rows)
    drawn = []
    for i, z in enumerate(torch.stack(ways, 1)):  # (steps, latent_dim): a row at a time, whatever its resolution
        of_way = [None if each is None else each[i : i + 1].expand(steps, *each.shape[1:]) for each in (labels, noise)]
        drawn.append(generator.stored(generator.draw(z, of_way[0], noise=of_way[1])))
    return signal.preview(np.concatenate(drawn), columns=steps)


def detected(images: Images, again: Images, maps: Floats, masks: "npt.NDArray[np.bool_] | None") -> bytes:
    """Rows of images, their reconstructions, the maps of what is anomalous and, if known, of what is, as a PNG.

    Args:
        images: uint8 (n, H, W, C).
        again: the same of the reconstructions.
        maps: float32 (n, H, W); white is the largest value of all but a few pixels.
        masks: bool (n, H, W).
    """
    most = float(np.quantile(maps, BRIGHTEST)) or 1.0
    bright = (np.clip(maps / most, 0, 1) * 255).astype(np.uint8)
    greys = [bright] if masks is None else [bright, masks.astype(np.uint8) * 255]
    rows = [images, again, *(np.repeat(grey[..., None], images.shape[3], 3) for grey in greys)]
    bands = [tiles(row, len(row)) for row in rows]
    return png(np.concatenate([bands[0], *(band[GAP:] for band in bands[1:])]))
