"""A stamp changes with what lies at a path, and stands where nothing lies there."""

import json
import os
from pathlib import Path

import pytest

from ganflow.storage import refresh_stamp


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for name in ("a/1.png", "a/2.png", "b/3.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"pixels")
    return root


def stamp(path: Path | str, file: Path) -> str:
    refresh_stamp(str(path), file)
    return file.read_text()


def test_it_says_how_much_there_is(source: Path, tmp_path: Path) -> None:
    said = json.loads(stamp(source, tmp_path / "path.json"))
    assert (said["path"], said["files"], said["bytes"]) == (str(source), 3, 18)
    assert len(said["sha256"]) == 64


def add(root: Path) -> None:
    (root / "b/4.png").write_bytes(b"pixels")


def remove(root: Path) -> None:
    (root / "a/1.png").unlink()


def rename(root: Path) -> None:
    (root / "a/1.png").rename(root / "b/1.png")


def grow(root: Path) -> None:
    (root / "a/1.png").write_bytes(b"more pixels")


def write_anew(root: Path) -> None:
    (root / "a/1.png").write_bytes(b"others")
    os.utime(root / "a/1.png", ns=(1, 1))


@pytest.mark.parametrize("change", [add, remove, rename, grow, write_anew])
def test_another_content_is_another_stamp(change: object, source: Path, tmp_path: Path) -> None:
    before = stamp(source, tmp_path / "path.json")
    assert stamp(source, tmp_path / "path.json") == before
    assert callable(change)
    change(source)
    assert stamp(source, tmp_path / "path.json") != before


def test_a_folder_behind_a_link_is_looked_at(source: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/all").symlink_to(source)
    (source / "loop").symlink_to(tmp_path / "in")
    before = stamp(tmp_path / "in", tmp_path / "path.json")
    assert json.loads(before)["files"] == 3
    add(source)
    assert stamp(tmp_path / "in", tmp_path / "path.json") != before


def test_hidden_files_and_a_link_that_leads_nowhere(source: Path, tmp_path: Path) -> None:
    before = stamp(source, tmp_path / "path.json")
    (source / ".DS_Store").write_bytes(b"x")
    (source / ".cache").mkdir()
    (source / ".cache/1.png").write_bytes(b"x")
    assert stamp(source, tmp_path / "path.json") == before
    (source / "gone.png").symlink_to("nowhere")
    assert stamp(source, tmp_path / "path.json") != before


def test_an_archive_has_a_stamp_of_its_own(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    archive.write_bytes(b"one")
    before = stamp(archive, tmp_path / "path.json")
    assert json.loads(before)["files"] == 1
    archive.write_bytes(b"other")
    assert stamp(archive, tmp_path / "path.json") != before


def test_a_source_that_is_not_here_leaves_the_stamp_and_says_so(source: Path, tmp_path: Path) -> None:
    before = stamp(source, tmp_path / "path.json")
    source.rename(tmp_path / "away")
    line = refresh_stamp(str(source), tmp_path / "path.json")
    assert line == f"{source} is not here; what was prepared from it is taken as up to date"
    assert (tmp_path / "path.json").read_text() == before
    (tmp_path / "away").rename(source)
    assert stamp(source, tmp_path / "path.json") == before


def test_another_path_that_is_not_here_takes_no_stamp_of_the_first(source: Path, tmp_path: Path) -> None:
    stamp(source, tmp_path / "path.json")
    assert refresh_stamp(str(tmp_path / "elsewhere"), tmp_path / "path.json") == ""
    assert json.loads((tmp_path / "path.json").read_text()) == {"path": str(tmp_path / "elsewhere"), "files": 0}


@pytest.mark.parametrize("rubbish", ["", "[]", "{}", "text", "7"])
def test_a_stamp_that_cannot_be_read_is_written_anew(rubbish: str, source: Path, tmp_path: Path) -> None:
    (tmp_path / "path.json").write_text(rubbish)
    assert json.loads(stamp(source, tmp_path / "path.json"))["files"] == 3
