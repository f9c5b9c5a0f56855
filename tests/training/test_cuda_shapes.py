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

# Kernels of a step, and of one in which every penalty is due where that is another; arrays that it takes to the device.
MOST: dict[str, tuple[list[int], int]] = {
    "article_adam": ([171], 1),
    "article_dcgan5x5": ([173], 1),
    "article_dense_conv": ([263], 1),
    "article_mlp128": ([161], 1),
    "article_mlp_smooth": ([202], 1),
    "biggan": ([4839], 4),
    "cifar10": ([299], 1),
    "dcgan": ([279], 1),
    "default": ([243], 1),
    "grid25": ([223, 316], 7),
    "lsgan": ([372], 2),
    "mnist": ([241], 1),
    "r3gan": ([2856], 26),
    "ring8": ([223, 314], 5),
    "sngan": ([4414], 5),
    "stacked_mnist": ([203], 1),
    "stylegan2_ada": ([2595, 2919], 21),
    "vae": ([135], 1),
    "wgan": ([1373], 5),
    "wgan_gp": ([2842], 10),
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
    kernels, copies = MOST[recipe]
    assert [cost["kernels"] for cost in costs] == kernels, "fewer: lower the table; more: each costs some microseconds"
    assert max(cost["copies"] for cost in costs) <= copies
    assert all(cost["waits"] == 0 for cost in costs)


def test_what_only_a_gpu_would_refuse_is_refused() -> None:
    (found,) = run("planted")
    assert "cuda:0 and cpu" in found["a constant on the CPU"].replace("cpu and cuda:0", "cuda:0 and cpu")
    assert "cpu" in found["a draw left there"]
    assert "cuda:0" in found["a draw left there"]
    assert found["a value that is read"].startswith("DataDependentOutputException")
