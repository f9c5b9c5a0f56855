import inspect
import subprocess
import sys
from pathlib import Path

import yaml

import ganflow
from ganflow.config import composition
from ganflow.config.keys import trained_sections
from ganflow.training.checkpoints.fingerprint import SOURCES, fingerprint

ROOT = Path(inspect.getfile(ganflow)).parents[1]
# What training loads and weights do not depend on: how choices are read, how data were made, what is measured.
BESIDE = (
    "atomic_files.py",
    "config",
    "data",
    "errors.py",
    "evaluation",
    "generation",
    "records.py",
    "storage",
    "terminal",
)


def test_what_is_computed_makes_the_name() -> None:
    one = fingerprint(composition.compose(), "data")
    assert one == fingerprint(composition.compose(), "data")
    assert one != fingerprint(composition.compose(), "other data")
    for override in ("seed=1", "optimizers.generator.lr=0.002", "gan/loss=minimax", "training.kimg=1", "method=vae"):
        assert fingerprint(composition.compose([override]), "data") != one, override


def test_the_order_of_degradations_makes_the_name() -> None:
    chains = (["given=[]"], ["given=[blur]"], ["given=[blur,noise]"], ["given=[noise,blur]"])
    assert len({fingerprint(composition.compose(chain), "data") for chain in chains}) == len(chains)


def test_where_it_is_computed_does_not() -> None:
    one = fingerprint(composition.compose(), "data")
    elsewhere = ("cluster.workers=1", "tracking.uri=http://127.0.0.1:5000", "register.name=other", "tune.trials=0")
    for override in (*elsewhere, "promotion.metric=kid"):
        assert fingerprint(composition.compose([override]), "data") == one, override


def test_every_file_that_training_loads_is_part_of_the_name_or_known_to_be_beside() -> None:
    code = "import sys, ganflow.training.build as b; print(*(m for m in sys.modules if m.startswith('ganflow.')))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    rooms = {name.split(".")[1] for name in said.split()}
    files = {f"{room}.py" if (ROOT / "ganflow" / f"{room}.py").exists() else room for room in rooms}
    assert files <= {*SOURCES, *BESIDE}


def test_dvc_trains_again_for_the_same_files() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    for stage in ("tune", "train"):
        assert set(trained_sections()) <= set(stages[stage]["params"]), stage
        named = {dep.removeprefix("ganflow/") for dep in stages[stage]["deps"] if dep.startswith("ganflow/")}
        assert set(SOURCES) <= named, stage


def test_no_stage_is_run_again_for_where_work_runs_or_who_becomes_champion() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert not {"cluster", "tracking", "promotion"} & {
        name for stage in stages.values() for name in stage.get("params", [])
    }
