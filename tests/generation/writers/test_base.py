"""Which form a name asks for, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganflow.errors import GanflowError
from ganflow.generation.sampling import Sampling
from ganflow.generation.writers import Place, choose
from ganflow.generation.writers.animation import Animation
from ganflow.generation.writers.folder import FolderWriter
from ganflow.generation.writers.npz import Npz
from ganflow.generation.writers.png import PictureWriter
from ganflow.signals import image_grid
from tests.generation.writers.made import PLAIN, POINTS, below, model, write


@pytest.mark.parametrize(
    ("out", "form"),
    [
        ("a.png", PictureWriter), ("b/x/", FolderWriter), ("s3://b/x/", FolderWriter), ("s3://b/x.npz", Npz),
        ("y.gif", Animation), ("y.webp", Animation), ("y.apng", Animation),
    ],
)  # fmt: skip
def test_the_ending_says_which(out: str, form: type) -> None:
    assert type(choose(out, {})) is form


def test_a_folder_that_is_there_is_one(tmp_path: Path) -> None:
    assert choose(str(tmp_path), {"by_class": True}) == FolderWriter(by_class=True)
    assert Place.of(str(tmp_path), 1).name == ""


@pytest.mark.parametrize("out", ["walk.mp4", "grid", "s3://bucket/prefix", ""])
def test_no_other_ending_has_a_form(out: str) -> None:
    with pytest.raises(GanflowError) as refused:
        choose(out, {})
    line = str(refused.value)
    assert line.startswith(f"out={out}: a name that ends in .gif .webp .apng (an animation: `ffmpeg -i walk.apng ")
    assert ".png (all in one picture)" in line
    assert "/ (a folder with a PNG each)" in line


def test_an_option_of_another_form_is_refused() -> None:
    with pytest.raises(GanflowError) as refused:
        choose("x.npz", {"frames": 9})
    assert str(refused.value) == "frames=9: x.npz has no such option; what ends in .apng, .gif, .webp has"


@pytest.mark.parametrize(
    ("out", "line"),
    [
        ("gs://bucket/x/", "gs://bucket/x: storage is a path or s3://bucket/prefix"),
        ("s3://x.png", "out=s3://x.png: s3://bucket/x.png names a file"),
        ("s3:///", "s3:// names no bucket; s3://bucket/key does"),
    ],
)
def test_places_that_there_are_not(out: str, line: str) -> None:
    with pytest.raises(GanflowError) as refused:
        Place.of(out, 1)
    assert str(refused.value) == line


def test_a_picture_has_a_column_per_class(tmp_path: Path) -> None:
    sampling = Sampling(model(), 5, 1, [2, 0])
    write(f"{tmp_path}/x.png", sampling)
    expected = image_grid.tiles(sampling.generator.sample(5, 1, [2, 0]).astype(np.uint8), 2)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "x.png")), expected)


def test_a_picture_has_an_end(tmp_path: Path) -> None:
    with pytest.raises(GanflowError, match=r"^n=10001: at most 10000 in one picture; \.npz or a folder/ takes any"):
        write(f"{tmp_path}/x.png", Sampling(model(PLAIN), 10_001))
    write(f"{tmp_path}/p.png", Sampling(model(POINTS), 10))
    assert list(below(tmp_path)) == ["p.png"]
