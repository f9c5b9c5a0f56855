"""A project's own recipes: ``recipes/NAME.yaml`` beside ``params.yaml``."""

from pathlib import Path

import pytest
import yaml

from ganflow.commands import config as command
from ganflow.config import composition, params_file
from ganflow.config.recipes import built_in, own_recipes
from ganflow.errors import GanflowError

pytestmark = pytest.mark.slow

MINE = """# Ours: hinge with a wide critic.
defaults:
  - gan/loss: hinge
  - override /gan/discriminator: dcgan
  - gan/regularizers: [r1, lecam]
gan:
  discriminator: {width: 24}
  regularizers: {r1: {gamma: 0.5}}
training: {batch: 96, kimg: 20}
tune:
  space:
    training: {batch: null, d_steps: {int: [1, 3]}}
    gan/loss: {choice: [hinge, minimax]}
"""


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("recipes").mkdir()
    Path("recipes/mine.yaml").write_text(MINE)


def line_of(*overrides: str) -> str:
    with pytest.raises(GanflowError) as refused:
        composition.compose(overrides)
    return str(refused.value)


def write(text: str, name: str = "mine.yaml") -> None:
    Path("recipes", name).write_text(text)


def test_it_is_composed_like_a_built_in_one() -> None:
    mine = composition.compose(["experiment=mine", "training.kimg=30"])
    assert (mine.recipe, mine.gan.loss["name"], mine.training.batch, mine.training.kimg) == ("mine", "hinge", 96, 30.0)
    assert mine.gan.discriminator["width"] == 24
    assert {name: node.get("gamma") for name, node in mine.gan.regularizers.items()}["r1"] == 0.5
    assert mine.tune.space["training"] == {"d_steps": {"int": [1, 3]}}
    assert mine.tune.space["gan"] == {"loss": {"choice": ["hinge", "minimax"]}}
    assert composition.recipe_of(mine).training.kimg == 20.0


def test_its_options_go_with_its_choices() -> None:
    other = composition.compose(["experiment=mine", "gan/discriminator=mlp"])
    assert "width" not in other.gan.discriminator
    back = composition.override(other, ["gan/discriminator=dcgan"])
    assert back == composition.compose(["experiment=mine"])


def test_a_file_that_is_edited_is_read_anew() -> None:
    assert composition.compose(["experiment=mine"]).training.batch == 96
    write(MINE.replace("batch: 96", "batch: 32"))
    assert composition.compose(["experiment=mine"]).training.batch == 32


def test_choices_and_check_tell_of_it() -> None:
    assert "  mine: Ours: hinge with a wide critic. (recipes/mine.yaml)" in command.choices("experiment")
    Path("params.yaml").write_text(params_file.dump(composition.compose(["experiment=mine"])))
    assert command.check(Path("params.yaml")) == ([], [])
    write("training: {batch: 0}\n", "worse.yaml")
    misfits, _ = command.check(Path("params.yaml"))
    assert misfits == ["recipes/worse.yaml: training.batch=0: must be more than 0"]


def test_one_that_is_broken_stands_in_nobody_else_s_way() -> None:
    write("a: [", "broken.yaml")
    assert composition.compose(["experiment=mine"]).recipe == "mine"
    assert composition.compose(["experiment=wgan"]).recipe == "wgan"


WRONG = [
    ("training: {btach: 3}\n", "training.btach: no such key; training has "),
    ("traning: {batch: 3}\n", "traning: no such key; params.yaml has "),
    ("training: {batch: many}\n", "training.batch: must be an integer"),
    ("training: {batch: 0}\n", "training.batch=0: must be more than 0"),
    ("recipe: mine\n", "recipe=mine: is the file's name, so take this line out"),
    ("defaults:\n  - gan.loss: hinge\n", "defaults: gan.loss: is not a group of components; did you mean gan/loss?"),
    ("defaults:\n  - gan/loss: hing\n", "defaults: gan/loss=hing: one of "),
    ("defaults:\n  - gan/regularizers: r1\n", "defaults: gan/regularizers=r1: must be a list of names"),
    ("defaults:\n  - hinge\n", "defaults: hinge: must be a choice, as in `- gan/loss: hinge`"),
    ("defaults: hinge\n", "defaults=hinge: must be a list of choices, as in `- gan/loss: hinge`"),
    ("3: 4\n", "3: keys must be text"),
]


@pytest.mark.parametrize(("text", "told"), WRONG)
def test_what_is_wrong_with_it_is_told_with_its_file(text: str, told: str) -> None:
    write(text)
    assert line_of("experiment=mine").startswith(f"recipes/mine.yaml: {told}")


def test_its_space_and_its_yaml_are_looked_at() -> None:
    write("tune: {space: {training: {bach: {choice: [1]}}}}\n")
    wrong = "tune.space.training.bach={'choice': [1]}: no such key in params.yaml; did you mean training.batch?"
    assert line_of("experiment=mine") == f"recipes/mine.yaml: {wrong}"
    write("training:\n\tbatch: 3\n")
    tab = "a tab stands where YAML takes spaces only; put spaces in its place"
    assert line_of("experiment=mine") == f"recipes/mine.yaml:2: {tab}"
    write("")
    assert line_of("experiment=mine").startswith("recipes/mine.yaml is empty; it holds what differs")


def test_an_override_s_fault_is_not_the_recipe_s() -> None:
    assert line_of("experiment=mine", "training.batch=0") == "training.batch=0: must be more than 0"


def test_a_name_is_the_project_s_alone() -> None:
    write(MINE, "wgan.yaml")
    clash = "recipes/wgan.yaml: wgan is a built-in recipe; rename the file, and take it by its new name"
    assert line_of("experiment=wgan") == clash
    write(MINE, "other.yml")
    assert line_of("experiment=other") == "recipes/other.yml: a recipe's file ends in .yaml; rename it to other.yaml"


def test_one_that_is_not_there_says_where_it_would_be() -> None:
    known = ", ".join([*built_in.names(), "mine"])
    assert line_of("experiment=mien") == f"experiment=mien: one of {known}; did you mean mine?"
    Path("recipes/mine.yaml").unlink()
    assert line_of("experiment=mien").endswith("own recipes are files recipes/NAME.yaml that git tracks")


def test_another_process_takes_what_it_is_handed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, given = composition.compose(["experiment=mine"]), own_recipes.hand_over("mine")
    assert own_recipes.hand_over("wgan") == {}
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setattr(own_recipes, "_handed_over", {})
    own_recipes.take(yaml.safe_load(yaml.safe_dump(given)))
    changed = composition.override(mine, ["gan/discriminator=mlp"])
    assert composition.override(changed, ["gan/discriminator=dcgan"]) == mine


def test_a_copy_of_dvc_s_has_its_own_and_else_the_project_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / ".dvc/tmp/exps/standalone/tmp1"
    (copy / "recipes").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(copy)
    assert composition.compose(["experiment=mine"]).training.batch == 96
    write(MINE.replace("batch: 96", "batch: 32"))
    assert composition.compose(["experiment=mine"]).training.batch == 32
