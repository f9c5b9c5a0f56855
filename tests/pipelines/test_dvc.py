"""`dvc repro` and `dvc exp run` in a project of their own: every stage real, in the small."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganflow.methods import generator
from tests.support.patience import patience
from tests.support.project import Project

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """After `dvc repro`, committed."""
    return Project.reproduced(tmp_path_factory.mktemp("project"))


def versions(project: Project) -> list[dict[str, str]]:
    """The registered model's versions: alias and tags."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{project.folder}/mlflow.db")
    found = client.search_model_versions("name = 'ganflow-digits'")
    challenger = client.get_model_version_by_alias("ganflow-digits", "challenger").version
    return [{**v.tags, "version": str(v.version), "challenger": str(v.version == challenger)} for v in found]


def test_every_declared_out_is_there(project: Project) -> None:
    for out in (
        "data/dataset.json", "reports/tune/best.yaml", "model/generator.safetensors", "model/run.json",
        "reports/metrics.json", "reports/report.html", "reports/evaluation/pairs.png",
        "reports/classes.csv", "reports/training.csv", "reports/samples/final.png", "mlflow.db",
    ):  # fmt: skip
        assert (project.folder / out).exists(), out


def test_nothing_is_left_to_do(project: Project) -> None:
    assert "up to date" in project.run("dvc", "status")
    said = project.run("dvc", "repro")
    assert said.count("didn't change, skipping") == 5


def test_figures_stand_with_their_protocol(project: Project) -> None:
    metrics = json.loads(project.read("reports/metrics.json"))
    assert {"fid", "kid", "kid_std", "coverage", "precision", "memorisation_p"} <= metrics.keys()
    assert metrics["fid_low"] < metrics["fid_high"]
    assert metrics["samples"] == 200
    assert metrics["reference"] == "train"
    assert metrics["reference_samples"] == 1438
    assert metrics["extractor"].startswith("classifier-")
    assert 0.5 < metrics["extractor_accuracy"] <= 1


def test_the_search_reaches_training(project: Project) -> None:
    import yaml

    best = yaml.safe_load(project.read("reports/tune/best.yaml"))
    trained = yaml.safe_load(project.read("model/config.yaml"))
    params = yaml.safe_load(project.read("params.yaml"))
    assert best["trials"] == 2
    for override in best["overrides"]:
        key, _, value = override.partition("=")
        node = trained
        for part in key.replace("/", ".").split("."):
            node = node[part]
        assert str(node if "/" not in key else node["name"]).replace(" ", "") == value
    if not best["overrides"]:
        assert {k: trained[k] for k in ("gan", "training")} == {k: params[k] for k in ("gan", "training")}


def test_one_version_that_says_where_it_is_from(project: Project) -> None:
    (version,) = versions(project)
    record = json.loads(project.read("model/run.json"))
    lock = project.read("dvc.lock").decode()
    assert version["challenger"] == "True"
    assert version["model_digest"] == record["model_digest"]
    assert version["data_md5"] == record["data_md5"]
    assert f"md5: {record['data_md5']}" in lock
    head = subprocess.run(
        ["git", "rev-parse", "HEAD~1"], cwd=project.folder, capture_output=True, text=True, check=True
    )
    assert version["git_commit"].startswith(head.stdout.strip())
    assert "metric.fid" in version


def test_registering_again_makes_no_second_version(project: Project) -> None:
    said = project.stage("register")
    assert "already registered" in said
    assert len(versions(project)) == 1


def test_the_registry_draws_what_the_file_draws(project: Project) -> None:
    project.run(
        "ganflow",
        "generate",
        "--model",
        "models:/ganflow-digits@challenger",
        "-n",
        "12",
        "--seed",
        "7",
        "--out",
        "x.npz",
    )
    with np.load(project.folder / "x.npz", allow_pickle=False) as drawn:
        images = next(drawn[name] for name in drawn.files if drawn[name].ndim == 4)
    assert np.array_equal(images, generator.load(project.folder / "model/generator.safetensors").sample(12, seed=7))


def test_plots_and_metrics_tell_the_story(project: Project) -> None:
    project.run("dvc", "plots", "show", "--out", "plots")
    page = (project.folder / "plots/index.html").read_text()
    for title in ("Losses over thousands of images", "FID of the averaged generator", "final.png"):
        assert title in page
    assert "fid" in project.run("dvc", "metrics", "show")


def test_samples_are_pictures(project: Project) -> None:
    with Image.open(project.folder / "reports/samples/final.png") as picture:
        assert picture.size[0] >= 480


def test_an_experiment_recomposes_and_compares(project: Project) -> None:
    short = [f"training.{name}" for name in ("kimg=2", "checkpoint_kimg=1", "snapshot_kimg=1", "batch=128")]
    tiny = ["evaluation.samples=100", "evaluation.extractor.kimg=4", "evaluation.extractor.width=8", "tune.trials=0"]
    sets = [word for override in [*short, *tiny, "gan/loss=minimax"] for word in ("-S", override)]
    project.run("dvc", "exp", "run", "-n", "minimax", *sets)
    table = json.loads(project.run("dvc", "exp", "show", "--json"))
    experiments = [e for row in table for e in (row.get("experiments") or [])]
    (revision,) = [revision for e in experiments for revision in e["revs"]]
    params = revision["data"]["params"]["params.yaml"]["data"]
    assert params["gan"]["loss"]["name"] == "minimax"
    assert params["training"]["batch"] == 128
    assert "fid" in revision["data"]["metrics"]["reports/metrics.json"]["data"]
    assert "fid" in project.run("dvc", "metrics", "diff", "HEAD")
    subprocess.run(["git", "checkout", "-q", "."], cwd=project.folder, check=True)


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("training.btach=128", "training.btach: no such key; training has batch, "),
        ("gan/loss=hingee", "gan/loss=hingee: one of hinge, "),
        ("training.batch=many", "training.batch=many: must be an integer"),
        ("cluster.workers=3", "training.batch=128: must be a multiple of cluster.workers=3"),
    ],
)
def test_a_mistyped_name_is_one_line_before_anything_runs(project: Project, override: str, says: str) -> None:
    params = (project.folder / "params.yaml").read_text()
    before = len(project.log())
    assert project.start("dvc", "exp", "run", "-S", override).wait(patience(120)) != 0
    (line,) = [line for line in project.log()[before:].splitlines() if line.strip()]
    assert line.startswith(f"ERROR: {says}")
    assert (project.folder / "params.yaml").read_text() == params


def test_an_impossible_value_stops_before_anything_runs(project: Project, tmp_path: Path) -> None:
    wrong = Project(tmp_path, "data.resize=30", "gan/discriminator=dcgan")
    done = wrong.start("python", "-m", "pipelines.prepare")
    assert done.wait(patience(120)) == 2
    (line,) = [line for line in wrong.log().splitlines() if "so far" not in line]
    assert line.startswith("ganflow: gan.generator.name=dcgan: cannot make 30×30 images")
    assert not (tmp_path / "data").exists()
