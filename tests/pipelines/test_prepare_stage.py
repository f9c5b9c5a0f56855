"""The stage: ``params.yaml`` in, ``data/`` and ``reports/prepare.json`` out, one line when it cannot."""

import json
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganflow.config import params_file
from ganflow.config.composition import compose
from ganflow.data.prepared.dataset import Dataset, Facts
from pipelines.prepare import main

pytestmark = pytest.mark.slow

SO_FAR = re.compile(r"prepare: working, \d+ s so far\n")  # what waits for a server says that it does


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def params(*overrides: str) -> None:
    Path("params.yaml").write_text(params_file.dump(compose(overrides)))


def write_idx(folder: Path, side: int) -> None:
    folder.mkdir()
    images = np.random.default_rng(0).integers(0, 256, (30, side, side), dtype=np.uint8)
    labels = (np.arange(30) % 3).astype(np.uint8)
    (folder / "train-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, 30, side, side) + images.tobytes())
    (folder / "train-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, 30) + labels.tobytes())


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert not Path("data").exists()
    assert not Path("reports").exists()
    lines = capsys.readouterr().err.splitlines(keepends=True)
    (line,) = [line for line in lines if not SO_FAR.fullmatch(line)]
    assert line.startswith("ganflow: ")
    return line


def test_the_default_recipe_prepares_the_digits() -> None:
    params()
    main()
    assert Dataset.open(Path("data")).facts == Facts((1, 8, 8), 10)
    report = json.loads(Path("reports/prepare.json").read_text())
    assert report["splits"]["test"]["count"] == 359
    assert sum(report["splits"]["train"]["per_class"].values()) == report["splits"]["train"]["count"] == 1438
    assert report["digest"] == Dataset.open(Path("data")).digest
    assert sorted(p.name for p in Path().iterdir()) == ["data", "params.yaml", "reports"]


def test_a_local_idx_folder(project: Path) -> None:
    write_idx(project / "in", side=8)
    params("data=idx", f"data.path={project / 'in'}")
    main()
    assert Dataset.open(Path("data")).facts == Facts((1, 8, 8), 3)


def test_images_that_the_network_cannot_make_are_refused_before_any_work(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_idx(project / "in", side=9)
    params("data=idx", f"data.path={project / 'in'}")
    assert "cannot make 9" in refused(capsys)


def test_no_path_and_a_wrong_one_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    params("data=image_folder")
    assert "data.path=: must name a folder, zip or tar" in refused(capsys)
    params("data=image_folder", "data.path=nowhere")
    assert "nowhere does not exist" in refused(capsys)


def write_images(folder: Path, *names: str) -> Path:
    for i, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (8, 8), dtype=np.uint8)).save(folder / name)
    return folder


def test_splits_are_named_on_the_command_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"{part}/{kind}/{i}.png" for part in ("part A", "b", "c") for kind in ("x", "y") for i in range(2)]
    write_images(project / "in", *names)
    params("data=image_folder", f"data.path={project / 'in'}", "data.splits={train:part A,test:[b,c]}")
    main()
    report = json.loads(Path("reports/prepare.json").read_text())
    assert {name: split["count"] for name, split in report["splits"].items()} == {"train": 4, "test": 8}
    assert report["understood"]["splits"] == {"train": "part A/", "test": "b/, c/"}
    assert "2 classes from folders: x, y; train 4 (part A/), test 8 (b/, c/)" in capsys.readouterr().err


def test_a_test_split_is_chosen_on_the_command_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"{split}/{kind}.png" for split in ("train", "val") for kind in ("x/1", "y/1")]
    write_images(project / "in", *names, "test/1.png")
    params("data=image_folder", f"data.path={project / 'in'}")
    assert "test/ has no class folders, train/ has; data.test=val takes val/ instead" in refused(capsys)
    params("data=image_folder", f"data.path={project / 'in'}", "data.test=val")
    main()
    assert Dataset.open(Path("data"), "test").classes == ["x", "y"]


def test_a_refusal_because_of_labels_says_why_there_are_none(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_images(project / "in", "faces/1.png", "faces/2.png")
    params("data=image_folder", f"data.path={path}")
    assert refused(capsys) == (
        "ganflow: gan.conditioning=projection: the data set has no labels; set gan.conditioning=none (no class "
        "folders; every image lies in one folder, faces/, which is not read as a class; data.labels=folders reads it "
        "as one)\n"
    )
    params("data=image_folder", f"data.path={path}", "data.labels=folders")
    assert "the data set has a single class; set gan.conditioning=none" in refused(capsys)


def test_object_storage_that_does_not_answer_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {
        "ENDPOINT_URL": "http://127.0.0.1:9",
        "ACCESS_KEY_ID": "a",
        "SECRET_ACCESS_KEY": "hush",
        "REGION": "x",
    }
    for key, value in environment.items():
        monkeypatch.setenv(f"AWS_{key}", value)
    params("data=idx", "data.path=s3://bucket/mnist")
    line = refused(capsys)
    assert "s3://bucket/mnist: http://127.0.0.1:9 does not answer" in line
    assert "hush" not in line
