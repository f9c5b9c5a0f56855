"""Where a relative path leads, from the project and from the copies that DVC makes of it for experiments."""

import os
from pathlib import Path

import pytest

from ganflow.config import project_folder
from ganflow.config.schema import ClusterConfig, TrackingConfig
from ganflow.storage import localize
from ganflow.terminal.messages import LineHandler, handled
from ganflow.tracking import mlflow_client

QUEUE, TEMP = ".dvc/tmp/exps/tmp1", ".dvc/tmp/exps/standalone/tmp2"


def enter(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(autouse=True)
def _no_words_of_dvc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.delenv(mlflow_client.URI_VARIABLE, raising=False)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "a b" / ".git").mkdir(parents=True)
    return tmp_path / "a b"


def test_outside_of_a_copy_paths_stay_as_they_are(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(repository, monkeypatch)
    assert (project_folder.root(), project_folder.copied()) == (repository, False)
    assert project_folder.place(".ganflow") == Path(".ganflow")
    assert mlflow_client.uri_of(TrackingConfig(experiment="x")) == "sqlite:///mlflow.db"


@pytest.mark.parametrize("copy", [QUEUE, TEMP])
@pytest.mark.parametrize("dvc_root", ["", "team"])  # DVC's root may be a folder of the repository
@pytest.mark.parametrize("inside", ["", "models/faces"])  # and the project one of DVC's
def test_a_copy_leads_back_to_the_same_folder(
    repository: Path, monkeypatch: pytest.MonkeyPatch, copy: str, dvc_root: str, inside: str
) -> None:
    enter(repository / dvc_root / copy / dvc_root / inside, monkeypatch)
    assert project_folder.root() == repository / dvc_root / inside
    assert project_folder.place("x/y") == repository / dvc_root / inside / "x/y"
    assert project_folder.place("/x/y") == Path("/x/y")
    assert project_folder.place("~/x") == Path("~/x")  # of the machine that looks


def test_temporary_files_on_another_disk_are_known_by_dvcs_word(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / ".dvc").mkdir()
    (tmp_path / "scratch").mkdir()
    (repository / ".dvc/tmp").symlink_to(tmp_path / "scratch")
    enter(tmp_path / "scratch/exps/tmp1", monkeypatch)
    assert not project_folder.copied()
    monkeypatch.setenv("DVC_ROOT", str(repository))
    assert project_folder.root() == repository
    enter(tmp_path / "elsewhere", monkeypatch)  # a word that an outer DVC left says nothing about this folder
    assert not project_folder.copied()


@pytest.mark.parametrize(
    ("uri", "there"),
    [
        ("sqlite:///mlflow.db", "sqlite:///{}/mlflow.db"),
        ("sqlite:///store/sqlite?timeout=9", "sqlite:///{}/store/sqlite?timeout=9"),
        ("sqlite:////abs/mlflow.db", "sqlite:////abs/mlflow.db"),
        ("mlruns", "{}/mlruns"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("databricks", "databricks"),
    ],
)
def test_the_store_is_the_projects(repository: Path, monkeypatch: pytest.MonkeyPatch, uri: str, there: str) -> None:
    enter(repository / QUEUE, monkeypatch)
    assert mlflow_client.uri_of(TrackingConfig(uri=uri, experiment="x")) == there.format(repository)
    monkeypatch.setenv(mlflow_client.URI_VARIABLE, uri)  # the environment's path is as relative
    assert mlflow_client.uri_of(TrackingConfig(uri="sqlite:///other.db", experiment="x")) == there.format(repository)
    assert mlflow_client.name_of(TrackingConfig(experiment="x")) == uri


def test_checkpoints_and_caches_are_the_projects(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ganflow.cluster.workers.staging import storage_of

    enter(repository / TEMP, monkeypatch)
    assert storage_of(ClusterConfig(), named=False).below("runs/x").uri == str(repository / ".ganflow/runs/x")
    assert project_folder.unfinished_runs() == repository / ".ganflow/unfinished-runs"


def test_what_is_read_is_the_copys_own_if_it_has_it(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / "photos").mkdir()
    here = enter(repository / QUEUE, monkeypatch)
    assert localize("photos", here) == repository / "photos"
    (here / "photos").mkdir()
    assert localize("photos", here) == Path("photos")


def test_two_processes_of_a_project_take_turns(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(repository, monkeypatch)
    told: list[str] = []
    ready, begun = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:  # it holds the name until it has been waited for
        with project_folder.alone("run"):
            os.write(ready[1], b".")
            os.read(begun[0], 1)
        os._exit(0)
    os.read(ready[0], 1)

    def say(line: str) -> None:
        told.append(line)
        os.write(begun[1], b".")

    enter(repository / QUEUE, monkeypatch)
    with handled(LineHandler(say)), project_folder.alone("run"):
        assert told == ["run is under way in another process of this project; waiting for its end"]
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
