"""Every recipe takes its steps on a CUDA device that only has shapes, and costs the host no more than it did.

Nothing here is a value: what a GPU computes, how fast and in how much memory, only a GPU can show.
"""

import json
import subprocess
import sys
from typing import Any

import pytest

from ganflow.config.composition import hydra_store
from tests.support.patience import patience
from tests.support.project import ROOT

# Kernels of a step, and of one in which every penalty is due where that is another.
KERNELS: dict[str, list[int]] = {
    "article_adam": [171],
    "article_dcgan5x5": [173],
    "article_dense_conv": [263],
    "article_mlp128": [161],
    "article_mlp_smooth": [202],
    "biggan": [4673],
    "cifar10": [299],
    "dcgan": [279],
    "default": [243],
    "grid25": [219, 310],
    "lsgan": [371],
    "mnist": [241],
    "r3gan": [2025],
    "ring8": [219, 310],
    "sngan": [4289],
    "stacked_mnist": [203],
    "stylegan2_ada": [2075, 2323],
    "vae": [135],
    "wgan": [1369],
    "wgan_gp": [2833],
}


def run(program: str, *arguments: str) -> list[Any]:
    """What a program of tests/support/cuda_shapes prints, line by line."""
    command = [sys.executable, "-m", f"tests.support.cuda_shapes.{program}", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=patience(600), check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def steps() -> dict[str, dict[str, Any]]:
    """What the program says of each recipe."""
    return {line["recipe"]: line for line in run("steps", *hydra_store.recipes())}


@pytest.mark.parametrize("recipe", hydra_store.recipes())
def test_a_recipe_s_step_fits_the_device_and_costs_no_more(steps: dict[str, dict[str, Any]], recipe: str) -> None:
    told = steps[recipe]
    assert "error" not in told, told["error"]
    costs = [told["step"], *([told["with every penalty"]] if "with every penalty" in told else [])]
    assert [cost["kernels"] for cost in costs] == KERNELS[recipe], (
        "fewer: lower the table; more: each costs microseconds"
    )
    assert [cost["copies"] for cost in costs] == [1] * len(costs)
    assert [cost["waits"] for cost in costs] == [0] * len(costs)


def test_what_only_a_gpu_would_refuse_is_refused() -> None:
    (found,) = run("planted")
    assert "cuda:0 and cpu" in found["a constant on the CPU"].replace("cpu and cuda:0", "cuda:0 and cpu")
    assert "cpu" in found["a draw left there"]
    assert "cuda:0" in found["a draw left there"]
    assert found["a value that is read"].startswith("DataDependentOutputException")
