"""What import-linter cannot see: that the code really loads where the heavy packages are missing or unwanted."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"

# Walks by hand: pkgutil.walk_packages would import the packages above training, too.
LOAD_ALL_BUT = """
import importlib, pkgutil, sys
sys.modules.update(dict.fromkeys(["ray", "mlflow", "dvc", "boto3"]))

def load(name):
    for info in pkgutil.iter_modules(getattr(importlib.import_module(name), "__path__", ())):
        if f"{name}.{info.name}" not in sys.argv:
            load(f"{name}.{info.name}")

load("ganflow")
assert "ganflow.training" in sys.modules
"""

HELP = """
import sys
from ganflow.cli import main
sys.argv = ["ganflow", "--help"]
try:
    main()
except SystemExit as end:
    assert not end.code, end
heavy = {"torch", "ray", "mlflow", "dvc", "hydra"} & set(sys.modules)
assert not heavy, f"`ganflow --help` imports {heavy}"
"""


def python(code: str, *args: str) -> None:
    run = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr


def layers_above(layer: str) -> list[str]:
    contracts = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(c["layers"] for c in contracts if c.get("containers") == ["ganflow"])
    return [f"ganflow.{name}" for name in re.findall(r"\w+", " ".join(layers[: layers.index(layer)]))]


def test_training_and_all_below_load_without_ray_mlflow_dvc_and_boto3() -> None:
    python(LOAD_ALL_BUT, *layers_above("training"))


def test_help_loads_nothing_heavy() -> None:
    python(HELP)
