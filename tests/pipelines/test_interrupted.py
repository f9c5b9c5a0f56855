"""Ctrl-C and SIGTERM at moments of every stage: one line, the status, outs whole or absent; then a second run."""

import os
import random
import signal
import time
import uuid

import psutil
import pytest
import yaml

from tests.support.project import DEADLINE_S, Project

pytestmark = pytest.mark.slow

STAGES = ("prepare", "tune", "train", "evaluate", "register")
# The file that a stage writes last.
LAST = {
    "prepare": "data/dataset.json",
    "tune": "reports/tune/best.yaml",
    "train": "model/run.json",
    "evaluate": "reports/metrics.json",
    "register": "reports/registry.json",
}
MARK = "GANFLOW_TEST_MARK"


def marked(mark: str) -> list[str]:
    """Command lines of the processes that a command has left."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def interrupt(project: Project, stage: str, number: signal.Signals, after_s: float, times: int = 1) -> tuple[int, str]:
    """Start a stage, send the signal to its group as a terminal does; its status and what it said.

    Nothing is forked: a stage may be stopped while it loads its libraries, too.
    """
    mark, before = uuid.uuid4().hex, len(project.log())
    os.environ[MARK] = mark
    try:
        process = project.start("python", "-m", f"pipelines.{stage}", forked=False)
    finally:
        del os.environ[MARK]
    end = time.monotonic() + after_s
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    for _ in range(times):
        if process.poll() is None:
            os.killpg(process.pid, number)
    status = process.wait(DEADLINE_S)
    deadline = time.monotonic() + 20
    while (left := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left
    return status, project.log()[before:]


def took(project: Project, stage: str) -> float:
    """Run a stage to its end; how long that took."""
    start = time.monotonic()
    project.stage(stage)
    return time.monotonic() - start


def parsed(project: Project, stage: str) -> object:
    """What stands in a stage's last file; an error if half of it does."""
    return yaml.safe_load(project.read(LAST[stage]))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, dict[str, float]]:
    """A project that went through all stages, and how long each took."""
    project = Project(tmp_path_factory.mktemp("whole"), "tune.trials=2", "register.exports=[]")
    return project, {stage: took(project, stage) for stage in STAGES}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_may_be_interrupted_at_any_time(whole: tuple[Project, dict[str, float]], stage: str) -> None:
    """In its first seconds and in its middle: the moments are drawn, from the time that it takes on this machine."""
    project, seconds = whole
    rng = random.Random(stage)
    whole_s = seconds[stage]
    for number, after_s, times in (
        (signal.SIGINT, 0.5 + rng.random(), 1),
        (signal.SIGTERM, rng.uniform(0.3, 0.9) * whole_s, 1),
        (signal.SIGINT, rng.uniform(0.2, 0.8) * whole_s, 2),
    ):
        status, said = interrupt(project, stage, number, after_s, times)
        lines = [line for line in said.splitlines() if line.startswith("ganflow: ")]
        if status == 0:  # it was quicker this time
            continue
        assert "Traceback" not in said, said
        assert status in ((130,) if number == signal.SIGINT else (-signal.SIGTERM, 2)), said
        assert lines[-1].startswith(("ganflow: stopped by ", "ganflow: stopped after ")), said
        assert not (project.folder / LAST[stage]).exists() or parsed(project, stage)
        if times == 1:  # a second one ends it before it has cleaned up
            assert not list(project.folder.glob(".data.tmp-*"))
    project.stage(stage)
    assert parsed(project, stage)
    if stage == "prepare":
        assert not list(project.folder.glob(".data.tmp-*"))
