"""People share machines: what one user's runs leave behind does not stand in the way of another's."""

import subprocess
from pathlib import Path

from tests.support.project import Project

WEIGHTS = "model/generator.safetensors"
STAGES = ("prepare", "tune", "train")
TINY = ("cluster.workers=2", "training.kimg=4", "tune.trials=1")
USER = 1234
# It may look everywhere, for Python may lie where only root does, and writes what is its own.
AS_USER = (
    "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search", "env",
)  # fmt: skip


def test_another_user_searches_and_trains_on_the_same_machine(place: Path) -> None:
    first, second = (Project(place / name, *TINY) for name in ("first", "second"))
    for stage in STAGES:
        first.stage(stage)
    subprocess.run(["chown", "-R", f"{USER}:{USER}", str(second.folder)], check=True)
    for stage in STAGES:
        second.run(*AS_USER, f"HOME={second.folder}", "python", "-m", f"pipelines.{stage}", forked=False)
    assert (second.folder / WEIGHTS).stat().st_uid == USER
    assert second.read(WEIGHTS) == first.read(WEIGHTS)
