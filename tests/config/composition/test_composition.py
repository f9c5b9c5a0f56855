import json
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from ganflow.config import components, composition, params_file, validation
from ganflow.config.recipes import built_in
from ganflow.config.scheduled_options import moving
from ganflow.config.schema import Config
from ganflow.data.prepared.dataset import Facts
from ganflow.errors import GanflowError
from ganflow.methods.build import check_fits
from ganflow.methods.networks.facts import network_facts
from tests.methods.networks.test_every_network import RESTORERS

pytestmark = pytest.mark.slow

PARAMS = Path(__file__).parents[3] / "params.yaml"
EVERY = [
    (slot, g, name) for g, s in components.GROUPS.items() for slot, name in product(s.slots, components.choices(g))
]
RESTORING = {("generator", name) for name in RESTORERS}  # tests/methods/networks/restoration has them
SINGLE = [choice for choice in EVERY if not components.GROUPS[choice[1]].several and choice[1:] not in RESTORING]
SEVERAL = [choice for choice in EVERY if components.GROUPS[choice[1]].several]
LOSSES = list(components.choices("loss"))
DEFAULT = {  # what the default recipe says of choices
    ("gan/generator", "dcgan"): {"width": 16},
    ("gan/discriminator", "mlp"): {"widths": [256, 256]},
    ("optimizers/generator", "adam"): {"lr": 0.0015, "betas": [0.5, 0.99]},
    ("optimizers/discriminator", "adam"): {"lr": 0.0015, "betas": [0.5, 0.99]},
}


@pytest.fixture(scope="module")
def default() -> Config:
    return composition.compose()


def line_of(action: Any, *args: Any) -> str:
    with pytest.raises(GanflowError) as refused:
        action(*args)
    line = str(refused.value)
    assert "\n" not in line
    return line


def at(params: Config, slot: str) -> Any:
    node: Any = asdict(params)
    for part in slot.split("/"):
        node = node[part]
    return node


def test_params_yaml_is_the_composed_default(default: Config) -> None:
    text = PARAMS.read_text(encoding="utf-8")
    assert params_file.dump(default) == text
    assert yaml.safe_load(text) == composition.compose_plain() == yaml.safe_load(params_file.dump(default))


@pytest.mark.parametrize(("slot", "group", "name"), SINGLE)
def test_every_choice_composes_and_builds(slot: str, group: str, name: str) -> None:
    params = composition.compose([f"{slot}={name}"])
    assert at(params, slot)["name"] == name
    check_fits(params, Facts((3, 32, 32), 10))
    if group == "source" and "path" in at(params, slot):
        params.data["path"] = "somewhere"  # it has no default that works
    facts = {**network_facts((3, 32, 32), 10), "conditioning": "projection", "latent_dim": 8}
    assert isinstance(components.build(group, at(params, slot), slot, **facts), components.choices(group)[name])


@pytest.mark.parametrize(("slot", "group", "name"), SEVERAL)
def test_every_choice_of_several_composes_and_builds(slot: str, group: str, name: str) -> None:
    others = []
    if group == "metric":
        others = [f"evaluation.snapshot_metrics=[{name}]", f"tune.metric={next(iter(validation.figures_of([name])))}"]
    params = composition.compose([f"{slot}=[{name}]", *others])
    assert list(at(params, slot)) == [name]
    components.build(group, at(params, slot)[name], "here")


def test_a_method_without_regularisers_composes() -> None:
    assert composition.compose(["gan/regularizers=[]"]).gan.regularizers == {}


def test_a_recipe_s_options_are_for_its_own_choices_only(default: Config) -> None:
    assert default.gan.generator["width"] == 16
    assert composition.compose(["optimizers/generator=rmsprop"]).optimizers.generator["lr"] == 0.00005
    assert composition.compose(["optimizers/generator=rmsprop"]).optimizers.discriminator["lr"] == 0.0015
    assert composition.compose(["gan/discriminator=dcgan"]).gan.discriminator["width"] == 64


