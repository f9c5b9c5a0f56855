"""A registered model that restores or detects: MLflow's function, the exports and the card, from image to image."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ganflow.methods import generator
from ganflow.methods.generator import Generator, GeneratorSpec
from ganflow.report import snippets
from ganflow.report.model_card import Card
from ganflow.tracking.registry import model_package, pyfunc
from tests.support.patience import patience

pytestmark = pytest.mark.slow

HALF = {"hole": {"name": "hole", "kind": "half", "share": 0.25}}
SPEC = GeneratorSpec({"name": "edsr", "blocks": 1, "width": 4}, 0, (1, 8, 8), 0, given_shape=(2, 8, 8), given=HALF)
ASK = """
import mlflow, numpy as np, sys
given = np.load("given.npy")
model = mlflow.pyfunc.load_model("logged")
np.save("restored.npy", model.predict(given))
try:
    model.predict(given[:, :4])
except Exception as error:
    print(str(error).splitlines()[0])
import ganflow
print(ganflow.__file__)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("registered")
    torch.manual_seed(0)
    generator.save(root / generator.FILE, SPEC.build(), SPEC)
    model_package.write(root / "logged", root / generator.FILE, "m-1", "0" * 32, Card("m", SPEC, 1))
    return root


def test_mlflow_restores_with_the_code_of_the_folder(folder: Path) -> None:
    given = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 2), np.uint8)
    given[..., 1] = 255 * (given[..., 1] > 127)
    np.save(folder / "given.npy", given)
    run = subprocess.run(
        [sys.executable, "-c", ASK], cwd=folder, capture_output=True, text=True, timeout=patience(120), check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    refusal, code = run.stdout.splitlines()[-2:]
    assert "Failed to enforce schema" in refusal
    assert str(folder) in code
    loaded = generator.load(folder / generator.FILE)
    stored = torch.from_numpy(given).permute(0, 3, 1, 2)
    expected = loaded.stored(loaded.restored(SPEC.given_of(stored)))
    assert np.array_equal(np.load(folder / "restored.npy"), expected)


def test_a_model_that_detects_says_of_which_light_its_images_are() -> None:
    spec = GeneratorSpec(SPEC.network, 0, (1, 8, 8), 0, given_shape=(1, 8, 8), detection={"light": "standardised"})
    assert "ganflow detect pictures/ --model a.safetensors" in snippets.with_ganflow(spec, "a.safetensors")
    assert "a mean of 127.5 and a deviation of 36 of 255" in snippets.rule(spec)
    assert "ganflow restore pictures/" in snippets.with_ganflow(SPEC, "a.safetensors")
    given = np.random.default_rng(0).integers(0, 120, (3, 8, 8, 1), np.uint8)
    model = Generator(spec.build(), spec)
    assert np.array_equal(pyfunc.restored(model, given), pyfunc.restored(model, 2 * given))


def test_the_card_says_what_it_is_given_and_its_snippets_run(folder: Path) -> None:
    card = (folder / "logged/README.md").read_text(encoding="utf-8")
    assert "A model that makes grey images of 8x8 of what it is given of them: `hole`." in card
    assert "pipeline_tag: image-to-image" in card
    snippets = re.findall(r"```python\n(.*?)```", card, flags=re.DOTALL)
    assert len(snippets) == 3
    for snippet in snippets:
        run = subprocess.run(
            [sys.executable, "-c", snippet], cwd=folder / "logged", capture_output=True, text=True,
            timeout=patience(120), check=False,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr[-2000:]
