"""`dvc repro` notices that the source changed, needs none where it was prepared elsewhere, and else does nothing."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganflow.config import components
from ganflow.config.composition import compose
from ganflow.errors import ConfigError
from tests.support.project import ROOT, Project

pytestmark = pytest.mark.slow


def write_image(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def prepared(project: Project) -> int:
    report = json.loads(project.read("reports/prepare.json"))
    return sum(split["count"] for split in report["splits"].values())


def test_a_source_that_grows_is_prepared_again_and_one_that_is_away_is_not(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for i in range(20):
        write_image(photos / f"{'ab'[i % 2]}/{i}.png", i)
    project = Project(tmp_path / "project", "data=image_folder", f"data.path={photos}")
    project.begin_history()
    said = project.run("dvc", "repro", "prepare")
    assert "prepare: 20 grey images of 8x8; 2 classes from folders: a, b; train 18" in said
    write_image(photos / "a/new.png", 99)
    project.run("dvc", "repro", "prepare")
    assert prepared(project) == 21
    digest = json.loads(project.read("data/dataset.json"))["digest"]
    photos.rename(tmp_path / "away")
    said = project.run("dvc", "repro", "prepare")
    assert f"ganflow: {photos} is not here; what was prepared from it is taken as up to date" in said
    assert "Stage 'prepare' didn't change, skipping" in said
    assert json.loads(project.read("data/dataset.json"))["digest"] == digest


@pytest.mark.parametrize(
    ("data", "watch"),
    [
        (["data=digits"], []),
        (["data=ring8"], []),
        (["data=image_folder", "data.path=x"], ["path"]),
        (["data=idx", "data.path=x"], ["path"]),
        (["data=stacked_mnist", "data.path=x"], ["path"]),
    ],
)
def test_what_has_a_path_is_watched(data: list[str], watch: list[str]) -> None:
    assert compose(data).data["watch"] == watch


def test_it_can_be_turned_off_and_nothing_else_can_be_watched() -> None:
    assert compose(["data=idx", "data.path=x", "data.watch=[]"]).data["watch"] == []
    for data in (["data=idx", "data.path=x", "data.watch=[url]"], ["data=digits", "data.watch=[path]"]):
        with pytest.raises(ConfigError, match=r"^data\.watch=\["):
            components.build("source", compose(data).data, "data")


def test_the_stamps_folder_is_in_git_for_prepare_depends_on_it() -> None:
    assert "/path.json" in (ROOT / "infra/dvc/source/.gitignore").read_text().splitlines()
