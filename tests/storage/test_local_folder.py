"""Storage in a folder: files are seen whole or not at all, and what fails is one line."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganflow.errors import GanflowError
from ganflow.storage import MissingError, StorageError, open_storage


def test_files_by_name(tmp_path: Path) -> None:
    storage = open_storage(tmp_path / "place")
    assert storage.names() == []
    storage.write("a/2", b"two")
    storage.write("a/1", b"one")
    storage.write("b", b"three")
    storage.write("b", b"four")
    assert storage.names() == ["a/1", "a/2", "b"]
    assert storage.names("a/") == ["a/1", "a/2"]
    assert storage.below("a").names() == ["1", "2"]
    assert (storage.read("b"), storage.below("a").read("1")) == (b"four", b"one")
    storage.remove("a/1")
    storage.remove("a/1")
    assert storage.names() == ["a/2", "b"]


def test_large_files_by_path(tmp_path: Path) -> None:
    storage, source = open_storage(str(tmp_path / "place")), tmp_path / "source"
    source.write_bytes(os.urandom(3 << 20))
    storage.upload(source, "x/large")
    storage.download("x/large", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == source.read_bytes()


def test_a_place_is_moved_over_another(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    storage.write("old/kept", b"before")
    storage.write("new/a/b", b"now")
    storage.below("new").move(storage.below("old"))
    assert storage.names() == ["old/a/b"]


def test_what_is_unfinished_is_not_there_and_goes(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    storage.write("a/1", b"one")
    left = tmp_path / "a/.2.77.partial"
    left.write_bytes(b"tw")
    assert storage.names() == ["a/1"]
    storage.tidy()
    assert not left.exists()
    assert storage.read("a/1") == b"one"


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    with pytest.raises(MissingError, match=r"nothing is not there$"):
        storage.read("nothing")
    with pytest.raises(MissingError, match=r"nothing is not there$"):
        storage.download("nothing", tmp_path / "x")
    assert storage.names() == []


def test_a_scheme_that_nobody_knows_is_refused() -> None:
    with pytest.raises(GanflowError, match=r"^gs://bucket/x: storage is a path or s3://bucket/prefix$"):
        open_storage("gs://bucket/x")
    with pytest.raises(GanflowError, match=r"names no bucket"):
        open_storage("s3://")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk; CI is root")
def test_a_full_disk_keeps_the_old_file_and_may_pass(small_disk: Path) -> None:
    storage = open_storage(small_disk)
    storage.write("x", b"old")
    with pytest.raises(StorageError, match=r"^cannot write .*/x: No space left on device$") as full:
        storage.write("x", bytes(2 << 20))
    assert full.value.passing
    assert storage.read("x") == b"old"
    assert [p.name for p in small_disk.iterdir()] == ["x"]
    storage.write("x", b"new")
    assert storage.read("x") == b"new"


def test_what_will_not_pass_is_known(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=r"^cannot write .*: (Not a directory|File exists)") as refused:
        open_storage(tmp_path / "file").write("x", b"")
    assert not refused.value.passing
