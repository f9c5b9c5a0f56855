"""What a command or a stage may import of the heavy packages; whatever it does not need is not waited for."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ganflow.config import composition, params_file
from ganflow.methods.generator import FILE, save
from tests.generation.writers.made import SPEC, model
from tests.support.patience import patience
from tests.support.project import ROOT

HEAVY = (
    "torch", "ray", "mlflow", "dvc", "boto3", "hydra", "numpy", "scipy", "sklearn", "pandas", "pyarrow", "PIL", "onnx",
    "onnxruntime", "onnxscript", "fastapi", "starlette", "uvicorn", "jinja2", "safetensors",
)  # fmt: skip

# What a line may import beyond the lines above it in its table: each table is one process. A stage is imported and run,
# or, where it says so, only what its functions import.
CONFIGURATION = {
    ("ganflow", "--help"): set(),
    ("ganflow", "config", "choices"): set(),
    ("ganflow", "config", "show"): set(),
    ("pipelines.tune",): set(),
    ("pipelines.source", "imports"): set(),
    ("ganflow", "config", "compose", "--stdout"): {"hydra"},
    ("ganflow", "config", "check"): set(),
}
GENERATION = {
    ("ganflow", "generate", "--model", "model", "-n", "4", "--out", "samples.npz"): {
        "torch",
        "numpy",
        "safetensors",
        "jinja2",
    },
    ("ganflow", "generate", "--model", "model", "-n", "4", "--out", "grid.png"): {"PIL"},
}
STAGES = {
    ("pipelines.prepare",): {"torch", "numpy", "PIL"},
    ("pipelines.register", "imports"): {"jinja2"},
    ("pipelines.evaluate", "imports"): set(),
    ("pipelines.train", "imports"): {"hydra"},
}
RUN = """
import ast, importlib, inspect, json, sys, textwrap
from pathlib import Path
heavy, lines = json.loads(sys.argv[1])
def run(first, *rest):
    if first == "ganflow":
        from ganflow.cli.app import app
        return app(rest, standalone_mode=False)
    stage = importlib.import_module(first)
    if not rest:
        return stage.main()
    for node in ast.walk(ast.parse(inspect.getsource(stage))):
        if isinstance(node, ast.ImportFrom):
            exec(ast.unparse(node), {})
before = set(sys.modules)
for line in lines:
    run(*line)
    print("imported", json.dumps([name for name in heavy if name in sys.modules and name not in before]), flush=True)
    before |= set(sys.modules)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that searches nothing, with a model; the catalogue of components is kept already."""
    project = tmp_path_factory.mktemp("project")
    small = composition.compose(["experiment=ring8", "tune.trials=0", "data.count=600", "data.test_count=100"])
    (project / "params.yaml").write_text(params_file.dump(small))
    (project / "model").mkdir()
    save(project / "model" / FILE, model().network, SPEC)
    python("-c", "from ganflow.config import catalogue; catalogue.entries('loss')", folder=project)
    return project


def python(*arguments: str, folder: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *arguments]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=patience(120))
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("table", [CONFIGURATION, GENERATION, STAGES], ids=["configuration", "generation", "stages"])
def test_a_command_imports_no_more_than_it_needs(table: dict[tuple[str, ...], set[str]], folder: Path) -> None:
    told = python("-c", RUN, json.dumps([HEAVY, list(table)]), folder=folder).splitlines()
    imported = [json.loads(line.removeprefix("imported")) for line in told if line.startswith("imported")]
    assert {line: set(names) for line, names in zip(table, imported, strict=True)} == table
