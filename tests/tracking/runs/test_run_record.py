import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ganflow.errors import GanflowError
from ganflow.tracking.runs import run_record
from tests.tracking.mlflow_help import write_model

LOCK = """
schema: '2.0'
stages:
  prepare:
    outs:
    - {path: reports/x, md5: '1', size: 1}
    - {path: data, md5: 0123.dir, size: 5}
  train:
    deps: [{path: data, md5: 0123.dir}]
"""


def git(*arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments], check=True, capture_output=True)


def test_git_commit_says_when_files_differ(tmp_path: Path) -> None:
    assert run_record.git_commit(tmp_path) is None
    git("init", "-q", str(tmp_path))
    (tmp_path / "a").write_text("1")
    git("-C", str(tmp_path), "add", "a")
    git("-C", str(tmp_path), "commit", "-qm", "one")
    commit = run_record.git_commit(tmp_path)
    assert commit is not None
    assert len(commit) == 40
    (tmp_path / "new").write_text("untracked files are no difference")
    assert run_record.git_commit(tmp_path) == commit
    (tmp_path / "a").write_text("2")
    assert run_record.git_commit(tmp_path) == f"{commit}-dirty"


def test_data_md5_is_the_outs(tmp_path: Path) -> None:
    lock = tmp_path / "dvc.lock"
    assert run_record.data_md5(lock=lock) is None
    lock.write_text(LOCK)
    assert run_record.data_md5("data/", lock) == "0123.dir"
    assert run_record.data_md5("elsewhere", lock) is None
    lock.write_text("")
    assert run_record.data_md5(lock=lock) is None


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = replace(write_model(tmp_path / "model", "r1"), git_commit=None, ray_run="digits-f00d")
    record.write(tmp_path / "run.json")
    assert run_record.RunRecord.read(tmp_path / "run.json") == record
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize("text", ["", "[]", '{"run_id": "x"}', '{"other": 1}'])
def test_other_files_are_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.json"
    with pytest.raises(GanflowError, match="is missing; `dvc repro train`"):
        run_record.RunRecord.read(path)
    path.write_text(text)
    with pytest.raises(GanflowError, match=r"is not a valid record: .*; when it is removed, `dvc repro train`"):
        run_record.RunRecord.read(path)
