"""`dvc exp run -S`, from where DVC composes on: what `ganflow config compose` writes, and the lines that it tells."""

from pathlib import Path

import pytest
from dvc.exceptions import InvalidArgumentError
from dvc.utils.hydra import compose_and_dump
from hydra._internal.hydra import Hydra

from ganflow.config import composition, params_file
from ganflow.errors import GanflowError

PLUGINS = Path(__file__).parents[2] / "infra/dvc"


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(PLUGINS)
    monkeypatch.setattr(Hydra, "compose_config", Hydra.compose_config)  # to be as it was afterwards
    from hydra_plugins import ganflow_messages

    monkeypatch.setattr(Hydra, "compose_config", ganflow_messages.compose_config)
    Path("recipes").mkdir()
    Path("recipes/mine.yaml").write_text("training: {batch: 96}\ntune: {space: {gan: {loss: null}}}\n")


def composed(*overrides: str) -> None:
    compose_and_dump("params.yaml", None, "ganflow.config.composition", "config", str(PLUGINS), list(overrides))


@pytest.mark.parametrize(
    "overrides",
    [
        ["experiment=mine", "gan/loss=hinge"],
        ["data=image_folder", "data.path=~/photos (1), #ü"],
        ["~tune.space.training.batch", "tune.space.gan.latent_dim.choice=[32,64]"],
        ["~tune.space", "+tune.space.optimizers.generator.lr.uniform=[0.001,0.01]"],
    ],
)
def test_dvc_writes_what_compose_writes(overrides: list[str]) -> None:
    composed(*overrides)
    assert Path("params.yaml").read_text() == params_file.dump(composition.compose(overrides))


@pytest.mark.parametrize(
    "override",
    [
        "training.lr=1",
        "gan.loss=hinge",
        "data=mnist",
        "recipe=wgan",
        "training.batch=0",
        "tune.space.gan.los.choice=[a]",
    ],
)
def test_a_wrong_override_is_the_line_that_compose_tells(override: str) -> None:
    with pytest.raises(GanflowError) as told:
        composition.compose([override])
    with pytest.raises(InvalidArgumentError) as refused:
        composed(override)
    assert str(refused.value) == str(told.value)
    assert not Path("params.yaml").exists()


def test_a_recipe_s_own_fault_is_told_with_its_file() -> None:
    Path("recipes/mine.yaml").write_text("training: {batch: 0}\n")
    with pytest.raises(InvalidArgumentError) as refused:
        composed("experiment=mine")
    assert str(refused.value) == "recipes/mine.yaml: training.batch=0: must be more than 0"
