"""What import-linter cannot see: that the code really loads where the heavy packages are missing or unwanted."""

import graphlib
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import grimp
import pytest

from tests.support.patience import patience

ROOT = Path(__file__).parents[1]
PYPROJECT = ROOT / "pyproject.toml"

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
    run = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, timeout=patience(120))
    assert run.returncode == 0, run.stderr


def layers_above(layer: str) -> list[str]:
    contracts = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(c["layers"] for c in contracts if c.get("containers") == ["ganflow"])
    above = layers[: next(i for i, floor in enumerate(layers) if layer in floor.split(" | "))]
    return [f"ganflow.{name}" for name in re.findall(r"\w+", " ".join(above))]


def test_training_and_all_below_load_without_ray_mlflow_dvc_and_boto3() -> None:
    python(LOAD_ALL_BUT, *layers_above("training"))


def test_help_loads_nothing_heavy() -> None:
    python(HELP)


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """Module → the modules of ganflow that it imports."""
    graph = grimp.build_graph("ganflow")
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def folder(module: str) -> str:
    """The package that a module lies in; a package's ``__init__`` lies in itself, a module of the root is its own."""
    inside = module if (ROOT / module.replace(".", "/")).is_dir() else module.rpartition(".")[0]
    return module if inside == "ganflow" else inside


def test_no_module_imports_itself_by_way_of_others(imports: dict[str, set[str]]) -> None:
    order = list(graphlib.TopologicalSorter(imports).static_order())  # CycleError names a circle
    assert len(order) == len(imports) > 200


def test_no_folder_imports_itself_by_way_of_others(imports: dict[str, set[str]]) -> None:
    between: dict[str, set[str]] = {}
    for module, imported in imports.items():
        between.setdefault(folder(module), set()).update({folder(other) for other in imported} - {folder(module)})
    order = list(graphlib.TopologicalSorter(between).static_order())
    assert len(order) == len(between) > 30


def test_a_folder_can_be_taken_in_at_a_glance() -> None:
    visible = [path for path in (ROOT / "ganflow").iterdir() if path.name != "__pycache__"]
    assert len(visible) <= 21
    modules = Counter(path.parent for path in (ROOT / "ganflow").rglob("*.py") if path.name != "__init__.py")
    assert max(modules.values()) <= 14, modules.most_common(3)


def test_file_names_are_unique() -> None:
    """But for those that say the same of every folder, and a command's beside the program's line of the same name."""
    files = [path for path in (ROOT / "ganflow").rglob("*.py") if path.parts[-2] not in ("cli", "commands")]
    names = Counter(path.name for path in files)
    assert {name for name, n in names.items() if n > 1} <= {"__init__.py", "base.py", "build.py"}
