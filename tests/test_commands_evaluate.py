"""`ganflow evaluate` and `ganflow compare`, from the command line to the figures."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ganflow.data.dataset import Dataset

SMALL = ("evaluation.extractor.kimg=8", "evaluation.extractor.width=8", "evaluation.resamples=50")


def ganflow(folder: Path, *arguments: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "ganflow.cli", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    return done.returncode, done.stdout, done.stderr


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
    metrics = ("evaluation/metrics=[kid,ppl]", "evaluation.snapshot_metrics=[kid]", "tune.metric=kid")
    code, said, error = ganflow(folder, "evaluate", "--samples", "good.npz", *metrics, *SMALL)
    assert code == 0, error
    assert said.splitlines()[-1] == "not measured, for it needs a generator or classes: ppl"


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


def test_too_few_samples_are_refused_before_the_work(folder: Path) -> None:
    np.savez(folder / "few.npz", images=np.zeros((16, 8, 8, 1), np.uint8))
    code, _, error = ganflow(folder, "evaluate", "--samples", "few.npz", *SMALL)
    assert code == 2
    assert error.splitlines()[-1].startswith("ganflow: evaluation.samples=16: must be at least 17 for fid of the 16 f")
