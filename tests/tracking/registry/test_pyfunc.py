"""What `mlflow models serve` answers: the samples of `ganflow generate`, or one line that says what cannot be."""

import io
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganflow.generation.sampling import Sampling
from ganflow.methods import generator
from ganflow.report.model_card import Card
from ganflow.tracking.registry import model_package
from tests.support.patience import patience
from tests.support.ports import free_port
from tests.tracking.mlflow_help import SPEC, wait_until, write_model

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as MLflow has it, without a store."""
    root = tmp_path_factory.mktemp("served")
    write_model(root / "model", "0" * 32)
    model_package.write(root / "logged", root / "model" / generator.FILE, "m-1", "0" * 32, Card("m", SPEC, 1))
    return root / "logged"


@pytest.fixture(scope="module")
def address(model: Path) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(model), "--env-manager", "local",
               "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    process = subprocess.Popen(command, cwd=model.parent, env={**environment, "PATH": path}, start_new_session=True)
    uri = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert process.poll() is None
        try:
            return bool(urllib.request.urlopen(f"{uri}/ping", timeout=2).status == 200)
        except OSError:
            return False

    wait_until(answers, "the model is served")
    yield uri
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def ask(address: str, **params: Any) -> tuple[int, Any]:
    body = json.dumps({"inputs": [0], "params": params}).encode()
    request = urllib.request.Request(f"{address}/invocations", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=patience(60)) as answer:
            return answer.status, json.load(answer)["predictions"]
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["message"]


def drawn(model: Path, **asked: Any) -> generator.Samples:
    """As the command makes them."""
    sampling = Sampling(generator.load(model / model_package.WEIGHTS), **asked)
    return np.concatenate([sampling.draw(first) for first in sampling.starts])


def test_it_answers_as_the_command(model: Path, address: str) -> None:
    status, made = ask(address, n=6, seed=7)
    assert status == 200
    np.testing.assert_array_equal(np.array(made), drawn(model, n=6, seed=7))
    _, made = ask(address, n=5, seed=-3, label=2, truncation=0.5)
    np.testing.assert_array_equal(np.array(made), drawn(model, n=5, seed=-3, label=[2], truncation=0.5))
    assert len(ask(address)[1]) == 16


def test_png_is_a_file_for_each_sample(model: Path, address: str) -> None:
    status, made = ask(address, n=3, seed=7, label=1, format="png")
    pixels = [np.array(Image.open(io.BytesIO(b64decode(text)))) for text in made]
    assert status == 200
    np.testing.assert_array_equal(np.stack(pixels)[..., None], drawn(model, n=3, seed=7, label=[1]))


@pytest.mark.parametrize(
    ("params", "line"),
    [
        ({"n": 0}, "n=0: 1 to 256"),
        ({"n": 257}, "n=257: 1 to 256; `ganflow generate` makes any number"),
        ({"label": 3}, "label=3: must be 0 to 2"),
        ({"label": -2}, "label=-2: must be 0 to 2"),
        ({"truncation": 0.0}, "truncation=0.0: more than 0"),
        ({"truncation": -0.5}, "truncation=-0.5: more than 0"),
        ({"truncation": float("inf")}, "truncation=inf: a number; -1 for none"),
        ({"format": "gif"}, "format=gif: one of array, png"),
        ({"n": "many"}, "Failed to validate type and shape for 'n'"),
    ],
)
def test_what_cannot_be_is_told(address: str, params: dict[str, Any], line: str) -> None:
    status, told = ask(address, **params)
    assert status == 400
    assert line in told


def test_points_are_no_png(tmp_path: Path) -> None:
    from mlflow import pyfunc
    from mlflow.exceptions import MlflowException

    spec = generator.GeneratorSpec({"name": "mlp", "widths": [8], "output": "linear"}, 4, (2, 1, 1), 0, kind="points")
    write_model(tmp_path / "model", "0" * 32, spec=spec)
    model_package.write(tmp_path / "logged", tmp_path / "model" / generator.FILE, "m-1", "0" * 32, Card("m", spec, 1))
    served = pyfunc.load_model(str(tmp_path / "logged"))
    with pytest.raises(MlflowException, match="format=png: array: this generator makes points") as refused:
        served.predict([0], params={"format": "png"})
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
    assert served.predict([0], params={"n": 3}).shape == (3, 2)


ALONE = """
import json, sys
from pathlib import Path
import mlflow
drawn = mlflow.pyfunc.load_model(sys.argv[1]).predict([0], params={"n": 6, "seed": 7})
files = [m.__file__ for n, m in sys.modules.items() if n.split(".")[0] == "ganflow"]
print(json.dumps({"drawn": drawn.tolist(), "files": files, "others": sorted({"ray", "hydra"} & set(sys.modules))}))
"""


def test_the_code_that_travels_is_enough(model: Path) -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", ALONE, str(model)], capture_output=True, text=True,
                          cwd=model.parent, env={"PATH": os.environ["PATH"], "HOME": str(model.parent)})  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_array_equal(np.array(said["drawn"]), drawn(model, n=6, seed=7))
    assert all(file.startswith(str(model)) for file in said["files"])
    assert said["others"] == []
