"""A gang that shrinks and grows on a real cluster, and one that is told to stop: no image is lost, no bit differs."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.cluster.test_kill import sha256
from tests.support.nodes import Nodes, nodes
from tests.support.notices import metadata
from tests.support.project import Project, wait_until, workers_of

SLOW = ("training.kimg=48", "training.batch=32", "training.checkpoint_kimg=8", "training.snapshot_kimg=48")
REST_S = 0.1  # between moments of training of about a quarter of that


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two workers on one machine."""
    project = Project(tmp_path_factory.mktemp("undisturbed"), *SLOW, "cluster.workers=2").ready_to_train()
    project.stage("train")
    return project


def starts(project: Project) -> list[tuple[int, int]]:
    """(images, workers) of every start."""
    found = re.findall(r"train (?:starts|goes on after ([\d,]+) images): [\d,]+ images, (\d+) worker", project.log())
    return [(int((nimg or "0").replace(",", "")), int(workers)) for nimg, workers in found]


@contextmanager
def watching(log: Path, cluster: Nodes, ip: str, service: str) -> Iterator[None]:
    """`ganflow watch` on a node, from when it found the metadata service on."""
    command = ["watch", "--address", cluster.address, "--node-ip", ip, "--endpoint", service]
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-m", "ganflow.cli", *command], stdout=out, stderr=out)
    try:
        wait_until(lambda: "instance metadata at" in log.read_text(), "the metadata service to be found")
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def held(cluster: Nodes) -> Iterator[None]:
    """Workers stand still meanwhile: a start of Ray's processes may take longer than the training has left."""
    stopped = [pid for node in cluster.processes for pid in workers_of(node.pid)]
    _signal(stopped, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal(stopped, signal.SIGCONT)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # it has ended
            os.kill(pid, number)


def wait_slowly(cluster: Nodes, holds: Callable[[], bool], what: str) -> None:
    """Wait while workers stand still most of the time: however quick they are, training does not end before."""

    def after_a_rest() -> bool:
        with held(cluster):
            time.sleep(REST_S)
        return holds()

    wait_until(after_a_rest, what)


def test_a_gang_that_grew_and_was_given_notice_loses_nothing(undisturbed: Project, tmp_path: Path) -> None:
    with nodes(1) as cluster:
        place = (f"cluster.address={cluster.address}", f"cluster.storage={tmp_path}/s", f"cluster.cache={tmp_path}/c")
        project = Project(tmp_path / "project", *SLOW, "cluster.workers=[1,2]", *place).ready_to_train(undisturbed)
        driver = project.start("python", "-m", "pipelines.train")
        alive = lambda: driver.poll() is None  # noqa: E731
        wait_until(lambda: len(starts(project)) == 1 or not alive(), "a start")
        with held(cluster):
            ip = cluster.add(1)
        wait_slowly(cluster, lambda: project.log().count("paused after") == 1 or not alive(), "a pause to grow")
        wait_until(lambda: len(starts(project)) == 2 or not alive(), "growth")
        with ExitStack() as stack:
            with held(cluster):
                cloud = stack.enter_context(metadata())
                stack.enter_context(watching(project.folder / "watch", cluster, ip, cloud.url))
            cloud.announce(seconds=120)
            notice = time.monotonic()
            wait_slowly(cluster, lambda: project.log().count("paused after") == 2 or not alive(), "a pause to shrink")
            paused_s = time.monotonic() - notice
        assert driver.wait(480) == 0, project.log()
    assert paused_s < 10
    (first, grown, *shrunk) = starts(project)
    assert (first, grown[1]) == ((0, 1), 2)
    assert grown[0] > 0, project.log()
    assert [workers for _, workers in shrunk] == [1], project.log()
    assert sha256(project) == sha256(undisturbed)
    assert project.log().count("paused after") == 2
    for nimg, _ in (grown, *shrunk):
        assert f"paused after {nimg:,} images" in project.log()


def test_a_driver_that_is_told_to_stop_saves_first(undisturbed: Project, tmp_path: Path) -> None:
    project = Project(tmp_path / "project", *SLOW, "cluster.workers=2").ready_to_train(undisturbed)
    driver = project.start("python", "-m", "pipelines.train")
    wait_until(lambda: bool(starts(project)) or driver.poll() is not None, "a start")
    driver.send_signal(signal.SIGTERM)
    assert driver.wait(120) == 2, project.log()
    (told,) = re.findall(
        r"stopped after ([\d,]+) images by SIGTERM; the same command goes on from there", project.log()
    )
    assert "Traceback" not in project.log()
    assert f"train goes on after {told} images" in project.stage("train")
    assert sha256(project) == sha256(undisturbed)
