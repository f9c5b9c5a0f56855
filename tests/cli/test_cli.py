import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from typer.testing import CliRunner, Result

from ganflow.cli.app import app
from ganflow.config.components import GROUPS
from ganflow.config.recipes import built_in
from ganflow.methods import generator
from ganflow.signals import scatter_plot
from tests.support import preloaded

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def ganflow(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    spec = generator.GeneratorSpec({"name": "mlp", "widths": [16]}, 4, (1, 8, 8), 3, ["a", "b", "c"])
    torch.manual_seed(0)
    path = tmp_path / "model" / generator.FILE
    path.parent.mkdir()
    generator.save(path, spec.build(), spec)
    return path


def change(**values: object) -> None:
    path = Path("params.yaml")
    node = yaml.safe_load(path.read_text())
    node["training"].update(values)
    path.write_text(yaml.safe_dump(node, sort_keys=False))


def test_help_teaches_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from ganflow.cli.app import app; app(['--help'], standalone_mode=False); "
        "print([m for m in ('torch', 'mlflow', 'hydra', 'omegaconf', 'numpy', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "ganflow generate --model models:/ganflow-digits@challenger" in done.stdout


def test_compose_writes_says_what_changed_and_checks() -> None:
    assert ganflow("config", "compose").output == "wrote params.yaml\n"
    assert ganflow("config", "check").output == "params.yaml is right; no values differ from its recipe\n"
    again = ganflow("config", "compose", "training.batch=96", "gan/loss=minimax").output
    assert "training.batch: 128 -> 96" in again
    assert "gan.loss.name: non_saturating -> minimax" in again
    checked = ganflow("config", "check")
    assert checked.exit_code == 0
    assert "training.batch=96 (recipe default: 128)" in checked.output


def test_compose_to_stdout_writes_nothing() -> None:
    composed = yaml.safe_load(ganflow("config", "compose", "seed=3", "--stdout").output)
    assert composed["seed"] == 3
    assert list(Path().iterdir()) == []


def test_a_refused_override_leaves_params_as_they_were() -> None:
    ganflow("config", "compose")
    before = Path("params.yaml").read_bytes()
    assert ganflow("config", "compose", "training.batch=-1").exit_code != 0
    assert Path("params.yaml").read_bytes() == before
    assert [path.name for path in Path().iterdir()] == ["params.yaml"]


def test_check_names_every_misfit_with_its_line() -> None:
    ganflow("config", "compose")
    change(batch=0, kimg="long", batches=3)
    text = Path("params.yaml").read_text().replace("seed: 0\n", "", 1)
    Path("params.yaml").write_text(text)
    numbers = {key: i for i, line in enumerate(text.splitlines(), 1) for key in [line.strip().partition(":")[0]]}
    checked = ganflow("config", "check")
    assert checked.exit_code == 1
    for key in ("kimg", "batches"):
        assert f"training.{key}=" in checked.output
    assert f"params.yaml:{numbers['batches']}: training.batches=3: no such key" in checked.output
    assert "training.batch=0: must be more than 0" in checked.output
    assert "params.yaml: seed is missing; stages take 0" in checked.output


def test_show_prints_a_part() -> None:
    ganflow("config", "compose")
    assert yaml.safe_load(ganflow("config", "show", "training").output)["batch"] == 128
    assert yaml.safe_load(ganflow("config", "show").output)["recipe"] == "default"
    assert "no such key" in str(ganflow("config", "show", "training.nothing").exception)


def test_choices_lists_every_group_with_options() -> None:
    everything = ganflow("config", "choices").output
    for spec in GROUPS.values():
        for slot in spec.slots:
            assert slot in everything.split("\n") or f"{slot} (any number)" in everything
    assert "      width = " in ganflow("config", "choices", "gan/generator").output
    recipes = ganflow("config", "choices", "experiment").output.splitlines()
    assert (recipes[0], len(recipes)) == ("experiment", 1 + len(built_in.names()))
    assert any(line.startswith("  lsgan: LSGAN (Mao et al., 2017) on DCGAN's networks") for line in recipes)
    assert "one of experiment, data, given, method, gan/generator" in str(ganflow("config", "choices", "gan").exception)


def test_generate_draws_a_grid_an_array_and_a_folder(model: Path) -> None:
    expected = generator.load(model).sample(7, 5)
    for out in ("grid.png", "samples.npz", "folder/"):
        drawn = ganflow("generate", "--model", str(model), "-n", "7", "--seed", "5", "--out", out)
        assert drawn.exit_code == 0, drawn.output
    arrays = np.load("samples.npz")
    np.testing.assert_array_equal(arrays["images"], expected)
    assert arrays["labels"].tolist() == [0, 1, 2, 0, 1, 2, 0]
    pictures = [np.asarray(Image.open(path))[..., None] for path in sorted(Path("folder").glob("*.png"))]
    np.testing.assert_array_equal(np.stack(pictures), expected)
    width, height = Image.open(io.BytesIO(Path("grid.png").read_bytes())).size
    assert (width, height) == (3 * 50 + 2, 3 * 50 + 2), "a class per column"


def test_generate_of_one_class_from_a_folder(model: Path) -> None:
    ganflow("generate", "--model", str(model.parent), "-n", "4", "--label", "2", "--out", "two.npz")
    np.testing.assert_array_equal(np.load("two.npz")["images"], generator.load(model).sample(4, 0, 2))


def test_generate_of_classes_by_name_with_truncation_into_folders(model: Path) -> None:
    arguments = ("-n", "5", "--label", "c,a", "--truncation", "0.5", "--by-class", "--out", "out/")
    drawn = ganflow("generate", "--model", str(model), *arguments)
    assert drawn.exit_code == 0, drawn.output
    expected = generator.load(model).sample(5, 0, [2, 0], truncation=0.5)
    for i in range(5):
        found = np.asarray(Image.open(Path("out", "ca"[i % 2], f"{i:06d}.png")))
        np.testing.assert_array_equal(found, expected[i, :, :, 0])


def test_generate_walks(model: Path) -> None:
    drawn = ganflow(
        "generate", "--model", str(model), "-n", "3", "--frames", "15", "--seconds", "1.5", "--out", "w.gif"
    )
    assert drawn.exit_code == 0, drawn.output
    with Image.open("w.gif") as walk:
        assert (walk.n_frames, walk.info["duration"], walk.info["loop"]) == (15, 100, 0)


def test_generate_draws_points_in_one_plot_or_as_an_array(tmp_path: Path) -> None:
    network = {"name": "mlp", "widths": [16], "output": "linear"}
    spec = generator.GeneratorSpec(network, 4, (2, 1, 1), 0, kind="points", centres=[[0.0, 0.0], [1.0, 0.0]])
    path = tmp_path / generator.FILE
    generator.save(path, spec.build(), spec)
    for out in ("plot.png", "samples.npz"):
        drawn = ganflow("generate", "--model", str(path), "-n", "7", "--seed", "5", "--out", out)
        assert drawn.exit_code == 0, drawn.output
    expected = generator.load(path).sample(7, 5)
    np.testing.assert_array_equal(np.load("samples.npz")["points"], expected)
    assert Path("plot.png").read_bytes() == scatter_plot.scatter(expected, spec.centres)
    refused = ganflow("generate", "--model", str(path), "-n", "7", "--out", "folder/")
    assert refused.exit_code != 0
    assert not Path("folder").exists()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--out", "grid.jpg"], "out=grid.jpg: a name that ends in .gif .webp .apng (an animation"),
        (["--label", "3", "--out", "grid.png"], "label=3: must be 0 to 2"),
        (["--label", "a,d", "--out", "grid.png"], "label=d: 0 to 2, or of a, b, c"),
        (["--truncation", "0", "--out", "grid.png"], "truncation=0.0: more than 0"),
        (["--frames", "9", "--out", "grid.png"], "frames=9: grid.png has no such option; what ends in .apng, .gif"),
        (["--by-class", "--out", "x.npz"], "by_class=True: x.npz has no such option; what ends in / has"),
    ],
)
def test_generate_refuses_in_one_line(model: Path, tmp_path: Path, arguments: list[str], line: str) -> None:
    status, _, error = preloaded.ganflow(tmp_path, "generate", "--model", str(model), *arguments)
    assert status == 2
    assert error.startswith(f"ganflow: {line}")
    assert error.count("\n") == 1