@pytest.mark.parametrize("recipe", built_in.names())
def test_any_recipe_takes_any_other_component(recipe: str) -> None:
    base = [f"experiment={recipe}"] + ["data.path=somewhere"] * (recipe in ("mnist", "cifar10", "stacked_mnist"))
    itself = composition.dotted(composition.compose(base))
    assert itself["recipe"] == recipe
    another = {slot: (group, name) for slot, group, name in SINGLE if slot != "data" and name != itself[slot]}
    changes = [f"{slot}={name}" for slot, (_, name) in another.items()]
    mixed = composition.compose([*base, *changes, "gan/regularizers=[consistency]"])
    made = composition.dotted(mixed)
    assert list(mixed.gan.regularizers) == ["consistency"]
    for slot, (group, name) in another.items():
        own = json.loads(json.dumps(asdict(components.schema(group, name)())))
        assert at(mixed, slot) == own | DEFAULT.get((slot, name), {})
    slots = [slot.replace("/", ".") for slot in (*another, "gan/regularizers")]
    changed = (*another, *slots, "gan/regularizers", *(f"training.schedule.to.{slot}" for slot in slots))
    rest = [key for key in itself if not key.startswith(changed)]
    assert [itself[key] for key in rest] == [made[key] for key in rest]


def test_a_recipe_s_options_return_with_its_choice(default: Config) -> None:
    ring = composition.compose(["experiment=ring8", "gan/regularizers=[r2,lecam]"])
    assert ring.gan.regularizers["r2"]["interval"] == 4
    assert default.gan.regularizers["r1"]["interval"] == 1
    back = composition.override(composition.override(ring, ["gan/generator=dcgan"]), ["gan/generator=mlp"])
    assert back == ring


def test_where_an_option_moves_to_goes_with_its_component() -> None:
    of_r3gan = composition.compose(["experiment=r3gan"])
    assert sorted(moving(of_r3gan)) == [
        "gan.augmentation.p", "gan.regularizers.r1.gamma", "gan.regularizers.r2.gamma",
        "optimizers.discriminator.betas", "optimizers.generator.betas", "training.ema_kimg",
    ]  # fmt: skip
    others = ["gan/augmentation=none", "gan/regularizers=[lecam,r2]", "optimizers/generator=rmsprop"]
    kept = ["gan.regularizers.r2.gamma", "optimizers.discriminator.betas", "training.ema_kimg"]
    assert sorted(moving(composition.compose(["experiment=r3gan", *others]))) == kept
    changed = composition.override(of_r3gan, others)
    assert sorted(moving(changed)) == kept
    back = composition.override(
        changed, ["gan/augmentation=ada", "gan/regularizers=[r1,r2]", "optimizers/generator=adam"]
    )
    assert back == of_r3gan


def test_an_option_of_a_component_that_is_set_aside_is_refused() -> None:
    line = line_of(composition.compose, ["experiment=ring8", "gan/regularizers=[]", "gan.regularizers.r1.gamma=2"])
    assert line == "gan.regularizers.r1: no such key; gan.regularizers has none; gan/regularizers=[…,r1] takes r1"


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("gan/loss=hinged", f"gan/loss=hinged: one of {', '.join(LOSSES)}; did you mean hinge?"),
        ("gan/regularizers=[r1,r11]", "gan/regularizers=r11: one of "),
        ("gan/loss=1", f"gan/loss=1: one of {', '.join(LOSSES)}"),
        ("training.bacth=3", "training.bacth: no such key; training has batch, microbatch, "),
        ("training.bacth=3", "; did you mean training.batch?"),
        ("learning_rate=3", "learning_rate: no such key; params.yaml has recipe, seed, data, given, method, "),
        ("training.batch=many", "training.batch=many: must be an integer"),
        ("training.batch=1,2", "training.batch=1,2: takes one value, decimals after a point; several are for `dvc exp"),
        ("training.batch", "training.batch: has no value; give training.batch=VALUE"),
        ("register.name=${nothing}", "Interpolation key 'nothing' not found"),
        ("experiment=mnis", "; did you mean mnist?"),
    ],
)
def test_an_override_that_hydra_refuses_is_one_line(override: str, words: str) -> None:
    assert words in line_of(composition.compose, [override])


def test_an_impossible_value_is_told_as_everywhere() -> None:
    assert line_of(composition.compose, ["training.batch=0"]) == "training.batch=0: must be more than 0"


def test_override_sets_values_and_lists(default: Config) -> None:
    changed = composition.override(default, ["training.batch=32", "gan.discriminator.widths=[7,8]", "tune.space={}"])
    assert (changed.training.batch, changed.gan.discriminator["widths"], changed.tune.space) == (32, [7, 8], {})
    assert default == composition.compose()  # it is a copy


