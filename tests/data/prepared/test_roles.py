"""Roles beside images and labels are written and read in step, and data without them are what they always were."""

import hashlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import MANIFEST, Dataset, Facts, facts_of, files_of, read_manifest
from ganflow.data.prepared.shards import SplitWriter, workplace, write_manifest
from ganflow.errors import GanflowError
from tests.data.made import noise, png, source, write_idx, write_tree

N, IMAGE, GIVEN = 23, (3, 8, 8), (1, 4, 4)
FACTS = Facts(IMAGE, 2, given=GIVEN, masked=True, normal=(1,))


def arrays(split: str) -> dict[str, np.ndarray]:
    """Rows of every role, no two of them alike."""
    seed = {"train": 0, "test": 10, "held_out": 20}[split]
    rows = {"images": noise(seed, N, *IMAGE), "labels": np.arange(N) % 2, "given": noise(seed + 1, N, *GIVEN)}
    return rows | ({"masks": noise(seed + 2, N, 1, 8, 8) % 2} if split == "test" else {})


def write(out: Path, batch: int = 7, facts: Facts = FACTS) -> Path:
    with workplace(out) as place:
        splits = {}
        for split in ("train", "test", "held_out"):
            writer = SplitWriter(place.data, split, facts, shard_bytes=2000)
            for i in range(0, N, batch):
                images, labels, *others = (values[i : i + batch] for values in arrays(split).values())
                writer.add(images, labels, dict(zip(("given", "masks"), others, strict=False)))
            splits[split] = writer.close()
        write_manifest(place.data, facts, ["bad", "good"], splits, {"name": "made"})
    return out


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("set") / "data")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return write(tmp_path / "data")


@pytest.mark.parametrize("split", ["train", "test", "held_out"])
def test_every_role_is_read_in_step_with_the_images(root: Path, split: str) -> None:
    data, rows = Dataset.open(root, split), arrays(split)
    indices = np.random.default_rng(0).integers(0, N, 40)
    assert data.facts == FACTS
    np.testing.assert_array_equal(data.images(indices), rows["images"][indices])
    np.testing.assert_array_equal(data.given(indices), rows["given"][indices])
    np.testing.assert_array_equal(data.labels, rows["labels"])
    if split == "test":
        np.testing.assert_array_equal(data.masks(indices), rows["masks"][indices])
        assert data.masks(indices).dtype == np.uint8


def test_a_shard_is_full_by_all_that_it_holds(root: Path) -> None:
    counts = {name: [s["count"] for s in split["shards"]] for name, split in read_manifest(root)["splits"].items()}
    assert counts["train"] == [9, 9, 5]  # of 3·64 + 16 bytes each
    assert counts["test"] == [7, 7, 7, 2]  # and 64 of a mask


def test_the_batches_it_was_written_in_leave_no_trace(root: Path, tmp_path: Path) -> None:
    write(tmp_path / "data", batch=23)
    assert (tmp_path / "data" / MANIFEST).read_bytes() == (root / MANIFEST).read_bytes()


def test_a_role_that_a_split_lacks_is_named(root: Path) -> None:
    with pytest.raises(GanflowError, match="has no masks in split train; it has images, labels, given"):
        Dataset.open(root).masks(np.arange(2))


def test_a_pickled_data_set_reads_all_roles(root: Path) -> None:
    copy = pickle.loads(pickle.dumps(Dataset.open(root, "test")))
    np.testing.assert_array_equal(copy.masks(np.arange(N)), arrays("test")["masks"])


def test_the_manifest_lists_every_file_and_states_the_facts(root: Path) -> None:
    manifest = json.loads((root / MANIFEST).read_text())
    present = {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*.npy")}
    assert files_of(manifest) == {name: hashlib.sha256(raw).hexdigest() for name, raw in present.items()}
    assert [manifest[key] for key in ("format", "given", "masked", "normal")] == [3, [1, 4, 4], True, [1]]
    assert facts_of(manifest) == FACTS


@pytest.mark.parametrize("file", ["test/given-00001.npy", "test/masks-00000.npy"])
def test_a_flipped_bit_of_any_role_is_refused_by_name(own: Path, file: str) -> None:
    raw = bytearray((own / file).read_bytes())
    raw[-1] ^= 1
    (own / file).write_bytes(raw)
    with pytest.raises(GanflowError, match=f"{file} does not match its checksum"):
        Dataset.open(own, "test")
    assert len(Dataset.open(own, "train")) == N


def _masks_swapped(manifest: dict[str, Any]) -> None:
    first, second, *_ = manifest["splits"]["test"]["shards"]
    first["masks"], second["masks"] = second["masks"], first["masks"]


CHANGES: list[Callable[[dict[str, Any]], object]] = [
    _masks_swapped,
    lambda manifest: manifest.update(normal=[0]),
    lambda manifest: manifest.update(given=[1, 2, 8]),
    lambda manifest: manifest.pop("masked"),
    lambda manifest: manifest["splits"]["train"]["shards"][0].pop("given"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_the_digest_holds_what_the_roles_are(own: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((own / MANIFEST).read_text())
    change(manifest)
    (own / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(GanflowError, match="was changed after it was written"):
        Dataset.open(own, "test")


def test_rows_of_another_shape_or_role_are_refused(tmp_path: Path) -> None:
    writer = SplitWriter(tmp_path, "train", FACTS)
    images, labels, given = arrays("train").values()
    wrong: list[dict[str, Any]] = [
        {},
        {"given": given[:-1]},
        {"given": given, "masks": given},
        {"given": given.astype(np.int16)},
    ]
    for further in wrong:
        with pytest.raises(ValueError, match="split train takes"):
            writer.add(images, labels, further)


# Data without further roles


def test_the_digests_of_before_stand(tmp_path: Path) -> None:
    folder = write_tree(tmp_path / "in", {f"{'bac'[i % 3]}/{i:03d}.png": png(noise(i, 6, 6, 3)) for i in range(30)})
    sources = {
        "0e228db8d4d9b612b8c70e62cf6416a3fcd129769b18d92fa2904cfd5bf467fb": source("digits"),
        "b94c97ef15c8dae24bc2067f70da949a0b8932c7cb249adea812e4cc23fa6cac": source("digits", resize="16x12"),
        "07443c5e682254bb87fdfc29eba8cf9bd462560803f91356f318e86085986aec": source("idx", write_idx(tmp_path / "idx")),
        "4d38c1b263eee822e1a0e63508a321cd1cf16bd13db05c1cf89faed8a78bbc7a": source("image_folder", folder),
    }
    for digest, made in sources.items():
        assert prepare(made, tmp_path / "data")["digest"] == digest


def test_the_manifest_of_before_stands_byte_for_byte(tmp_path: Path) -> None:
    prepare(source("digits"), tmp_path / "data")
    raw = (tmp_path / "data" / MANIFEST).read_bytes()
    assert hashlib.sha256(raw).hexdigest() == "edf134cae07e0a049d41ee80dda512220b88f2ae62ce8838a56ba2f62cbf66fd"
