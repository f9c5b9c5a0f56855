"""A registered version is made again from its commit, parameters and data, although the checkout has gone on."""

import hashlib
import json
import shutil

import pytest

from tests.support.project import Project

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Version 1 was trained with what the search found; since then code, parameters and the data set changed."""
    made = Project.reproduced(tmp_path_factory.mktemp("project"))
    loss = made.folder / "ganflow/methods/losses/hinge.py"
    loss.write_text(loss.read_text().replace("relu", "gelu"))
    made.run("ganflow", "config", "compose", "training.batch=32", "seed=7")
    for path in ("data", "model"):
        for file in (made.folder / path).rglob("*"):
            if file.is_file():
                file.unlink()
    made.commit("later")
    return made


def test_it_comes_out_the_same(project: Project) -> None:
    registered = json.loads(project.read("reports/registry.json"))
    said = project.run("ganflow", "reproduce", "models:/ganflow-digits/1")
    assert "by dvc checkout" in said
    assert "the same weights to the bit, and the same figures" in said
    weights = project.read(".ganflow/reproduced/ganflow-digits-1/model/generator.safetensors")
    assert hashlib.sha256(weights).hexdigest() == registered["digest"]
    assert project.run("git", "status", "--porcelain", "-uno", "--", ".", ":(exclude)log").strip() == ""


def test_where_it_comes_from_is_told(project: Project) -> None:
    commit = project.run("git", "rev-parse", "HEAD~2").strip()
    md5 = json.loads(project.run("ganflow", "lineage", "models:/ganflow-digits@challenger", "--json"))["data"]["md5"]
    said = project.run("ganflow", "lineage", "models:/ganflow-digits@challenger")
    assert f" {commit}\n" in said  # not "-dirty": what `dvc repro` itself writes is kept with the version
    assert f" {md5}\n" in said
    assert "models:/ganflow-digits/1" in project.run("ganflow", "lineage", "--data", md5[:6])


def test_data_that_are_in_no_cache_are_prepared_again(project: Project) -> None:
    shutil.rmtree(project.folder / ".dvc/cache")
    said = project.run("ganflow", "reproduce", "models:/ganflow-digits/1", "--into", ".ganflow/again")
    assert "preparing them" in said
    assert "the same weights to the bit" in said
