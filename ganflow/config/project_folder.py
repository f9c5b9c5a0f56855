"""The project's own folder, wherever its stages run.

`dvc exp run --queue` and `--temp` run stages in a copy below ``.dvc/tmp/exps``, which is removed afterwards. What
outlives a run (MLflow's store, checkpoints, caches) and what a relative path names belong to the project itself.
"""

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

logger = logging.getLogger(__name__)

COPIES = Path(".dvc/tmp/exps")
ALONE = "standalone"  # below it lie the copies of `dvc exp run --temp`, beside it those of the queue
LOCKS = Path(".ganflow/locks")


def root() -> Path:
    """The working directory; inside a copy that DVC made for an experiment, the same folder of the project."""
    working = Path.cwd()
    named = os.environ.get("DVC_ROOT")  # DVC's own word, which holds even if .dvc/tmp is a link to another disk
    for owner in (*([Path(named)] if named else []), *working.parents):
        copies = (owner / COPIES).resolve()
        inside = working.relative_to(copies).parts if working.is_relative_to(copies) else ()
        inside = inside[1:] if inside[:1] == (ALONE,) else inside
        if inside:
            return _repository(owner).joinpath(*inside[1:])
    return working


def copied() -> bool:
    """True inside a copy that DVC made for an experiment."""
    return root() != Path.cwd()


def place(path: str | Path) -> Path:
    """A path of the configuration; what it names outlives the run, so a relative one is the project's."""
    path = Path(path)
    home = path.parts[:1] == ("~",)  # of whatever machine looks
    return path if path.is_absolute() or home or not copied() else root() / path


def unfinished_runs() -> Path:
    """The folder for notes of MLflow runs that have begun: of this machine, wherever ``cluster.storage`` is."""
    return place(".ganflow/unfinished-runs")


def given(path: str | Path) -> Path:
    """A path of something to read: from a copy if it has it, for that is the experiment's own, else the project's."""
    return Path(path) if Path(path).exists() else place(path)


@contextlib.contextmanager
def alone(name: str) -> Iterator[None]:
    """Hold a name for the block; another process of this project that wants it waits, and says so.

    The lock ends with the process however it ends.
    """
    file = place(LOCKS / f"{name}.lock")
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        logger.info(f"{name} is under way in another process of this project; waiting for its end")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _repository(owner: Path) -> Path:
    """The Git repository around DVC's root, which a copy is made of."""
    return next((folder for folder in (owner, *owner.parents) if (folder / ".git").exists()), owner)
