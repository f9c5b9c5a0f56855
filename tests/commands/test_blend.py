"""`ganflow blend`: the folder that it makes is a model for every other command."""

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from ganflow.cli.app import app
from ganflow.commands.blend import blend
from ganflow.errors import ConfigError
from ganflow.methods import generator
from ganflow.tracking.registry.loader import load_generator, tracking_of
from ganflow.tracking.runs import run_record
from tests.commands.test_own_pictures import DOUBLES, EDSR


def model(folder: Path, seed: int, spec: generator.GeneratorSpec = DOUBLES) -> str:
    torch.manual_seed(seed)
    folder.mkdir()
    generator.save(folder / generator.FILE, spec.build(), spec)
    return str(folder)


def weights(folder: str) -> dict[str, torch.Tensor]:
    return load_generator(folder, tracking_of(folder)).network.state_dict()


def test_a_blend_is_a_model_and_its_ends_are_the_files_themselves(tmp_path: Path) -> None:
    a, b, to = model(tmp_path / "a", 0), model(tmp_path / "b", 1), str(tmp_path / "new" / "to")
    told = CliRunner().invoke(app, ["blend", a, b, "--alpha", "0.8", "--to", to])
    assert told.output == f"0.2 of {a} and 0.8 of {b}: {Path(to) / generator.FILE}\n"
    for name, tensor in weights(to).items():
        torch.testing.assert_close(tensor, 0.2 * weights(a)[name] + 0.8 * weights(b)[name])
    for alpha, end in ((0.0, a), (1.0, b)):  # in the same folder, which is replaced
        blend(a, b, alpha, to)
        assert (Path(to) / generator.FILE).read_bytes() == (Path(end) / generator.FILE).read_bytes()


def test_what_differs_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    wider = generator.GeneratorSpec(
        EDSR | {"width": 6}, 0, DOUBLES.shape, 0, given_shape=DOUBLES.given_shape, given=DOUBLES.given
    )
    a, b = model(tmp_path / "a", 0), model(tmp_path / "b", 1, wider)
    with pytest.raises(ConfigError, match=r"^network\.width=4: the other model has 6; only two of the same network"):
        blend(a, b, 0.5, str(tmp_path / "to"))
    assert not (tmp_path / "to").exists()


def test_a_training_s_own_folder_keeps_its_weights(tmp_path: Path) -> None:
    a, b = model(tmp_path / "a", 0), model(tmp_path / "b", 1)
    (tmp_path / "b" / run_record.FILE).write_text("{}")
    with pytest.raises(ConfigError, match=r"^to=.*a training's own folder"):
        blend(a, b, 0.5, b)
