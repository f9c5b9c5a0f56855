"""Images of any size, cut into squares."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganflow.config import components
from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset
from ganflow.errors import ConfigError

SIZES = {"a.png": (20, 33), "b.png": (16, 8), "c.png": (8, 8), "d.png": (9, 40), "small.png": (7, 30)}


def write(folder: Path, colour: bool = False) -> dict[str, np.ndarray]:
    folder.mkdir()
    made = {}
    for seed, (name, (height, width)) in enumerate(SIZES.items()):
        shape = (height, width, 3) if colour else (height, width)
        made[name] = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
        Image.fromarray(made[name]).save(folder / name)
    return made


def prepared(tmp_path: Path, **options: object) -> tuple[dict[str, object], Path]:
    node = {"name": "image_tiles", "path": str(tmp_path / "in"), "tile": 8, "test_share": 0.25, **options}
    return prepare(components.build("source", node, "data"), tmp_path / "out"), tmp_path / "out"


def expected(image: np.ndarray, stride: int = 8) -> list[np.ndarray]:
    """Every tile that fits, the rest of a side shared by both ends."""
    tiles = []
    starts = [
        [(side - 8) % stride // 2 + i * stride for i in range((side - 8) // stride + 1)] for side in image.shape[:2]
    ]
    for top in starts[0]:
        for left in starts[1]:
            tiles.append(image[top : top + 8, left : left + 8])
    return tiles


@pytest.mark.parametrize("stride", [0, 5])
def test_every_tile_that_fits_is_there_once(tmp_path: Path, stride: int) -> None:
    images = write(tmp_path / "in")
    report, out = prepared(tmp_path, stride=stride)
    tiles = {name: expected(image, stride or 8) for name, image in images.items() if name != "small.png"}
    splits = [Dataset.open(out, split) for split in ("train", "test")]
    stored = [data.images(np.arange(len(data)))[:, 0] for data in splits]
    every = sorted(tile.tobytes() for split in stored for tile in split)
    assert every == sorted(tile.tobytes() for of in tiles.values() for tile in of)
    assert report["ignored"] == {"smaller than a tile": 1}
    assert splits[0].facts.shape == (1, 8, 8)


def test_no_image_is_in_both_splits(tmp_path: Path) -> None:
    images = write(tmp_path / "in", colour=True)
    _, out = prepared(tmp_path)
    of_tile = {tile.tobytes(): name for name, image in images.items() for tile in expected(image)}
    names = []
    for split in ("train", "test"):
        data = Dataset.open(out, split)
        rows = data.images(np.arange(len(data))).transpose(0, 2, 3, 1)
        names.append({of_tile[np.ascontiguousarray(row).tobytes()] for row in rows})
    assert names[0]
    assert names[1]
    assert not names[0] & names[1]


def test_a_tile_that_no_image_holds_is_one_line(tmp_path: Path) -> None:
    write(tmp_path / "in")
    with pytest.raises(ConfigError, match=r"data\.tile=64.*no image is as large"):
        prepared(tmp_path, tile=64)
    assert not (tmp_path / "out").exists()


def test_a_picture_that_cannot_be_read_is_named_or_left_out(tmp_path: Path) -> None:
    write(tmp_path / "in")
    whole = (tmp_path / "in/a.png").read_bytes()
    (tmp_path / "in/a.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Exception, match=r"a\.png"):
        prepared(tmp_path)
    report, out = prepared(tmp_path, on_bad_image="skip")
    assert {bad["file"] for bad in report["skipped"]} == {"a.png"}  # type: ignore[attr-defined]
    assert len(Dataset.open(out)) + len(Dataset.open(out, "test")) == 2 + 1 + 5
