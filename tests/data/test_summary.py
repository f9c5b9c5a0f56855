"""The lines with which ``prepare`` ends say what a person has to know, and nothing where there is nothing."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ganflow.data.prepare import prepare
from ganflow.data.summary import lines
from tests.data.made import encoded, noise, png, source, write_tree


def told(files: dict[str, bytes], tmp_path: Path, **options: Any) -> list[str]:
    report = prepare(source("image_folder", write_tree(tmp_path / "in", files), **options), tmp_path / "data")
    return list(lines(report))


def photos(count: int, kind: str = "a", channels: int = 3) -> dict[str, bytes]:
    return {f"{kind}/{i:03}.png": png(noise(i, 6, 6, *([3] if channels == 3 else []))) for i in range(count)}


def test_photos_in_classes_need_one_line(tmp_path: Path) -> None:
    (line,) = told({**photos(20, "a"), **photos(20, "b")}, tmp_path)
    assert line.startswith("40 RGB images of 6x6; 2 classes")
    assert ": a, b; train 36" in line
    assert ", test 4" in line


def test_a_class_of_one_is_told_at_once(tmp_path: Path) -> None:
    got = told({**photos(20, "many"), **photos(1, "one")}, tmp_path)
    assert got[1:] == [
        "note: 1 class with fewer than 10 images in train: one (1); figures about them say little",
        "note: 1 class with no image in test: one (0); figures about them say little",
    ]


def test_what_was_left_out_is_counted_and_unreadable_files_are_named(tmp_path: Path) -> None:
    files = {**photos(20), **photos(20, "b"), "a/notes.txt": b"", "a/x.heic": b"", "a/bad.png": b"text"}
    got = told(files, tmp_path, on_bad_image="skip")
    left_out = "1 .heic, 1 .txt, 1 unreadable: a/bad.png (not an image)"
    assert got[1:] == [f"left out: {left_out}; reports/prepare.json lists them"]


def test_the_brightest_value_and_what_was_assumed(tmp_path: Path) -> None:
    pixels = np.arange(36, dtype=np.uint16).reshape(6, 6) * 117  # up to 4095
    files = {f"{i:02}.png": encoded(Image.fromarray(pixels)) for i in range(20)}
    got = told(files, tmp_path)
    values = (
        "integers of 20 images are 0 to 4,095, taken as 0 (black) to 4,095 (white), assumed; data.range says otherwise"
    )
    assert got[1:] == [f"pixels: 20 16-bit grey; {values}"]
    got = told(files, tmp_path, range=4000)
    assert got[1].endswith("integers of 20 images are 0 to 4,095, taken as 0 (black) to 4,000 (white), by data.range")


def test_what_was_done_to_some_images(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    files = {
        **photos(18),
        **photos(20, "b"),
        "a/x.png": png(noise(0, 6, 6, 4)),
        "a/y.png": encoded(Image.fromarray(noise(0, 6, 6, 3)), exif=exif),
    }
    got = told(files, tmp_path)
    done = "1 transparent, now over white (data.background); 1 turned upright as EXIF says"
    assert got[1:] == [f"pixels: 40 8-bit RGB; {done}"]


def test_points_and_digits(tmp_path: Path) -> None:
    line = lines(prepare(source("ring8", count=100, test_count=80), tmp_path / "points"))[0]
    assert line.startswith("180 points in the plane; 8 classes")
    (line,) = lines(prepare(source("digits"), tmp_path / "digits"))
    assert line.startswith("1,797 grey images of 8x8; 10 classes from scikit-learn: 0, 1, 2, 3, 4, …; train 1,438")
