"""A team's day: experiments from DVC's queue, the one that is applied, a colleague's clone, a project that moves."""

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.patience import patience
from tests.support.project import CLASSIFIER, DEADLINE_S, SMALL, Project

pytestmark = pytest.mark.slow

TINY = (
    "tune.trials=0", "training.kimg=2", "evaluation.samples=100", "register.exports=[]", "cluster.workers=1",
)  # fmt: skip
NAME = "ganflow-digits"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two experiments that two workers of the queue ran at once, on a store that was not there; one is applied."""
    made = Project(tmp_path_factory.mktemp("project") / "ours", *TINY, stored=False)
    made.begin_history()
    recipe = [word for one in (*_tiny(made), "tune.trials=0") for word in ("-S", one)]
    for name, seed in (("first", 1), ("second", 2)):
        made.run("dvc", "exp", "run", "--queue", "-n", name, *recipe, "-S", f"seed={seed}")
    made.run("dvc", "queue", "start", "-j", "2")
    wait_for_the_queue(made)
    made.run("dvc", "exp", "apply", "first")
    return made


@pytest.fixture(scope="module")
def applied(project: Project) -> tuple[Project, str]:
    """The project after `dvc repro` of what was applied, and what that said."""
    return project, project.run("dvc", "repro")  # all is up to date but what this checkout has not registered


def _tiny(project: Project) -> list[str]:
    """What makes the pipeline small, as overrides: -S composes anew."""
    return [*(one for one in (*SMALL, *CLASSIFIER) if not one.startswith(("tune.trials", "training.kimg"))), *TINY[1:]]


def wait_for_the_queue(project: Project) -> None:
    """Until both have ended well; what still runs is ended with the test."""
    end, said = time.monotonic() + 2 * DEADLINE_S, ""
    try:
        while {"Queued", "Running"} & set((said := project.run("dvc", "queue", "status")).split()):
            assert time.monotonic() < end, f"the queue has not ended:\n{said}"
            time.sleep(10)  # each look is a process of DVC, for seconds
    except BaseException:
        project.run("dvc", "queue", "stop", "--kill")
        raise
    if "Failed" in said:
        said += "\n".join(project.run("dvc", "queue", "logs", name) for name in ("first", "second"))
    assert said.split().count("Success") == 2, said


def registry_of(project: Project) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{project.folder}/mlflow.db")


def drawn(project: Project, model: str) -> NDArray[np.uint8]:
    project.run("ganflow", "generate", "--model", model, "-n", "8", "--seed", "7", "--out", "drawn.npz")
    with np.load(project.folder / "drawn.npz", allow_pickle=False) as file:
        images: NDArray[np.uint8] = next(file[name] for name in file.files if file[name].ndim == 4)
    (project.folder / "drawn.npz").unlink()
    return images


def test_the_queue_writes_to_the_projects_own_stores(project: Project) -> None:
    client = registry_of(project)
    aliases = client.get_registered_model(NAME).aliases
    assert set(aliases) == {"first", "second"}  # challenger is what stands in the checkout, not what ended last
    runs = client.search_runs([client.get_experiment_by_name(NAME).experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"] * 2
    assert {run.info.artifact_uri.split("/mlruns/")[0] for run in runs} == {f"file://{project.folder}"}
    kept = project.folder / ".ganflow"
    assert len(list((kept / "runs").glob(f"{NAME}-*.finished"))) == 2
    assert list((kept / "extractors").glob("classifier-*.pt"))
    assert not list((kept / "unfinished-runs").iterdir())


def test_the_applied_experiment_is_what_the_registry_draws(project: Project) -> None:
    registered = json.loads(project.read("reports/registry.json"))
    expected = drawn(project, "model/")
    assert registered["alias"] == "first"
    np.testing.assert_array_equal(drawn(project, f"models:/{NAME}/{registered['version']}"), expected)
    np.testing.assert_array_equal(drawn(project, f"models:/{NAME}@first"), expected)
    assert not np.array_equal(drawn(project, f"models:/{NAME}@second"), expected)


def test_the_applied_experiment_becomes_the_challenger(applied: tuple[Project, str]) -> None:
    project, said = applied
    assert said.count("didn't change, skipping") == 4
    version = json.loads(project.read("reports/registry.json"))["version"]
    assert f"already registered: models:/{NAME}/{version}, alias challenger" in said
    client = registry_of(project)
    assert int(client.get_model_version_by_alias(NAME, "challenger").version) == version
    other = client.get_model_version_by_alias(NAME, "second").version
    client.set_registered_model_alias(NAME, "challenger", other)
    before = len(project.log())
    drawn(project, f"models:/{NAME}@challenger")
    line = (
        f"ganflow: {NAME}@challenger is version {other}, not the model in model/; `ganflow register` points it to that"
    )
    assert line in project.log()[before:].splitlines()
    project.run("ganflow", "register")
    np.testing.assert_array_equal(drawn(project, f"models:/{NAME}@challenger"), drawn(project, "model/"))
    assert project.run("dvc", "repro").count("didn't change, skipping") == 5


@pytest.fixture(scope="module")
def clone(applied: tuple[Project, str], tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A colleague's machine after `dvc pull`: another store, nothing in it."""
    project, _ = applied
    place = tmp_path_factory.mktemp("colleague")
    project.run("dvc", "remote", "add", "-f", "-d", "team", str(place / "remote"))
    project.commit("applied")
    project.run("dvc", "push")
    subprocess.run(["git", "clone", "-q", str(project.folder), str(place / "clone")], check=True)
    theirs = Project.at(place / "clone")
    theirs.run("dvc", "pull")
    return theirs


@pytest.fixture(scope="module")
def told(clone: Project) -> dict[str, str]:
    """What the colleague is told before the version is in their registry, and by the command that puts it there."""
    model = f"models:/{NAME}@challenger"
    assert clone.start("ganflow", "generate", "--model", model, "--out", "x.png").wait(patience(300)) == 2
    line = clone.log().strip().splitlines()[-1]
    return {"generate": line, "status": clone.run("dvc", "status"), "register": clone.run("ganflow", "register")}


def test_a_colleague_is_told_and_registers_the_same_version(
    project: Project, clone: Project, told: dict[str, str]
) -> None:
    assert told["generate"].startswith("ganflow: no MLflow store at mlflow.db; ")
    assert told["generate"].endswith("; `ganflow register` puts the model in model/ there")
    assert "registered-here.json" in told["status"]  # so `dvc repro` would register, too, and nothing else
    assert f"registered: models:/{NAME}/1, alias challenger" in told["register"]
    record = json.loads(clone.read("model/run.json"))
    version = registry_of(clone).get_model_version_by_alias(NAME, "challenger")
    assert version.tags["model_digest"] == record["model_digest"]
    assert version.tags["original_run"] == record["run_id"]
    ours = registry_of(project).get_model_version_by_alias(NAME, "challenger")
    figures = {key: value for key, value in ours.tags.items() if key.startswith("metric.")}
    assert figures.items() <= version.tags.items()
    np.testing.assert_array_equal(drawn(clone, f"models:/{NAME}@challenger"), drawn(project, "model/"))


@pytest.mark.usefixtures("told")
def test_a_project_that_moved_draws_and_registers_as_before(clone: Project, tmp_path: Path) -> None:
    expected = drawn(clone, "model/")
    moved = Project.at(tmp_path / "moved ü")
    shutil.move(clone.folder, moved.folder)
    np.testing.assert_array_equal(drawn(moved, f"models:/{NAME}@challenger"), expected)
    assert f"already registered: models:/{NAME}/1, alias challenger" in moved.run("ganflow", "register")
