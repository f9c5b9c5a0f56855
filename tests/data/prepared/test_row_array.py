import gc
import os
import resource
from pathlib import Path

import numpy as np
import pytest

from ganflow.data.prepared import row_array as rows_module
from ganflow.data.prepared.row_array import Rows
from ganflow.errors import GanflowError

COUNTS = [4, 1, 7, 3]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{k}.npy" for k in range(len(COUNTS))]
    for path, part in zip(paths, np.split(whole(), np.cumsum(COUNTS)[:-1]), strict=True):
        np.save(path, part)
    return paths


def whole() -> np.ndarray:
    return np.arange(15 * 6).reshape(15, 2, 3)


def rows_of(files: list[Path], shape: tuple[int, ...] = (2, 3)) -> Rows:
    return Rows(files, COUNTS, shape, np.dtype(np.int64), "make it anew")


@pytest.mark.parametrize("indices", [[], [0], [14, 0, 14, 4, 5, 3], list(range(15)), list(range(14, -1, -1))])
def test_rows_are_those_of_the_joined_array(files: list[Path], indices: list[int]) -> None:
    rows = rows_of(files)
    got = rows[np.array(indices, np.int64)]
    np.testing.assert_array_equal(got, whole()[indices] if indices else np.empty((0, 2, 3)))
    assert got.flags.writeable
    np.testing.assert_array_equal(np.asarray(rows), whole())
    assert ((rows == 3) == (whole() == 3)).all()


@pytest.mark.parametrize("index", [-1, 15])
def test_an_index_outside_is_an_error(files: list[Path], index: int) -> None:
    with pytest.raises(IndexError, match=r"of 15 rows"):
        rows_of(files)[np.array([3, index])]


def test_maps_end_with_what_they_belong_to(files: list[Path]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    gc.disable()  # or it would hide a circle of references
    try:
        rows = rows_of(files)
        assert len(os.listdir("/proc/self/fd")) == before + 4
        del rows
        assert len(os.listdir("/proc/self/fd")) == before
    finally:
        gc.enable()


def test_a_mask_is_refused_and_not_taken_for_numbers(files: list[Path]) -> None:
    with pytest.raises(TypeError, match="not by bool"):
        rows_of(files)[np.ones(15, bool)]


def test_more_files_than_may_be_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 200
    paths = [tmp_path / f"{k}.npy" for k in range(count)]
    for k, path in enumerate(paths):
        np.save(path, np.array([2 * k, 2 * k + 1]))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    now = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (now + 90, before[1]))
    try:
        rows = Rows(paths, [2] * count, (), np.dtype(np.int64), "")
        for _ in range(2):
            order = np.random.default_rng(0).permutation(2 * count)
            np.testing.assert_array_equal(rows[order], order)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def read_bytes() -> int:
    (line,) = [line for line in Path("/proc/self/io").read_text().splitlines() if line.startswith("read_bytes:")]
    return int(line.split()[1])


def test_of_more_than_memory_holds_little_more_is_read_than_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, count = tmp_path / "0.npy", 1 << 14
    np.save(path, np.random.default_rng(0).integers(0, 256, (count, 4096), np.uint8))
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)

    def read(share_of_memory: int) -> int:
        monkeypatch.setattr(rows_module, "_SHARE_OF_MEMORY", share_of_memory)
        rows = Rows([path], [count], (4096,), np.dtype(np.uint8), "")
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        before = read_bytes()
        rows[np.arange(0, count, count // 64)]
        return read_bytes() - before

    whole = read(share_of_memory=1)
    if whole == 0:
        pytest.skip("a file system in memory")
    assert read(share_of_memory=1 << 30) <= 64 * 3 * 4096
    os.close(descriptor)


def test_a_file_of_another_shape_or_length_is_refused(files: list[Path]) -> None:
    np.save(files[2], np.zeros((7, 3, 2), np.int64))
    with pytest.raises(GanflowError, match=r"2\.npy is not a readable shard; make it anew"):
        rows_of(files)
    os.truncate(files[2], 200)
    with pytest.raises(GanflowError, match=r"2\.npy is not a readable shard"):
        rows_of(files)
    files[2].unlink()
    with pytest.raises(GanflowError, match=r"2\.npy is missing"):
        rows_of(files)


def test_files_that_are_replaced_meanwhile_are_never_mixed(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    mapped = rows_of(files)
    monkeypatch.setattr(rows_module, "max", lambda *_: 2, raising=False)  # maps at once
    several = rows_of(files)
    several[np.arange(5)]
    for path in files:
        np.save(path.with_name("new.npy"), np.load(path) + 1)
        path.with_name("new.npy").replace(path)
    np.testing.assert_array_equal(np.asarray(mapped), whole())
    with pytest.raises(GanflowError, match=r"2\.npy was replaced while it was in use"):
        np.asarray(several)
    files[2].unlink()
    with pytest.raises(GanflowError, match=r"2\.npy was replaced"):
        np.asarray(several)
