import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganflow.atomic_files import locked
from ganflow.errors import GanflowError
from ganflow.generation.sampling import Sampling
from ganflow.generation.writers import folder, manifest
from ganflow.methods.generator import Generator
from tests.generation.writers.made import CLASSES, PLAIN, POINTS, SPEC, below, die_at, model, write

SAMPLING = Sampling(model(), 50, 7, batch=8)


def out(path: Path) -> str:
    return f"{path}/"


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_a_png_each_and_a_record(tmp_path: Path) -> None:
    write(out(tmp_path), SAMPLING)
    names = [f"{i:06d}.png" for i in range(50)]
    assert sorted(below(tmp_path)) == [*names, manifest.RECORD]
    expected = SAMPLING.generator.sample(50, 7, batch=8)
    np.testing.assert_array_equal(np.stack([pixels(tmp_path / name) for name in names]), expected)
    said = json.loads((tmp_path / manifest.RECORD).read_text())
    assert said == {
        "format": 1, "model": SAMPLING.generator.digest(), "n": 50, "seed": 7, "label": None, "truncation": None,
        "by_class": False,
    }  # fmt: skip


def test_many_lie_in_folders_of_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "TOGETHER", 20)
    write(out(tmp_path), SAMPLING)
    assert Counter(path.parent.name for path in tmp_path.glob("*/*.png")) == {"000": 20, "001": 20, "002": 10}
    assert (tmp_path / "001/000020.png").is_file()
    expected = SAMPLING.generator.sample(50, 7, batch=8)
    np.testing.assert_array_equal(pixels(tmp_path / "002/000045.png"), expected[45])


@pytest.mark.parametrize("together", [10_000, 10])
def test_by_class_each_has_a_folder(together: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "TOGETHER", together)
    write(out(tmp_path), replace(SAMPLING, label=[2, 0]), by_class=True)
    found = sorted(tmp_path.rglob("*.png"))
    assert Counter(path.relative_to(tmp_path).parts[0] for path in found) == {"owl": 25, "cat": 25}
    expected = SAMPLING.generator.sample(50, 7, [2, 0], batch=8)
    for path in found:
        index = int(path.stem)
        assert path.relative_to(tmp_path).parts[0] == CLASSES[[2, 0][index % 2]]
        assert len(path.relative_to(tmp_path).parts) == (2 if together > 25 else 3)
        np.testing.assert_array_equal(pixels(path), expected[index])
    assert all(len(list(path.parent.iterdir())) <= together for path in found)


def test_classes_that_cannot_name_a_folder_are_numbers(tmp_path: Path) -> None:
    """A model may come from anybody."""
    spec = replace(SPEC, num_classes=6, classes=["../../up", "a/b", "", "..", "same", "same"])
    write(out(tmp_path / "in"), Sampling(model(spec), 6), by_class=True)
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == [*"012345", manifest.RECORD]
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("by_class", [False, True])
@pytest.mark.parametrize(
    ("owner", "name", "call"), [(Generator, "draw", 3), (Path, "replace", 1), (Path, "replace", 29)]
)
def test_killed_and_run_again_is_as_if_it_had_not_been(
    owner: type, name: str, call: int, by_class: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "TOGETHER", 9)
    write(out(tmp_path / "whole"), SAMPLING, by_class=by_class)
    cut = tmp_path / "cut"
    die_at(call, owner, name, lambda: write(out(cut), SAMPLING, by_class=by_class))
    begun = {name: content for name, content in below(cut).items() if name.endswith(".png")}
    assert len(begun) < 50
    assert begun or call < 2
    drawn: list[int] = []
    draw = Sampling.draw
    monkeypatch.setattr(Sampling, "draw", lambda self, first: drawn.append(first) or draw(self, first))
    write(out(cut), SAMPLING, by_class=by_class)
    assert below(cut) == below(tmp_path / "whole")
    assert drawn == [
        first
        for first in range(0, 50, 8)
        if not {f"{i:06d}.png" for i in range(first, min(first + 8, 50))} <= {name.rpartition("/")[2] for name in begun}
    ]
    drawn.clear()
    write(out(cut), SAMPLING, by_class=by_class)
    assert not drawn, "all is there"


@pytest.mark.parametrize(
    ("other", "line"),
    [
        ({"seed": 8}, "samples with seed=7 were begun there, not 8"),
        ({"n": 60}, "samples with n=50 were begun there, not 60"),
        ({"label": [1]}, "samples with label=null were begun there, not [1]"),
        ({"truncation": 0.5}, "samples with truncation=null were begun there, not 0.5"),
        ({"generator": model(seed=1)}, "samples of another model were begun there"),
    ],
)
def test_other_samples_are_not_mixed_in(other: dict[str, object], line: str, tmp_path: Path) -> None:
    write(out(tmp_path), SAMPLING)
    before = below(tmp_path)
    with pytest.raises(GanflowError) as refused:
        write(out(tmp_path), replace(SAMPLING, **other))
    assert str(refused.value) == f"out={tmp_path}/: {line}; name another place, or remove what is there"
    assert below(tmp_path) == before


def test_nor_into_pictures_that_nobody_knows(tmp_path: Path) -> None:
    (tmp_path / "000003.png").write_bytes(b"somebody's")
    with pytest.raises(GanflowError, match=r"has such files and no samples\.json to say of which model"):
        write(out(tmp_path), SAMPLING)
    assert below(tmp_path) == {"000003.png": b"somebody's"}


def test_what_else_lies_there_stays(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes(b"mine")
    (tmp_path / "7.png").write_bytes(b"mine, too")
    write(out(tmp_path), SAMPLING)
    assert len(below(tmp_path)) == 53
    assert (tmp_path / "7.png").read_bytes() == b"mine, too"


def test_a_damaged_record_is_one_line(tmp_path: Path) -> None:
    (tmp_path / manifest.RECORD).write_text("{")
    with pytest.raises(GanflowError, match=r"samples\.json is damaged; name another place, or remove what is there$"):
        write(out(tmp_path), SAMPLING)


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    with locked(tmp_path, "generate"), pytest.raises(GanflowError, match="belongs to a generate that is still running"):
        write(out(tmp_path), SAMPLING)
    assert not below(tmp_path)


def test_points_and_classes_that_there_are_not_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GanflowError, match=r"points are not images; name a \.png"):
        write(out(tmp_path / "x"), Sampling(model(POINTS), 5))
    with pytest.raises(GanflowError, match=r"^by_class=True: this generator is unconditional$"):
        write(out(tmp_path / "x"), Sampling(model(PLAIN), 5), by_class=True)
    assert not (tmp_path / "x").exists()
