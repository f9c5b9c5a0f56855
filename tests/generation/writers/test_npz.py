import json
import os
import resource
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ganflow.errors import GanflowError
from ganflow.generation.sampling import Sampling
from ganflow.generation.writers import npz
from ganflow.methods.generator import Generator, GeneratorSpec
from tests.generation.writers.made import PLAIN, POINTS, SPEC, below, die_at, model, write

SAMPLING = Sampling(model(replace(SPEC, shape=(3, 16, 16))), 400, 7, batch=12)  # a batch fills the file's buffer


@pytest.mark.parametrize(("spec", "name"), [(SPEC, "images"), (PLAIN, "images"), (POINTS, "points")])
def test_numpy_reads_what_was_drawn(spec: GeneratorSpec, name: str, tmp_path: Path) -> None:
    sampling = Sampling(model(spec), 37, 5, batch=10)
    write(f"{tmp_path}/x.npz", sampling)
    expected = sampling.generator.sample(37, 5, batch=10)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as found:
        assert list(found) == ([name, "labels"] if spec.num_classes else [name])
        assert found[name].dtype == expected.dtype
        np.testing.assert_array_equal(found[name], expected)
        if spec.num_classes:
            assert found["labels"].tolist() == [i % 3 for i in range(37)]
    assert zipfile.ZipFile(tmp_path / "x.npz").testzip() is None
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]


@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [(Generator, "draw", 0), (Generator, "draw", 20), (Generator, "labels", 60), (os, "fsync", 3)],
)
def test_killed_and_run_again_is_as_if_it_had_not_been(
    owner: object, name: str, call: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(f"{tmp_path}/whole.npz", SAMPLING)
    cut = f"{tmp_path}/cut.npz"
    die_at(call, owner, name, lambda: write(cut, SAMPLING))
    grown = tmp_path / ".cut.npz.partial" / npz.GROWING
    assert grown.is_file()
    assert not Path(cut).exists()
    drawn: list[int] = []
    draw = Sampling.draw
    monkeypatch.setattr(Sampling, "draw", lambda self, first: drawn.append(first) or draw(self, first))
    write(cut, SAMPLING)
    assert Path(cut).read_bytes() == Path(tmp_path, "whole.npz").read_bytes()
    assert sorted(below(tmp_path)) == ["cut.npz", "whole.npz"]
    kept = {0: 0, 20: 192, 60: 384, 3: 192}[call]
    assert drawn == list(range(kept, 400, 12)), "what was put on disk is not drawn again"


@pytest.mark.parametrize("size", [0, 1, 50, 200_000, 307_328, 309_000])
def test_it_goes_on_from_a_file_of_any_length(size: int, tmp_path: Path) -> None:
    """As a machine that lost its power may leave it."""
    write(f"{tmp_path}/whole.npz", SAMPLING)
    with zipfile.ZipFile(tmp_path / "whole.npz") as whole:
        samples = whole.read("images.npy")
    assert len(samples) == 307_328
    die_at(20, Generator, "draw", lambda: write(f"{tmp_path}/x.npz", SAMPLING))
    (tmp_path / ".x.npz.partial" / npz.GROWING).write_bytes(samples[:size].ljust(size, b"x"))
    write(f"{tmp_path}/x.npz", SAMPLING)
    assert Path(tmp_path, "x.npz").read_bytes() == Path(tmp_path, "whole.npz").read_bytes()


def test_an_entry_may_be_larger_than_32_bits_tell(tmp_path: Path) -> None:
    write(f"{tmp_path}/x.npz", SAMPLING)
    with zipfile.ZipFile(tmp_path / "x.npz") as arrays:
        assert [info.compress_type for info in arrays.infolist()] == [zipfile.ZIP_STORED] * 2
    header = (tmp_path / "x.npz").read_bytes()[:100]
    name, extra = (int.from_bytes(header[place : place + 2], "little") for place in (26, 28))
    # ZIP64's own field: its number, its length, and two sizes of eight bytes. Python 3.11.2 says them above it, too.
    assert extra == 20
    assert header[30 + name : 34 + name] == b"\x01\x00\x10\x00"


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    sampling = replace(SAMPLING, n=40)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))  # Python ignores SIGXFSZ, so it is an OSError
    try:
        with pytest.raises(GanflowError, match=r"^cannot write .*/\.x\.npz\.partial: File too large$"):
            write(f"{tmp_path}/x.npz", sampling)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "x.npz").exists()
    write(f"{tmp_path}/x.npz", sampling)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npz")["images"], sampling.generator.sample(40, 7, batch=12))


def test_other_samples_do_not_go_on(tmp_path: Path) -> None:
    cut = f"{tmp_path}/cut.npz"
    die_at(20, Generator, "draw", lambda: write(cut, SAMPLING))
    before = below(tmp_path)
    with pytest.raises(GanflowError) as refused:
        write(cut, replace(SAMPLING, seed=8))
    assert str(refused.value) == (
        f"out={tmp_path}/.cut.npz.partial: samples with seed=7 were begun there, not 8; "
        "name another place, or remove what is there"
    )
    assert below(tmp_path) == before
    shutil.rmtree(tmp_path / ".cut.npz.partial")
    write(cut, replace(SAMPLING, seed=8))
    assert json.dumps(np.load(cut)["labels"].tolist()) == json.dumps([i % 3 for i in range(400)])


def test_a_file_that_is_there_is_replaced_when_the_new_one_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "x.npz"
    out.write_bytes(b"old")
    die_at(20, Generator, "draw", lambda: write(str(out), SAMPLING))
    assert out.read_bytes() == b"old"
    write(str(out), SAMPLING)
    np.testing.assert_array_equal(np.load(out)["images"], SAMPLING.generator.sample(400, 7, batch=12))


def test_a_place_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(GanflowError, match=r"^cannot write .*/file/\.x\.npz\.partial: Not a directory$"):
        write(f"{tmp_path}/file/x.npz", SAMPLING)
