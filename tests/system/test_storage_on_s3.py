"""What ganflow, DVC and MLflow keep on S3 comes back as it was, from a real server that also fails."""

import hashlib
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganflow.errors import GanflowError
from ganflow.methods import generator
from ganflow.storage import localize, refresh_stamp
from tests.support.project import Project
from tests.system.conftest import BUCKET
from tests.system.mlflow_server import MlflowServer
from tests.system.postgres import Postgres
from tests.system.proxy import FaultProxy
from tests.system.swift import Swift

PICTURES = 40
POINTS = (
    "experiment=ring8", "data.count=2000", "data.test_count=0", "training.batch=128", "training.kimg=1",
    "training.snapshot_kimg=1", "training.checkpoint_kimg=1", "training.report_kimg=1", "evaluation.samples=300",
    "gan.generator.widths=[16]", "gan.discriminator.widths=[16]", "cluster.workers=1",
)  # fmt: skip


@pytest.fixture
def on_s3(s3: Swift, monkeypatch: pytest.MonkeyPatch) -> Swift:
    """S3, reached by this process's environment."""
    for key, value in s3.environment().items():
        monkeypatch.setenv(key, value)
    return s3


@pytest.fixture(scope="module")
def pictures(s3: Swift) -> dict[str, bytes]:
    """Pictures in two folders of the bucket."""
    kept = {}
    for i in range(PICTURES):
        pixels = np.full((8, 8, 3), i, np.uint8)
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "PNG")
        kept[f"{'ab'[i % 2]}/{i:03d} ü.png"] = stream.getvalue()
        s3.client().put_object(Bucket=BUCKET, Key=f"pictures/{'ab'[i % 2]}/{i:03d} ü.png", Body=stream.getvalue())
    return kept


def below(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_folder_comes_whole(on_s3: Swift, pictures: dict[str, bytes], tmp_path: Path) -> None:
    assert below(localize(f"s3://{BUCKET}/pictures", tmp_path)) == pictures


def test_a_folder_comes_whole_although_requests_are_turned_away(
    on_s3: Swift, faulty: FaultProxy, pictures: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in on_s3.environment(faulty.endpoint).items():
        monkeypatch.setenv(key, value)
    faulty.every = 3
    assert below(localize(f"s3://{BUCKET}/pictures", tmp_path)) == pictures
    assert faulty.refused >= PICTURES // 3


def test_the_stamp_of_a_folder_changes_with_an_object_and_not_without(on_s3: Swift, tmp_path: Path) -> None:
    """Same size, other bytes: only the ETag tells; an object beside the folder is none of it."""

    def put(key: str, body: bytes) -> None:
        on_s3.client().put_object(Bucket=BUCKET, Key=key, Body=body)

    def stamp() -> dict[str, object]:
        assert refresh_stamp(f"s3://{BUCKET}/stamped", tmp_path / "stamp.json") == ""
        read: dict[str, object] = json.loads((tmp_path / "stamp.json").read_text())
        return read

    put("stamped/a ü.png", b"one")
    put("stamped/b/c.png", b"four")
    first = stamp()
    put("stamped-too/a.png", b"other")
    assert (first["files"], first["bytes"]) == (2, 7)
    assert stamp() == first
    put("stamped/a ü.png", b"two")
    second = stamp()
    on_s3.client().delete_object(Bucket=BUCKET, Key="stamped/b/c.png")
    assert len({json.dumps(one) for one in (first, second, stamp())}) == 3


def test_a_source_that_s3_does_not_give_leaves_its_stamp(
    on_s3: Swift, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, uri = tmp_path / "stamp.json", f"s3://{BUCKET}/kept"
    on_s3.client().put_object(Bucket=BUCKET, Key="kept/a.png", Body=b"one")
    refresh_stamp(uri, file)
    before = file.read_text()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "guessed")
    said = refresh_stamp(uri, file)
    assert "the access key or its secret is wrong (SignatureDoesNotMatch)" in said
    assert said.endswith("; what was prepared from it is taken as up to date")
    assert file.read_text() == before


@pytest.mark.parametrize(
    ("uri", "secret", "says"),
    [
        (f"s3://{BUCKET}/nothing", None, "holds no object of that name"),
        ("s3://nobodys/x", None, "NoSuchBucket"),
        (f"s3://{BUCKET}/pictures", "guessed", "the access key or its secret is wrong (SignatureDoesNotMatch)"),
    ],
)
def test_what_a_real_server_refuses_is_one_line(
    on_s3: Swift, uri: str, secret: str | None, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if secret:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    with pytest.raises(GanflowError) as refused:
        localize(uri, tmp_path)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_prepare_reads_pictures_from_s3(on_s3: Swift, pictures: dict[str, bytes], tmp_path: Path) -> None:
    project = Project(tmp_path, "data=image_folder", f"data.path=s3://{BUCKET}/pictures", "cluster.workers=1")
    project.stage("prepare")
    report = json.loads(project.read("reports/prepare.json"))
    assert sum(split["count"] for split in report["splits"].values()) == PICTURES
    assert json.loads(project.read("data/dataset.json"))["classes"] == ["a", "b"]


def test_dvc_brings_data_back_from_s3(on_s3: Swift, tmp_path: Path) -> None:
    project = Project(tmp_path / "one")
    project.begin_history()
    project.run("dvc", "remote", "add", "--default", "store", f"s3://{BUCKET}/dvc")
    project.run("dvc", "repro", "prepare")
    project.run("dvc", "push")
    before = below(project.folder / "data")
    stored = on_s3.client().list_objects_v2(Bucket=BUCKET, Prefix="dvc/files/md5/")["Contents"]
    assert {o["Key"].removeprefix("dvc/files/md5/").replace("/", "") for o in stored} >= {
        hashlib.md5(content).hexdigest() for content in before.values()
    }
    for gone in ("data", ".dvc/cache"):
        shutil.rmtree(project.folder / gone)
    project.run("dvc", "pull", "data")
    assert below(project.folder / "data") == before


def test_a_model_comes_back_from_the_registry(
    mlflow_server: MlflowServer, postgres: Postgres, s3: Swift, tmp_path: Path
) -> None:
    project = Project(tmp_path, *POINTS, f"tracking.uri={mlflow_server.uri}", extractor=())
    project.ready_to_train()
    for stage in ("train", "evaluate", "register"):
        project.stage(stage)  # none of them is told of S3: what they send goes through the server
    registry = json.loads(project.read("reports/registry.json"))
    kept = f"SELECT version FROM model_versions WHERE name = '{registry['name']}'"
    assert postgres.query("mlflow", kept) == [(int(registry["version"]),)]
    pages = s3.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="mlflow/")
    assert [o for page in pages for o in page["Contents"] if o["Key"].endswith("generator.safetensors")]
    shutil.copy(project.folder / "model/generator.safetensors", tmp_path / "ours")
    shutil.rmtree(project.folder / "model")
    name = f"models:/{registry['name']}@challenger"
    project.run("ganflow", "generate", "--model", name, "-n", "12", "--seed", "7", "--out", "x.npz")
    drawn = np.load(tmp_path / "x.npz")["points"]
    assert np.array_equal(drawn, generator.load(tmp_path / "ours").sample(12, seed=7))
