"""A project of its own in a temporary folder: the stages of this checkout, a small configuration, its own stores."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
from filelock import FileLock

from tests.support import preloaded
from tests.support.patience import patience

ROOT = Path(__file__).parents[2]
DEADLINE_S = patience(480)  # of a machine that does other things, too

# Seconds of training with every part of the real thing.
SMALL = (
    "training.kimg=12", "training.checkpoint_kimg=1", "training.snapshot_kimg=4", "training.report_kimg=0.5",
    "evaluation.samples=200", "evaluation.snapshot_samples=100", "evaluation.resamples=20",
    "tune.trials=2", "tune.kimg=2", "tune.grace_kimg=1",
)  # fmt: skip
REPRODUCED = ("cluster.workers=2",)  # what Project.reproduced has beside it
CLASSIFIER = ("evaluation.extractor.kimg=4", "evaluation.extractor.width=8")


class Project:
    """A folder in which stages run.

    Args:
        folder: empty.
        overrides: of the configuration.
        extractor: overrides of the classifier that evaluation trains.
        stored: MLflow's store is there already, empty.
    """

    def __init__(
        self, folder: Path, *overrides: str, extractor: Sequence[str] = CLASSIFIER, stored: bool = True
    ) -> None:
        from ganflow.config import composition, params_file

        self.folder = folder
        folder.mkdir(exist_ok=True)
        for name in ("ganflow", "pipelines"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "dvc.yaml", folder)
        (folder / "params.yaml").write_text(params_file.dump(composition.compose([*SMALL, *extractor, *overrides])))
        if stored and not any(override.startswith("tracking.uri=") for override in overrides):
            shutil.copy(preloaded.empty_store(), folder)

    @classmethod
    def at(cls, folder: Path) -> "Project":
        """One that is there already."""
        project = cls.__new__(cls)
        project.folder = folder
        return project

    @classmethod
    def reproduced(cls, folder: Path) -> "Project":
        """One on two workers in which `dvc repro` has run, committed before and after: a copy, for it is made once."""
        made = cls.at(preloaded.folder_of_the_server() / "project")
        with FileLock(f"{made.folder}.lock"):
            if not made.folder.exists():
                making = cls(made.folder.with_name("project.part"), *REPRODUCED, stored=False)
                making.begin_history()
                making.run("dvc", "repro")
                making.commit("after")
                making.folder.rename(made.folder)
        shutil.copytree(made.folder, folder, symlinks=True, dirs_exist_ok=True)
        return cls.at(folder)

    def ready_to_train(self, like: "Project | None" = None) -> "Project":
        """With the data and the search's result of another project; without one, prepare, and nothing was searched."""
        if like:
            for name in ("data", "reports/tune"):
                shutil.copytree(like.folder / name, self.folder / name)
        else:
            self.stage("prepare")
            (self.folder / "reports/tune").mkdir(parents=True)
            (self.folder / "reports/tune/best.yaml").write_text("overrides: []\n")
        return self

    def begin_history(self) -> None:
        """Put the project under git and DVC, as a clone is."""
        shutil.copytree(ROOT / ".dvc", self.folder / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp"))
        shutil.copytree(ROOT / "infra", self.folder / "infra")
        for name in (".gitignore", ".dvcignore"):
            shutil.copy(ROOT / name, self.folder)
        for command in (["init", "-q"], ["config", "user.email", "tests@localhost"], ["config", "user.name", "tests"]):
            subprocess.run(["git", *command], cwd=self.folder, check=True)
        self.commit("before")

    def commit(self, message: str) -> None:
        """Commit all that git does not ignore."""
        for command in (["add", "-A"], ["commit", "-qm", message]):
            subprocess.run(["git", *command], cwd=self.folder, check=True)

    def start(self, *command: str, forked: bool = True) -> subprocess.Popen[str]:
        """Start a command in the folder, in a session of its own; its output goes to ``log``.

        Args:
            command: what is started.
            forked: `dvc` and `python` are those of :mod:`tests.support.preloaded`.
        """
        with (self.folder / "log").open("a") as log:
            return subprocess.Popen(
                command, cwd=self.folder, env=self._env(forked), stdout=log, stderr=log, text=True,
                start_new_session=True,
            )  # fmt: skip

    def _env(self, forked: bool) -> dict[str, str]:
        places = [preloaded.folder_of_the_server()] if forked else []
        path = os.pathsep.join(map(str, [*places, Path(sys.executable).parent, os.environ["PATH"]]))
        env = {**os.environ, "PATH": path, "PYTHONPATH": str(self.folder), "OMP_NUM_THREADS": "1"}
        env.pop("PYTHONDONTWRITEBYTECODE", None)  # people have none, and DVC looks at what lies beside the code
        return env

    def run(self, *command: str, deadline_s: float = DEADLINE_S, forked: bool = True) -> str:
        """Run a command to its end; what it printed. Fails with the log when the command fails.

        Stages and `ganflow`, those that DVC starts among them, are forked from a process that has the big libraries.
        """
        before = len(self.log())
        if forked and (command[0] == "ganflow" or command[:2] == ("python", "-m")):
            status = preloaded.Command(command, self.folder, self._env(True), self.folder / "log").wait(deadline_s)
        else:
            status = self.start(*command, forked=forked).wait(deadline_s)
        said = self.log()[before:]
        assert status == 0, f"{' '.join(command)} exited with {status}:\n{said}"
        return said

    def stage(self, name: str, deadline_s: float = DEADLINE_S) -> str:
        """Run a stage."""
        return self.run("python", "-m", f"pipelines.{name}", deadline_s=deadline_s)

    def log(self) -> str:
        """All output so far."""
        log = self.folder / "log"
        return log.read_text() if log.exists() else ""

    def read(self, path: str) -> bytes:
        """A file's bytes."""
        return (self.folder / path).read_bytes()


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Poll a condition; fail when it does not hold in time."""
    end = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < end, f"{what}: not within {DEADLINE_S} s"
        time.sleep(0.02)


def below(pid: int) -> list[psutil.Process]:
    """All processes that a process has started, and those that were forked for it and for them."""
    found = []
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        fork = preloaded.fork_of(pid)
        started = [*process.children(), *([psutil.Process(fork)] if fork else [])]
        found = [other for child in started for other in (child, *below(child.pid))]
    return found


def workers_of(driver: int) -> list[int]:
    """Process ids of the training workers below a driver, rank 0's first."""
    return [process.pid for process in below(driver) if title(process).startswith("ray::RayTrainWorker")]


def title(process: psutil.Process) -> str:
    """Its command line, into which Ray writes what a process is; empty when it has ended."""
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def kill_tree(pid: int) -> None:
    """SIGKILL a process alone; when its training workers are gone by themselves, end the rest that it started."""
    started, its_workers = below(pid), workers_of(pid)
    workers = [process for process in started if process.pid in its_workers]
    os.kill(pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(workers, timeout=DEADLINE_S)
    assert not alive, "workers outlive their driver"
    for process in started:
        with contextlib.suppress(psutil.Error):
            process.kill()
