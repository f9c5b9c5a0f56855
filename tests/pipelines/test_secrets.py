"""Secrets wherever a user has them, the whole pipeline, and then a search through all that was written."""

import base64
import gzip
import io
import sqlite3
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.patience import patience
from tests.support.project import Project
from tests.tracking.mlflow_help import MlflowServer

pytestmark = pytest.mark.slow

PASSWORD = "planted-in-the-uri"
PLANTED = {  # by the variable that holds it
    "AWS_ACCESS_KEY_ID": "planted-access-key-id",
    "AWS_SECRET_ACCESS_KEY": "planted-secret-access-key",
    "AWS_SESSION_TOKEN": "planted-session-token",
    "MLFLOW_TRACKING_USERNAME": "me",
    "MLFLOW_TRACKING_PASSWORD": "planted-tracking-password",
    "MLFLOW_TRACKING_TOKEN": "planted-tracking-token",
    "RAY_AUTH_TOKEN": "planted-ray-token-0123456789abcdef",
    "GANFLOW_WEBHOOK_SECRET": "planted-webhook-secret",
    "GITHUB_TOKEN": "planted-github-token",
}
REMOTE = "planted-in-the-remote"
TINY = (
    "training.kimg=2", "training.checkpoint_kimg=1", "training.snapshot_kimg=1", "training.report_kimg=1",
    "training.batch=128", "evaluation.samples=100", "evaluation.snapshot_samples=60", "tune.trials=1", "tune.kimg=1",
    "cluster.workers=1",
)  # fmt: skip
MODEL = "ganflow-digits"


def needles() -> dict[str, list[bytes]]:
    """What must be found nowhere: each secret as it is and as HTTP sends it."""
    secrets = {name: value for name, value in PLANTED.items() if value.startswith("planted")}
    secrets |= {"tracking.uri": PASSWORD, "git's remote": REMOTE}
    sent = {name: base64.b64encode(f"me:{value}".encode()) for name, value in secrets.items()}
    return {name: [value.encode(), base64.b64encode(value.encode()), sent[name]] for name, value in secrets.items()}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    running = MlflowServer(tmp_path_factory.mktemp("mlflow"))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, server: MlflowServer) -> Iterator[Project]:
    """After the pipeline and all that reads the registry; what each command printed is in its log."""
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in PLANTED.items():
            patch.setenv(name, value)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("RAY_TMPDIR", "/tmp")  # its sockets' paths must be short
        (folder / "tmp").mkdir()
        patch.setenv("TMPDIR", str(folder / "tmp"))
        made = Project(folder, *TINY, f"tracking.uri={server.uri.replace('//', f'//me:{PASSWORD}@')}")
        made.begin_history()
        remote = f"https://me:{REMOTE}@host/me/gan.git"
        subprocess.run(["git", "remote", "add", "origin", remote], cwd=folder, check=True)
        made.run("dvc", "repro")
        for command in (
            ["lineage", f"models:/{MODEL}@challenger"], ["lineage", f"models:/{MODEL}@challenger", "--json"],
            ["generate", "--model", f"models:/{MODEL}@challenger", "-n", "4", "--out", "x.npz"], ["champions"],
        ):  # fmt: skip
            made.run("ganflow", *command)
        assert made.start("ganflow", "promote", "--page", "page.html").wait(patience(600)) in (0, 1), made.log()
        assert made.start("ganflow", "lineage", "models:/none@challenger").wait(patience(120)) == 2
        yield made


def contents(name: str, raw: bytes) -> Iterator[tuple[str, bytes]]:
    """A file as it is, and all that is packed in it."""
    yield name, raw
    if raw[:2] == b"\x1f\x8b":
        yield from contents(f"{name}!", gzip.decompress(raw))
    elif zipfile.is_zipfile(io.BytesIO(raw)):
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            for member in archive.namelist():
                yield from contents(f"{name}!{member}", archive.read(member))


def leaks(folder: Path, *passed_over: str) -> list[tuple[str, str]]:
    """Where which secret stands below a folder."""
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()):
        name = path.relative_to(folder).as_posix()
        if name.startswith(passed_over):
            continue
        for where, raw in contents(name, path.read_bytes()):
            found += [(where, which) for which, forms in needles().items() if any(form in raw for form in forms)]
    return found


def test_the_search_finds_what_is_packed(tmp_path: Path) -> None:
    secret = PLANTED["AWS_SECRET_ACCESS_KEY"].encode()
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b.gz", gzip.compress(secret))
    (tmp_path / "c").write_bytes(base64.b64encode(f"me:{PASSWORD}".encode()))
    assert leaks(tmp_path) == [("a.npz!b.gz!", "AWS_SECRET_ACCESS_KEY"), ("c", "tracking.uri")]


def test_no_secret_in_anything_that_was_written(project: Project) -> None:
    for path in ("dvc.lock", "model/config.yaml", "reports/metrics.json", "reports/registry.json", "x.npz", "log"):
        assert (project.folder / path).is_file(), path
    assert list((project.folder / ".dvc" / "cache").rglob("*.dir"))
    own = ("params.yaml", ".git/")  # written by the user: tracking.uri, and the remote
    assert leaks(project.folder, *own) == []
    params = project.read("params.yaml")
    assert [name for name in PLANTED if PLANTED[name].encode() in params and name != "MLFLOW_TRACKING_USERNAME"] == []


def test_no_secret_on_the_server(project: Project, server: MlflowServer) -> None:
    assert any(path.name == "generator.safetensors" for path in server.folder.rglob("*"))
    assert leaks(server.folder) == []
    with sqlite3.connect(server.folder / "server.db") as database:  # long values lie on several pages
        dump = "\n".join(database.iterdump()).encode()
    assert MODEL.encode() in dump
    assert [name for name, forms in needles().items() if any(form in dump for form in forms)] == []


def test_the_address_is_told_without_its_password(project: Project, server: MlflowServer) -> None:
    where = server.uri.replace("//", "//***@")
    assert where in project.read("model/config.yaml").decode()
    assert f"models:/none@challenger is not on {where}" in project.log()