def test_override_equals_composing_anew(default: Config) -> None:
    values = ["training.kimg=1.5", "gan.loss.smoothing=0.1", "optimizers.generator.betas=[0.0,0.9]"]
    for changes in (values, [*values, "gan/regularizers=[r2]", "gan/discriminator=dcgan"]):
        assert composition.override(default, changes) == composition.compose(changes)


def test_a_choice_brings_its_own_options_and_keeps_the_rest(default: Config) -> None:
    changed = composition.override(
        default, ["optimizers/generator=rmsprop", "optimizers.generator.alpha=0.5", "seed=3"]
    )
    assert changed.optimizers.generator == {"name": "rmsprop", "lr": 0.00005, "alpha": 0.5, "eps": 1e-8}
    assert changed.optimizers.discriminator == default.optimizers.discriminator
    assert changed.seed == 3


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("training.bacth=3", "training.bacth=3: no such key in params.yaml; did you mean training.batch?"),
        ("+training.zzz=3", "training.zzz=3: no such key in params.yaml"),
        ("gan/loss=hinged", f"gan/loss=hinged: one of {', '.join(LOSSES)}; did you mean hinge?"),
        ("gan/loss=[minimax,hinge]", "gan/loss=['minimax', 'hinge']: must be a name"),
        ("gan/loss=null", "gan/loss=null: must be a name"),
        ("gan/regularizers=r1", "gan/regularizers=r1: must be a list of names"),
        ("gan.loss=minimax", "gan.loss=minimax: takes no name; a component is chosen by its group: gan/loss=minimax"),
        ("gan.loss={a: 1}", f"gan.loss.name=None: one of {', '.join(LOSSES)}"),
        ("training.batch=many", "training.batch=many: must be an integer"),
        ("training.batch=0", "training.batch=0: must be more than 0"),
        (
            "training.batch=1,2",
            "training.batch=1,2: takes one value, decimals after a point; several are for "
            "`dvc exp run --queue -S training.batch=1,2`",
        ),
        ("~gan.loss", "~gan.loss: cannot be taken out; gan/loss=… sets it"),
        ("register.name=${seed}", "register.name=${seed}: must be a value, not a reference"),
        (
            "experiment=wgan",
            "experiment=wgan: takes a whole configuration; `ganflow config compose experiment=wgan` writes one",
        ),
    ],
)
def test_override_names_what_cannot_be(override: str, line: str, default: Config) -> None:
    assert line_of(composition.override, default, [override]) == line


def test_override_of_what_is_no_override_is_one_line(default: Config) -> None:
    assert (
        line_of(composition.override, default, ["training.batch"])
        == "training.batch: has no value; give training.batch=VALUE"
    )


def test_dotted_names_every_leaf_and_every_choice(default: Config) -> None:
    flat = composition.dotted(default)
    assert flat["optimizers.generator.betas"] == [0.5, 0.99]
    assert flat["evaluation.metrics.kid.subsets"] == 100
    assert flat["cluster.address"] is None
    chosen = {slot: name for slot, name in flat.items() if "/" in slot or slot == "data"}
    assert chosen == {
        "data": "digits",
        "gan/generator": "dcgan",
        "gan/discriminator": "mlp",
        "gan/loss": "non_saturating",
        "gan/augmentation": "none",
        "gan/content": [],
        "vae/encoder": "mlp",
        "detection/encoder": "conv",
        "optimizers/generator": "adam",
        "optimizers/discriminator": "adam",
        "optimizers/encoder": "adam",
        "evaluation/extractor": "classifier",
        "gan/regularizers": ["r1"],
        "evaluation/metrics": list(default.evaluation.metrics),
    }


def test_dotted_keys_are_overrides(default: Config) -> None:
    keys = [
        key for key in composition.dotted(default) if not key.startswith("tune.space") and key not in ("data", "recipe")
    ]
    keys = [key for key in keys if not key.endswith(".name") or key == "register.name"]  # by their group
    groups_first = sorted(keys, key=lambda key: "/" not in key)  # a group resets the values below it
    again = [f"{key}={json.dumps(composition.dotted(default)[key])}" for key in groups_first]
    assert composition.override(composition.compose(["gan/loss=minimax", "seed=5"]), again) == default


def test_the_recipe_of_a_changed_configuration_is_unchanged(default: Config) -> None:
    assert composition.recipe_of(composition.override(default, ["training.batch=32", "gan/loss=minimax"])) == default


def test_a_recipe_that_is_not_there_is_one_line(default: Config) -> None:
    assert "nowhere" in line_of(composition.recipe_of, replace(default, recipe="nowhere"))
