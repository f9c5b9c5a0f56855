"""`ganflow reproduce`: a registered version made again, from its commit, parameters and data, and held against it."""

import logging
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ganflow import records
from ganflow.atomic_files import write_whole
from ganflow.commands.lineage import tracking
from ganflow.errors import GanflowError
from ganflow.methods.generator import FILE
from ganflow.tracking import mlflow_client
from ganflow.tracking.registry import provenance
from ganflow.tracking.registry.registration import DIGEST, METRIC
from ganflow.tracking.registry.version_lineage import Trace, trace
from ganflow.tracking.runs import run_record
from ganflow.tracking.runs.flat_params import loggable

logger = logging.LoggerAdapter(logging.getLogger(__name__), {"who": "reproduce"})

PLACE = Path(".ganflow/reproduced")
STAGES = ("train", "evaluate")
ELSEWHERE = ("RAY_ADDRESS", "MLFLOW_TRACKING_URI")  # it runs on this machine, and is tracked in the worktree
MODEL, METRICS = Path("model"), Path("reports/metrics.json")


@dataclass(frozen=True)
class Mismatch:
    """Something that did not come out as it was."""

    what: str
    then: str | None
    now: str | None


def reproduce(model: str, into: Path | None) -> list[Mismatch]:
    """Check out what a version was made from into a worktree, train and evaluate there, and compare.

    Args:
        model: ``models:/NAME/3`` or ``models:/NAME@ALIAS``.
        into: the worktree's folder, which must not be there; by default below ``.ganflow/reproduced``.

    Returns:
        What differs: the weights' digest first, then figures. None if all is the same.

    Raises:
        GanflowError: the version, its commit or its data are not to be had, or a stage failed.
    """
    settings = tracking()
    version = trace(mlflow_client.connect(settings, create=False), model, settings)
    commit = _commit(version)
    folder = into or PLACE / f"{version.name}-{version.version}"
    if folder.exists():
        raise GanflowError(
            f"{folder} is there; `git worktree remove --force {folder}` removes it, --into names another"
        )
    logger.info(f"commit {commit[:12]} to {folder}")
    _run("git", "worktree", "add", "--quiet", "--detach", str(folder), commit)
    project = folder / _run("git", "rev-parse", "--show-prefix")
    _parameters(version, project, settings.experiment)
    _data(version, project)
    for stage in STAGES:
        logger.info(f"{stage} …")
        _stage(project, stage)
    return compared(version, project)


def _commit(version: Trace) -> str:
    recorded = version.tags.get("git_commit")
    if recorded is None or version.origin.params is None or version.origin.lock is None:
        raise GanflowError(
            f"{version.uri} keeps no commit, {provenance.PARAMS} or {provenance.LOCK}: "
            "it was trained outside of git and DVC, or registered by an earlier ganflow"
        )
    commit = recorded.partition("-")[0]
    if commit != recorded:
        logger.info(f"note: files that differed from commit {commit[:12]} were used; what they held was not kept")
    if subprocess.run(["git", "cat-file", "-e", f"{commit}^{{commit}}"], capture_output=True, check=False).returncode:
        raise GanflowError(
            f"commit {commit} of {version.uri} is not in this repository; is it pushed, and fetched here?"
        )
    return commit


def _parameters(version: Trace, project: Path, experiment: str) -> None:
    node: dict[str, Any] = {**(version.origin.params or {}), "tracking": {"experiment": experiment}}
    if start := version.tags.get("start"):  # an alias may point to another version by now
        node["training"] = {**node["training"], "start": start.partition(" ")[0]}
    write_whole(project / provenance.PARAMS, yaml.safe_dump(node, sort_keys=False))
    write_whole(project / provenance.TUNE / provenance.BEST, yaml.safe_dump(version.origin.best or {"overrides": []}))


def _data(version: Trace, project: Path) -> None:
    """The very data of then: from DVC's cache, from its remote, or prepared anew."""
    write_whole(project / provenance.LOCK, yaml.safe_dump(version.origin.lock, sort_keys=False))
    path, md5 = version.tags.get("data_path", "data"), version.tags.get("data_md5")
    _dvc(project, "config", "--local", "cache.dir", str(Path(_dvc(Path(), "cache", "dir")).absolute()))
    for way in (("checkout", path), ("pull", path)):
        if _try(project, *way):
            logger.info(f"data {md5} by dvc {way[0]}")
            return
    logger.info("data are in no cache; preparing them …")
    _stage(project, "prepare")
    made = run_record.data_md5(path, project / provenance.LOCK)
    if made != md5:
        raise GanflowError(
            f"the data are not those of {version.uri}: md5 {made}, and {md5} then; has their source changed?"
        )


def compared(version: Trace, project: Path) -> list[Mismatch]:
    """The parts of a project that differ from those of a registered version."""
    weights = run_record.file_digest(project / MODEL / FILE)
    metrics: dict[str, object] = records.read(project / METRICS, dict, "`dvc repro evaluate` writes it")
    record = run_record.RunRecord.read(project / MODEL / run_record.FILE)
    now = loggable({f"{METRIC}{name}": value for name, value in metrics.items()})
    then = {f"{METRIC}{name}": value for name, value in version.metrics.items()}
    figures = [
        Mismatch(key.removeprefix(METRIC), then.get(key), now.get(key))
        for key in sorted({*then, *now})
        if then.get(key) != now.get(key)
    ]
    if weights == version.tags.get(DIGEST):
        return figures
    why = {"fingerprint": record.fingerprint, "environment": record.environment}
    others = [Mismatch(name, version.tags.get(name), value) for name, value in why.items()]
    return [
        Mismatch("weights", version.tags.get(DIGEST), weights),
        *(figure for figure in others if figure.then != figure.now),
        *figures,
    ]


def _stage(project: Path, name: str) -> None:
    """Run a stage, whatever DVC believes to know of its outcome."""
    command = _command("repro", "--force", "--single-item", name)
    process = subprocess.Popen(command, cwd=project, env=_environment(project), start_new_session=True)
    try:
        status = process.wait()
    except KeyboardInterrupt:  # DVC leaves it to what it runs, which is told here: not only a terminal interrupts
        os.killpg(process.pid, signal.SIGINT)
        process.wait()
        raise
    if status:
        raise GanflowError(f"{name} failed in {project}, with exit status {status}")


def _try(project: Path, *command: str) -> bool:
    done = subprocess.run(_command(*command), cwd=project, env=_environment(project), capture_output=True, check=False)
    return done.returncode == 0


def _dvc(project: Path, *command: str) -> str:
    return _run(*_command(*command), cwd=project)


def _command(*command: str) -> list[str]:
    return [sys.executable, "-m", "dvc", *command]


def _environment(project: Path) -> dict[str, str]:
    """The stages import what lies in the worktree."""
    env = {key: value for key, value in os.environ.items() if key not in ELSEWHERE}
    paths = [str(project.absolute()), *filter(None, [env.get("PYTHONPATH")])]
    env["PYTHONPATH"] = os.pathsep.join(paths)
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', '')}"
    return env


def _run(*command: str, cwd: Path = Path()) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        output = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise GanflowError(f"{' '.join(command)}: {output[-1] if output else done.returncode}")
    return done.stdout.strip()
