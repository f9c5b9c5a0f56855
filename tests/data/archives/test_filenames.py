"""Names of files become the text that their writer meant, or a line says what was assumed."""

import os
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from ganflow.data.archives.filenames import archive_stem, check_encoding, decode_names, decode_paths
from ganflow.data.prepare import prepare
from ganflow.errors import ConfigError
from tests.data.made import noise, png, refused, source, write_zip


def zip_of(path: Path, names: dict[bytes, bytes]) -> Path:
    """A zip whose names are these bytes, without the mark of UTF-8; stored, written by hand as old tools do."""
    body, directory = b"", b""
    for name, raw in names.items():
        shared = struct.pack("<HHHHLLLHH", 0, 0, 0, 33, zlib.crc32(raw), len(raw), len(raw), len(name), 0)
        directory += struct.pack("<LHH", 0x02014B50, 20, 20)[:6] + struct.pack("<H", 20) + shared
        directory += struct.pack("<HHHLL", 0, 0, 0, 0, len(body)) + name
        body += struct.pack("<LH", 0x04034B50, 20) + shared + name + raw
    end = struct.pack("<LHHHHLLH", 0x06054B50, 0, 0, len(names), len(names), len(directory), len(body), 0)
    path.write_bytes(body + directory + end)
    return path


def classes(path: Path, tmp_path: Path, **options: Any) -> tuple[list[str], list[str]]:
    report = prepare(source("image_folder", path, test_share=0.0, **options), tmp_path / "data")
    return list(report["splits"]["train"]["per_class"]), report["understood"]["warnings"]


def named(encoding: str, *kinds: str) -> dict[bytes, bytes]:
    return {f"{kind}/{i}.png".encode(encoding): png(noise(i, 4, 4)) for kind in kinds for i in range(2)}


def test_utf8_without_its_mark_is_read(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "in.zip", named("utf-8", "猫", "größe"))
    assert classes(path, tmp_path) == (["größe", "猫"], [])


def test_marked_names_are_read(tmp_path: Path) -> None:
    files = {name.decode(): raw for name, raw in named("utf-8", "猫", "犬").items()}
    assert classes(write_zip(tmp_path / "in.zip", files), tmp_path) == (["犬", "猫"], [])


def test_names_of_dos_are_read_and_told(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "in.zip", named("cp437", "Größe", "cat"))
    assert classes(path, tmp_path) == (
        ["Größe", "cat"],
        [
            "file names are not UTF-8 and were read in cp437, such as Größe/0.png; "
            "data.encoding=… names the right one, such as cp932"
        ],
    )


@pytest.mark.parametrize(
    ("encoding", "kinds"), [("cp932", ["犬", "猫"]), ("gb18030", ["狗", "猫"]), ("cp1251", ["кот"])]
)
def test_another_encoding_is_stated_or_an_option(encoding: str, kinds: list[str], tmp_path: Path) -> None:
    path = zip_of(tmp_path / "in.zip", named(encoding, *kinds, "plain"))
    assert classes(path, tmp_path, encoding=encoding) == (sorted([*kinds, "plain"]), [])
    garbled, warnings = classes(path, tmp_path)
    assert len(garbled) == len(kinds) + 1
    assert "were read in cp437" in warnings[0]


def test_an_encoding_that_does_not_fit_is_one_line(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "in.zip", named("latin-1", "Größe", "cat"))
    line = refused("image_folder", path, tmp_path, encoding="utf-8")
    assert line == "data.encoding=utf-8: does not read the file name b'Gr\\xf6\\xdfe/0.png'"


@pytest.mark.parametrize("encoding", ["hex", "klingon", "utf 9"])
def test_an_encoding_that_there_is_not(encoding: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_encoding(encoding)
    assert str(caught.value) == f"encoding={encoding}: is not a known encoding of text, such as cp932 or latin-1"


def test_a_folder_with_names_that_are_not_utf8(tmp_path: Path) -> None:
    for name, raw in named("cp932", "猫", "犬").items():
        path = os.fsencode(tmp_path / "in") + b"/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(os.fsdecode(path)).write_bytes(raw)
    assert classes(tmp_path / "in", tmp_path, encoding="cp932") == (["犬", "猫"], [])
    assert "were read in latin-1" in classes(tmp_path / "in", tmp_path)[1][0]


def test_a_zip_whose_marked_names_are_not_utf8_is_damaged(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "in.zip", named("latin-1", "Größe", "cat"))
    raw = path.read_bytes()
    at = raw.index(b"PK\x01\x02") + 8
    path.write_bytes(raw[:at] + struct.pack("<H", 0x800) + raw[at + 2 :])
    with pytest.raises(UnicodeDecodeError):
        zipfile.ZipFile(path)
    assert "in.zip is damaged: " in refused("image_folder", path, tmp_path)


def test_only_odd_names_are_decoded_anew() -> None:
    odd = b"\x94L".decode("utf-8", "surrogateescape")
    assert decode_paths(["a", "größe", odd], "cp932") == (["a", "größe", "猫"], [])
    assert decode_paths(["a", "größe"], "ascii") == (["a", "größe"], [])
    assert decode_names([b"a", "猫".encode()], "", "cp437") == (["a", "猫"], [])


def test_stems_of_archives() -> None:
    names = ["a.tar", "b/a.TAR.gz", "x.tgz", "c.zip", "d.v2.tar.xz", "e.png", "tar", "f.7z"]
    assert [archive_stem(name) for name in names] == ["a", "b/a", "x", "c", "d.v2", "", "", ""]
