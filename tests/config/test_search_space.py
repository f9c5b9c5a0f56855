"""``tune.space`` by override, by hand and in the form of earlier versions."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from ganflow.commands import config as command
from ganflow.config import components, composition, params_file, search_space
from ganflow.errors import GanflowError

pytestmark = pytest.mark.slow

LOSSES = ", ".join(components.choices("loss"))
VARIED = (
    "the search varies what is trained: seed, method, gan, detection, given, vae, optimizers, training; "
    "never how it is measured "
)


def keys_of(*overrides: str) -> dict[str, tuple[str, list[Any]]]:
    found = search_space.dimensions(composition.compose(overrides).tune.space)
    return {one.key: (one.kind, one.values) for one in found}


def line_of(*overrides: str) -> str:
    with pytest.raises(GanflowError) as refused:
        composition.compose(overrides)
    return str(refused.value)


def test_a_dimension_is_added_replaced_and_taken_out_by_overrides() -> None:
    default = keys_of()
    assert keys_of("tune.space.training.d_steps.int=[1,4]") == {**default, "training.d_steps": ("int", [1, 4])}
    wider = {**default, "optimizers.generator.lr": ("log_uniform", [0.0001, 0.01])}
    assert keys_of("tune.space.optimizers.generator.lr.log_uniform=[1e-4,1e-2]") == wider
    other = {**default, "optimizers.generator.lr": ("uniform", [0.0001, 0.01])}
    assert keys_of("tune.space.optimizers.generator.lr.uniform=[1e-4,1e-2]") == other
    assert keys_of("tune.space.optimizers.generator.lr={uniform: [1e-4, 1e-2]}") == other
    assert keys_of("+tune.space.gan.loss.choice=[hinge,minimax]")["gan/loss"] == ("choice", ["hinge", "minimax"])
    assert keys_of("tune.space.gan/loss.choice=[hinge]")["gan/loss"] == ("choice", ["hinge"])
    without = {key: one for key, one in default.items() if key != "training.batch"}
    for override in ("~tune.space.training.batch", "tune.space.training.batch=null", "~tune.space.training"):
        assert keys_of(override) == without
    assert set(keys_of("~tune.space.optimizers")) == {"training.batch", "gan/loss"}


@pytest.mark.parametrize("empty", ["~tune.space", "tune.space=null", "tune.space={}"])
def test_a_space_is_begun_anew(empty: str) -> None:
    assert keys_of(empty) == {}
    added = keys_of(empty, "tune.space.gan.regularizers.choice=[[r1],[r1,lecam]]")
    assert added == {"gan/regularizers": ("choice", [["r1"], ["r1", "lecam"]])}
    whole = "tune.space={training: {batch: {choice: [32]}}, gan/loss: {choice: [hinge]}}"
    assert keys_of(whole) == {"training.batch": ("choice", [32]), "gan/loss": ("choice", ["hinge"])}


def test_the_form_of_earlier_versions_is_read() -> None:
    node = composition.compose_plain()
    node["tune"]["space"] = {
        "optimizers.generator.lr": {"log_uniform": [0.0005, 0.003]},
        "optimizers.discriminator.lr": {"log_uniform": [0.0005, 0.003]},
        "optimizers.generator.betas": {"choice": [[0.0, 0.99], [0.5, 0.99]]},
        "optimizers.discriminator.betas": {"choice": [[0.0, 0.99], [0.5, 0.99]]},
        "training.batch": {"choice": [64, 128, 256]},
        "gan/loss": {"choice": ["non_saturating", "minimax"]},
    }
    assert params_file.check(node) == composition.compose()


WRONG = [
    ("tune.space.training.bach.choice=[1]",
     "tune.space.training.bach={'choice': [1]}: no such key in params.yaml; did you mean training.batch?"),
    ("tune.space.training.batch.chioce=[1]", "tune.space.training.batch.chioce=[1]: is not a valid distribution; "
     "one of choice, uniform, log_uniform, int; did you mean choice?"),
    ("tune.space.training.batch=[64,128]", f"tune.space.training.batch=[64, 128]: must be {search_space.FORMS}, "
     "as in tune.space.training.batch.choice=[…]"),
    ("tune.space.training.batch.choice=64", "tune.space.training.batch.choice=64: must be a list, [a, b, …]"),
    ("tune.space.training.batch.choice=[]", "tune.space.training.batch.choice=[]: must be a list, [a, b, …]"),
    ("tune.space.training.batch.choice=[64,many]",
     "tune.space.training.batch.choice=[64, 'many']: many must be an integer"),
    ("tune.space.optimizers.generator.lr.uniform=[2,1]",
     "tune.space.optimizers.generator.lr.uniform=[2, 1]: needs two numbers, the lower one first"),
    ("tune.space.optimizers.generator.lr.uniform=[1,2,3]",
     "tune.space.optimizers.generator.lr.uniform=[1, 2, 3]: needs two numbers, the lower one first"),
    ("tune.space.optimizers.generator.lr.log_uniform=[0,1]",
     "tune.space.optimizers.generator.lr.log_uniform=[0, 1]: needs a lower end of more than 0"),
    ("tune.space.training.d_steps.int=[1.5,3]",
     "tune.space.training.d_steps.int=[1.5, 3]: needs integers; uniform=[low,high] has decimal numbers"),
    ("tune.space.training.batch.uniform=[1,2]", "tune.space.training.batch.uniform=[1, 2]: training.batch is not a "
     "decimal number; int=[low,high] has integers, choice=[a,b] any values"),
    ("tune.space.gan.loss.choice=[hing]", "tune.space.gan.loss.choice=['hing']: hing is not a valid choice of "
     f"gan/loss; one of {LOSSES}; did you mean hinge?"),
    ("tune.space.gan.loss.int=[1,2]",
     "tune.space.gan.loss.int=[1, 2]: gan/loss is a component; choice=[a,b] has names"),
    ("tune.space.gan.regularizers.choice=[r1]",
     "tune.space.gan.regularizers.choice=['r1']: r1 must be a list of names"),
    ("tune.space.evaluation.samples.int=[1,2]",
     f"tune.space.evaluation.samples.int=[1, 2]: {VARIED}or where it runs"),
    ("~tune.space.training.bach",
     "tune.space.training.bach=: no such key in params.yaml; did you mean training.batch?"),
]  # fmt: skip


@pytest.mark.parametrize(("override", "line"), WRONG)
def test_a_wrong_dimension_says_what_is_right(override: str, line: str) -> None:
    assert line_of(override) == line


def test_two_distributions_of_a_key_are_refused() -> None:
    node = composition.compose_plain()
    node["tune"]["space"]["training"]["batch"]["int"] = [1, 2]
    with pytest.raises(GanflowError) as refused:
        params_file.check(node)
    assert str(refused.value).endswith(
        ": has 2 distributions, choice and int; drop one: ~tune.space.training.batch.choice"
    )


def test_config_check_names_the_line_of_a_wrong_dimension(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    node = composition.compose_plain()
    node["tune"]["space"]["training"]["batch"]["choice"] = [64, -1.5]
    path.write_text(yaml.safe_dump(node, sort_keys=False))
    number = next(i for i, line in enumerate(path.read_text().splitlines(), 1) if line == "        choice:")
    misfits, _ = command.check(path)
    assert len(misfits) == 1
    assert misfits[0].endswith("tune.space.training.batch.choice=[64, -1.5]: -1.5 must be an integer")
    assert int(misfits[0].split(":")[1]) >= number


def test_config_check_tries_every_value_with_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(params_file.dump(composition.compose(["~tune.space", "tune.space.training.batch.choice=[64,-8]"])))
    (misfit,), _ = command.check(path)
    assert misfit.endswith("tune.space.training.batch.choice=[64, -8]: with -8: training.batch=-8: must be more than 0")
