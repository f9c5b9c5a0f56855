"""Members that are read without the zip's directory, held against zipfile, which reads by it."""

import zipfile
import zlib
from pathlib import Path

import pytest

from ganflow.data.archives.zip_members import ZipMember
from tests.data.made import noise

CONTENT = noise(0, 3000).tobytes() + bytes(3000)


def written(path: Path, name: str = "a/é.png", method: int = zipfile.ZIP_DEFLATED, content: bytes = CONTENT) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("before.txt", b"something else")
        archive.writestr(name, content, method)
    return path


def member(path: Path) -> ZipMember:
    with zipfile.ZipFile(path) as archive:
        return ZipMember.of(archive.infolist()[-1])


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("content", [CONTENT, b"", b"x"])
def test_stored_and_deflated_members_are_read(method: int, content: bytes, tmp_path: Path) -> None:
    path = written(tmp_path / "in.zip", method=method, content=content)
    assert member(path).sound(path) == content


def test_a_member_behind_other_bytes_is_read(tmp_path: Path) -> None:
    path = written(tmp_path / "in.zip")
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    assert member(path).sound(path) == CONTENT


def test_other_methods_are_left_to_zipfile(tmp_path: Path) -> None:
    path = written(tmp_path / "in.zip", method=zipfile.ZIP_BZIP2)
    assert member(path).sound(path) is None


def test_an_encrypted_member_is_left_to_zipfile(tmp_path: Path) -> None:
    path = written(tmp_path / "in.zip")
    assert member(path)._replace(flags=1).sound(path) is None


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("at", [0, 7, 26, 30, 60, 2000])  # mark, flags, length of the name, name, and bytes of the data
def test_what_zipfile_refuses_is_left_to_it(at: int, method: int, tmp_path: Path) -> None:
    path = written(tmp_path / "in.zip", method=method)
    place, raw = member(path), bytearray(path.read_bytes())
    raw[place.offset + at] ^= 0xFF
    path.write_bytes(raw)
    assert place.sound(path) is None
    with zipfile.ZipFile(path) as archive, pytest.raises((zipfile.BadZipFile, zlib.error, UnicodeDecodeError)):
        archive.read(place.name)


def test_a_member_that_was_cut_off_is_left_to_zipfile(tmp_path: Path) -> None:
    path = written(tmp_path / "in.zip", method=zipfile.ZIP_STORED)
    place = member(path)
    path.write_bytes(path.read_bytes()[: place.offset + 3000])
    assert place.sound(path) is None
