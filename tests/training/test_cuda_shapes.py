"""Every recipe takes its steps on a CUDA device that only has shapes, and costs the host no more than it did.

Nothing here is a value: what a GPU computes, how fast and in how much memory, only a GPU can show.
"""

import json
import subprocess
import sys
from typing import Any

import pytest

from ganflow.config.recipes import built_in
from tests.support.patience import patience
from tests.support.project import ROOT

# Kernels of a step, and of one in which every penalty is due where that is another.
KERNELS: dict[str, list[int]] = {
    "article_adam": [141],
    "article_dcgan5x5": [143],
    "article_dense_conv": [212],
    "article_mlp128": [131],
    "article_mlp_smooth": [160],
    "biggan": [2766],
    "cifar10": [257],
    "colourise": [618],
    "dcgan": [225],
    "deblur": [177],
    "default": [213],
    "denoise": [126],
    "detect_digits": [245],
    "detect_mnist": [231],
    "detect_tiles": [161],
    "grid25": [163, 254],
    "inpaint": [667],
    "lsgan": [308],
    "mnist": [211],
    "pix2pix": [431],
    "r3gan": [1723],
    "restore_digits": [335],
    "ring8": [163, 254],
    "sngan": [2603],
    "stacked_mnist": [173],
    "stylegan2_ada": [1506, 1736],
    "super_resolution": [145],
    "super_resolution_gan": [683],
    "vae": [113],
    "wgan": [1207],
    "wgan_gp": [2581],
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
    return {line["recipe"]: line for line in run("steps", *built_in.names())}


@pytest.mark.parametrize("recipe", built_in.names())
def test_a_recipe_s_step_fits_the_device_and_costs_no_more(steps: dict[str, dict[str, Any]], recipe: str) -> None:
    told = steps[recipe]
    assert "error" not in told, told["error"]
    costs = [told["step"], *([told["with every penalty"]] if "with every penalty" in told else [])]
    assert [cost["kernels"] for cost in costs] == KERNELS[recipe], (
        "fewer: lower the table; more: each costs microseconds"
    )
    assert [cost["copies"] for cost in costs] == [1] * len(costs)
    assert [cost["waits"] for cost in costs] == [0] * len(costs)


def test_data_too_large_for_the_device_come_with_what_a_step_copies_anyway() -> None:
    recipes = ("default", "sngan", "wgan_gp", "stylegan2_ada", "grid25")
    for told in run("steps", "--streamed", *recipes):
        assert "error" not in told, told["error"]
        costs = [told["step"], *([told["with every penalty"]] if "with every penalty" in told else [])]
        assert [(cost["copies"], cost["waits"]) for cost in costs] == [(1, 0)] * len(costs)
        # The images need not be picked by their index any more.
        assert all(cost["kernels"] < most for cost, most in zip(costs, KERNELS[told["recipe"]], strict=True))


def test_what_only_a_gpu_would_refuse_is_refused() -> None:
    (found,) = run("planted")
    assert "cuda:0 and cpu" in found["a constant on the CPU"].replace("cpu and cuda:0", "cuda:0 and cpu")
    assert "cpu" in found["a draw left there"]
    assert "cuda:0" in found["a draw left there"]
    assert found["a value that is read"].startswith("DataDependentOutputException")
