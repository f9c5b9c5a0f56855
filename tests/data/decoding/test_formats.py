"""Only the formats that are named are opened, and a file of another kind is called by its name."""

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganflow.data.decoding.formats import FORMATS, UnreadableImageError, open_image
from ganflow.data.prepare import prepare
from ganflow.errors import GanflowError
from ganflow.evaluation.image_sets import open_images
from tests.data.made import encoded, noise, png, refused, source, write_tree

PICTURE = Image.fromarray(noise(0, 8, 8, 3))
FITS = b"SIMPLE  =                    T".ljust(80) + b"BITPIX  =                    8".ljust(80) + b"END".ljust(2720)
OTHERS = {
    "a PostScript program": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\nshowpage\n",
    "a PDF document": b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n",
    "an SVG drawing": b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>',
    "a Windows metafile": b"\xd7\xcd\xc6\x9a\0\0" + struct.pack("<4hHLH", 0, 0, 8, 8, 96, 0, 0) + bytes(40),
    "a FITS file": FITS,
    "an HDF5 file": b"\x89HDF\r\n\x1a\n" + bytes(40),
    "a DICOM file": bytes(128) + b"DICM" + bytes(40),
    "a Photoshop document": b"8BPS" + bytes(40),
    "an HEIC image": b"\0\0\0\x18ftypheic" + bytes(40),
    "an icon file": encoded(PICTURE, "ICO"),
    "a DDS texture": encoded(PICTURE, "DDS"),
    "a NumPy array": b"\x93NUMPY\x01\0" + bytes(40),
}


@pytest.fixture
def no_other_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A file that is written if Ghostscript is called."""
    called, folder = tmp_path / "called", tmp_path / "bin"
    folder.mkdir()
    program = folder / "gs"
    program.write_text(f"#!/bin/sh\ntouch '{called}'\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return called


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "tga"])
def test_a_file_of_another_kind_is_refused_by_its_name(
    kind: str, suffix: str, no_other_program: Path, tmp_path: Path
) -> None:
    files = {**{f"{i}.png": png(noise(i, 8, 8)) for i in range(3)}, f"cat.{suffix}": OTHERS[kind]}
    line = refused("image_folder", write_tree(tmp_path / "in", files), tmp_path)
    why = f"cat.{suffix} ({kind}, not an image of a format that is read here)"
    assert line == f"1 unreadable image: {why}; data.on_bad_image=skip leaves them out"
    assert not no_other_program.exists()


def test_the_images_of_evaluate_are_opened_in_the_same_way(no_other_program: Path, tmp_path: Path) -> None:
    files = {"0.png": png(noise(0, 8, 8)), "cat.jpg": OTHERS["a PostScript program"]}
    with pytest.raises(GanflowError, match=r"cat\.jpg \(a PostScript program"):
        open_images(str(write_tree(tmp_path / "in", files)), tmp_path)
    assert not no_other_program.exists()


def test_suffixes_of_other_formats_are_left_out_and_counted(tmp_path: Path) -> None:
    others = {"a.eps": OTHERS["a PostScript program"], "b.pdf": b"", "c.mpo": b"", "d.heic": b"", "e.svg": b""}
    path = write_tree(tmp_path / "in", {"0.png": png(noise(0, 8, 8)), **others})
    report = prepare(source("image_folder", path, test_share=0.0), tmp_path / "data")
    assert report["ignored"] == {".eps": 1, ".heic": 1, ".mpo": 1, ".pdf": 1, ".svg": 1}


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_that_is_named_is_read(form: str) -> None:
    with open_image(encoded(PICTURE, form)) as image:
        assert image.size == (8, 8)


def test_a_jpeg_with_a_second_picture_is_its_first() -> None:
    stream = io.BytesIO()
    PICTURE.save(stream, "MPO", save_all=True, append_images=[Image.new("RGB", (8, 8))], quality=95)
    with open_image(stream.getvalue()) as image:
        assert np.asarray(image).std() > 30


@pytest.mark.parametrize("form", ["GIF", "TIFF"])
def test_a_damaged_image_is_called_damaged(form: str) -> None:
    with pytest.raises(UnreadableImageError) as caught, open_image(encoded(PICTURE, form)[:6]):
        pass
    assert str(caught.value) == f"a {form} that is damaged, or of a rare kind that Pillow cannot read"


def test_a_huge_image_is_refused_with_the_option_before_it_is_decoded(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    path = write_tree(
        tmp_path / "in", {"a/0.png": png(noise(0, 8, 8)), "a/huge.png": encoded(Image.new("1", (200, 100)))}
    )
    line = refused("image_folder", path, tmp_path, max_pixels=10000)
    why = "a/huge.png (200x100 are 20,000 pixels, more than data.max_pixels=10000 allows)"
    assert line == f"1 unreadable image: {why}; data.on_bad_image=skip leaves them out"
    options = {"max_pixels": 10000, "on_bad_image": "skip", "test_share": 0.0}
    assert prepare(source("image_folder", path, **options), tmp_path / "data")["splits"]["train"]["count"] == 1
    options = {"resize": 8, "crop": True, "test_share": 0.0}
    assert prepare(source("image_folder", path, **options), tmp_path / "more")["splits"]["train"]["count"] == 2
    assert not recwarn.list
