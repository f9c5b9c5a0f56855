"""`ganflow evaluate` and `ganflow compare`, from the command line to the figures."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ganflow.commands.evaluate import evaluate
from ganflow.data.prepared.dataset import Dataset
from ganflow.errors import GanflowError
from tests.support.preloaded import ganflow

pytestmark = pytest.mark.slow

SMALL = ("evaluation.extractor.kimg=8", "evaluation.extractor.width=8", "evaluation.resamples=50")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Path:
    """Somebody's samples: real digits of the test split, half of them, and the same with noise."""
    place = tmp_path_factory.mktemp("theirs")
    test = Dataset.open(digits, "test")
    images = test.images(np.arange(len(test))).transpose(0, 2, 3, 1)
    noise = np.random.default_rng(0).integers(0, 120, images.shape)
    np.savez(place / "good.npz", images=images, labels=test.labels)
    np.savez(place / "noisy.npz", images=np.clip(images + noise, 0, 255).astype(np.uint8), labels=test.labels)
    (place / "data").symlink_to(digits)
    return place


def test_images_of_any_generator_are_measured(folder: Path) -> None:
    code, said, error = ganflow(folder, "evaluate", "--samples", "good.npz", "--out", "out.json", *SMALL)
    assert code == 0, error
    found = json.loads((folder / "out.json").read_text())
    assert found["fid_low"] < found["fid_high"]
    assert found["coverage"] == 1.0
    assert (found["samples"], found["reference_samples"]) == (359, 1438)
    assert 0.9 < found["precision"] <= 1
    lines = dict(line.split(maxsplit=1) for line in said.splitlines())
    assert lines["fid"].startswith(f"{found['fid']:.4g}  (95 %: ")
    assert "fid_low" not in lines
    assert "samples: 359 of 359 images" in error


def test_a_page_shows_them(folder: Path) -> None:
    code, _, error = ganflow(folder, "evaluate", "--samples", "good.npz", "--out", "out.html", *SMALL)
    assert code == 0, error
    page = (folder / "out.html").read_text()
    assert "<title>good.npz</title>" in page
    assert page.count("<img ") == 2  # samples, closest pairs
    code, _, error = ganflow(folder, "evaluate", "--samples", "good.npz", "--out", "out.txt", *SMALL)
    assert (code, error) == (2, "ganflow: out=out.txt: a name that ends in .json or .html\n")


def test_what_needs_a_generator_is_said_to_be_left_out(folder: Path) -> None:
    code, said, error = ganflow(folder, "evaluate", "--samples", "good.npz", "evaluation/metrics=[kid,ppl]", *SMALL)
    assert code == 0, error
    assert said.splitlines()[-1] == "ppl is left out: needs a generator of images"


def test_the_better_of_two_is_named(folder: Path) -> None:
    code, said, error = ganflow(folder, "compare", "noisy.npz", "good.npz", *SMALL)
    assert code == 0, error
    assert said.splitlines()[-1].startswith("B is better: fid differs by +")
    code, said, error = ganflow(folder, "compare", "good.npz", "good.npz", *SMALL)
    assert code == 0, error
    assert said.splitlines()[-1].startswith("neither is better: fid differs by +0 ± ")


def test_bad_samples_are_one_line(folder: Path) -> None:
    np.savez(folder / "floats.npz", images=np.zeros((4, 8, 8, 1), np.float32))
    code, _, error = ganflow(folder, "evaluate", "--samples", "floats.npz", *SMALL)
    assert code == 2
    last = error.splitlines()[-1]
    assert last == "ganflow: floats.npz: images are float32 from 0 to 0; they must be uint8, 0 to 255"


def test_few_samples_cost_the_figures_that_need_more(folder: Path) -> None:
    np.savez(folder / "few.npz", images=np.zeros((16, 8, 8, 1), np.uint8))
    code, said, error = ganflow(folder, "evaluate", "--samples", "few.npz", "--out", "few.json", *SMALL)
    assert code == 0, error
    why = "16 samples of 16 features: the covariance needs more samples than features"
    assert f"fid is left out: {why}; raise evaluation.samples, or measure kid" in said.splitlines()
    found = json.loads((folder / "few.json").read_text())
    assert found["left_out"]["fid"].startswith(why)
    assert found["kid"] > 0


def pictures(root: Path, images: NDArray[np.uint8], side: int) -> None:
    root.mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image).resize((side, side), Image.Resampling.NEAREST).save(root / f"{i:03d}.png")


@pytest.mark.usefixtures("messages")
def test_pictures_of_another_size_are_resized(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    images = np.load("good.npz")["images"][:60, :, :, 0]
    pictures(tmp_path / "large", images, 16)
    np.savez(tmp_path / "first.npz", images=images)
    large, settings = str(tmp_path / "large"), ["evaluation/metrics=[kid]", *SMALL]
    with pytest.raises(GanflowError) as refused:
        evaluate(large, "data", settings, None)
    shapes = "grey images of 16x16, the reference grey images of 8x8"
    assert str(refused.value) == f"{large} holds {shapes}; data.resize=8 makes them equal"
    resized = evaluate(large, "data", [*settings, "data.resize=8", "data.filter=box"], None)
    assert f"ganflow: {large}: 60 grey images of 8x8; no classes" in capsys.readouterr().err
    assert resized == evaluate(str(tmp_path / "first.npz"), "data", settings, None)


@pytest.mark.usefixtures("messages")
def test_classes_that_are_not_the_reference_s_are_said(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    good, named = np.load("good.npz"), str(tmp_path / "named.npz")
    np.savez(named, images=good["images"], labels=np.array([f"digit {i}" for i in good["labels"]]))
    lines = evaluate(named, "data", ["evaluation/metrics=[kid,intra_fid]", *SMALL], None)
    assert lines[-1] == "intra_fid is left out: needs classes of the samples and of the reference"
    lacks = "the reference has no digit 0, digit 1, digit 2, digit 3, digit 4; it has 0, 1, 2, 3, 4"
    assert f"ganflow: {named}: its classes are left out, because {lacks}" in capsys.readouterr().err.splitlines()
