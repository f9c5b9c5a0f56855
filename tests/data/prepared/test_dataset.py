"""Reading a prepared data set: it gives back exactly what was written, and refuses anything else."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganflow.data.prepared.dataset import MANIFEST, Dataset, Facts
from ganflow.data.prepared.shards import SplitWriter, workplace, write_manifest
from ganflow.errors import GanflowError

FACTS = Facts((3, 4, 4), 5)
N = 53


def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (N, 3, 4, 4), dtype=np.uint8)


def labels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 5, N)


def write(out: Path, shard_images: int = 10, batch: int = 7) -> None:
    x, y = pixels(), labels()
    with workplace(out) as place:
        writer = SplitWriter(place.data, "train", FACTS, shard_bytes=shard_images * 48)
        for i in range(0, N, batch):
            writer.add(x[i : i + batch], y[i : i + batch])
        write_manifest(place.data, FACTS, list("abcde"), {"train": writer.close()}, {"name": "made"})


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("set") / "data"
    write(out)
    return out


@pytest.fixture
def own(tmp_path: Path) -> Path:
    write(tmp_path / "data")
    return tmp_path / "data"


def test_what_was_written_is_read(root: Path) -> None:
    data = Dataset.open(root)
    assert (data.facts, data.classes, len(data)) == (FACTS, list("abcde"), N)
    assert data.labels.dtype == np.int64
    np.testing.assert_array_equal(data.labels, labels())
    assert len(list((root / "train").glob("images-*"))) == 6


@settings(max_examples=60)
@given(indices=st.lists(st.integers(0, N - 1), max_size=40))
def test_images_is_plain_fancy_indexing(root: Path, indices: list[int]) -> None:
    got = Dataset.open(root, verify=False).images(np.array(indices, dtype=np.int64))
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, pixels()[np.array(indices, dtype=np.int64)])


@pytest.mark.parametrize("index", [-1, N])
def test_an_index_outside_is_an_error_and_never_wraps_around(root: Path, index: int) -> None:
    with pytest.raises(IndexError):
        Dataset.open(root).images(np.array([0, index]))


def test_a_pickled_data_set_carries_no_pixels(root: Path) -> None:
    data = Dataset.open(root)
    copy = pickle.loads(pickle.dumps(data))
    assert len(pickle.dumps(data)) < 1000
    np.testing.assert_array_equal(copy.images(np.arange(N)), pixels())


def test_the_batches_it_was_written_in_leave_no_trace(root: Path, tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", batch=53)
    assert Dataset.open(tmp_path / "elsewhere").digest == Dataset.open(root).digest
    names = [p.relative_to(root) for p in sorted(root.rglob("*")) if p.is_file()]
    assert all((root / n).read_bytes() == (tmp_path / "elsewhere" / n).read_bytes() for n in names)


@pytest.mark.parametrize("file", ["train/images-00003.npy", "train/labels-00000.npy"])
def test_a_flipped_bit_is_refused_by_name(own: Path, file: str) -> None:
    raw = bytearray((own / file).read_bytes())
    raw[-1] ^= 1
    (own / file).write_bytes(raw)
    with pytest.raises(GanflowError, match=f"{file} does not match its checksum"):
        Dataset.open(own)


def test_a_missing_shard_is_named_even_without_verification(own: Path) -> None:
    (own / "train/images-00001.npy").unlink()
    with pytest.raises(GanflowError, match=r"images-00001\.npy is missing"):
        Dataset.open(own, verify=False)


def test_a_torn_shard_is_an_error_without_verification(own: Path) -> None:
    (own / "train/images-00001.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(GanflowError, match="not a readable shard"):
        Dataset.open(own, verify=False)


def test_no_data_set_and_no_split(root: Path, tmp_path: Path) -> None:
    with pytest.raises(GanflowError, match=r"dataset\.json is missing"):
        Dataset.open(tmp_path)
    with pytest.raises(GanflowError, match="no split 'test'; it has train"):
        Dataset.open(root, "test")


def test_an_edited_description_is_refused(own: Path) -> None:
    manifest = json.loads((own / MANIFEST).read_text())
    manifest["classes"][0] = "z"
    (own / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(GanflowError, match="changed after it was written"):
        Dataset.open(own)


def test_another_format_version_is_refused(own: Path) -> None:
    manifest = json.loads((own / MANIFEST).read_text())
    (own / MANIFEST).write_text(json.dumps({**manifest, "format": 4}))
    with pytest.raises(GanflowError, match="format version 4, this ganflow reads 1 to 3"):
        Dataset.open(own)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', "{"])
def test_a_torn_description_is_refused(own: Path, text: str) -> None:
    (own / MANIFEST).write_text(text)
    with pytest.raises(GanflowError, match=r"not a valid record|format version None|changed after"):
        Dataset.open(own)
