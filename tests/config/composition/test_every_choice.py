"""Every choice of every group, and every recipe, composes, is built and trains for a step, at its smallest size."""

from functools import cache
from pathlib import Path

import pytest
import torch

from ganflow.config import components, composition
from ganflow.config.recipes import built_in
from ganflow.config.schema import Config
from ganflow.config.validation import figures_of
from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset, Facts
from ganflow.methods.perception.backbones import vgg
from ganflow.training.build import build_trainer
from tests.config.composition.test_recipes import NEED_PATH
from tests.methods.networks.test_every_network import OF_NOISE, SMALL, sides
from tests.support.backbones import random_backbone, weights_file
from tests.support.sparse import write_sparse

pytestmark = pytest.mark.slow

SOURCE_OPTIONS = {
    "idx": ["data.path=mnist"],
    "image_folder": ["data.path=images"],
    "inspection": ["data.path=products"],
    "paired": ["data.path=pairs"],
    "stacked_mnist": ["data.path=mnist"],
    **{name: ["data.path=images"] for name in ("image_tiles", "inspection", "paired")},
}
CONTENT_OPTIONS = {
    "perceptual": ["gan.content.perceptual.weights=vgg19.pth", "gan.content.perceptual.layers=[conv1_1]"]
}
COLOUR, PAIRS, NORMAL = 3, 2, 9  # data sets beside those that are called by their side
POINTS = {"ring8", "grid25"}
BRIEF = ("training.batch=8", "training.kimg=0.032", "tune.trials=0")


EDSR = ("gan/generator=edsr", "gan.generator.blocks=1", "gan.generator.width=4")
RESTORES = ("gan.latent_dim=0", "gan.conditioning=none", "gan/discriminator=mlp", "gan.discriminator.widths=[8]")


def small(slot: str, name: str) -> list[str]:
    """Overrides that make a network as small as it goes."""
    return [f"{slot.replace('/', '.')}.{key}={value}" for key, value in SMALL[slot.split("/")[1]].get(name, {}).items()]


def networks(generator: str = "mlp", discriminator: str = "mlp") -> list[str]:
    pair = (("gan/generator", generator), ("gan/discriminator", discriminator))
    return [part for slot, name in pair for part in (f"{slot}={name}", *small(slot, name))]


def overrides(group: str, name: str) -> list[str]:
    """What takes this choice, and makes everything else small."""
    if group in ("generator", "discriminator"):
        return networks(**{group: name})
    if group == "regularizer":
        return [*networks("stylegan2" if name == "path_length" else "mlp"), f"gan/regularizers=[{name}]"]
    if group == "degradation":
        return [*RESTORES, *EDSR, f"given=[{name}]", "gan/content=[l1]"]
    if group == "content_loss":
        return [*RESTORES, *EDSR, "given=[hole]", f"gan/content=[{name}]", *CONTENT_OPTIONS.get(name, [])]
    if (group, name) == ("method", "regression"):
        return [*RESTORES, *EDSR, "given=[noise]", "method=regression", "gan/content=[l1]"]
    if group == "method" and name in ("f_anogan", "ganomaly"):
        return [*networks(), f"method={name}", "gan.conditioning=none"]
    spec = components.GROUPS[group]
    places = (*spec.slots, spec.key) if spec.key else spec.slots
    return [*networks(), *(f"{place}={name}" for place in places), *(["method=vae"] if group == "encoder" else [])]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Data sets by their side: digits, and points of side 1."""
    root = tmp_path_factory.mktemp("data")
    nodes: dict[int, dict[str, object]] = {
        8: {"name": "digits"}, 32: {"name": "digits", "resize": 32}, 1: {"name": "ring8"},
        NORMAL: {"name": "digits", "normal": [3]},
    }  # fmt: skip
    for side, node in nodes.items():
        prepare(components.build("source", node, "data"), root / str(side))
    write_sparse(root / "colour", Facts((3, 8, 8), 10), 64, 1)
    write_sparse(root / "pairs", Facts((3, 8, 8), 10, given=(3, 8, 8)), 64, 1)
    return {side: root / str(side) for side in nodes} | {COLOUR: root / "colour", PAIRS: root / "pairs"}


def trains(config: Config, data: Path) -> None:
    torch.manual_seed(0)
    made = build_trainer(config, Dataset.open(data, verify=False), torch.device("cpu"))
    before = {name: [p.clone() for p in player.parameters] for name, player in made.state.players.items()}
    made.step()
    for name, player in made.state.players.items():
        assert all(p.isfinite().all() for p in player.parameters)
        assert any(not torch.equal(p, q) for p, q in zip(player.parameters, before[name], strict=True)), name
    assert all(term == term for term in made.state.means.pop().values())


@cache
def trained_groups() -> list[tuple[str, str]]:
    groups = [group for group in components.GROUPS if group not in ("source", "metric", "task", "imported")]
    every = [(group, name) for group in groups for name in components.choices(group)]
    return [choice for choice in every if choice[0] != "generator" or choice[1] in OF_NOISE]


@pytest.mark.parametrize(("group", "name"), trained_groups())
def test_a_choice_alone_trains(
    group: str, name: str, data: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "perceptual":
        monkeypatch.chdir(tmp_path)
        weights_file(random_backbone(vgg("vgg19")), Path("vgg19.pth"))
    side = 8 if group not in ("generator", "discriminator") or 8 in sides(name) else 32
    kind = COLOUR if (group, name) == ("degradation", "grey") else side
    trains(composition.compose([*overrides(group, name), *BRIEF]), data[kind])


@pytest.mark.parametrize("name", components.choices("source"))
def test_a_source_is_built(name: str) -> None:
    config = composition.compose([f"data={name}", *SOURCE_OPTIONS.get(name, [])])
    built = components.build("source", config.data, "data")
    assert type(built) is components.choices("source")[name]


@pytest.mark.parametrize("name", components.choices("metric"))
def test_a_metric_is_built(name: str) -> None:
    figure = next(iter(figures_of([name])))
    config = composition.compose(
        [f"evaluation/metrics=[{name}]", f"evaluation.snapshot_metrics=[{name}]", f"tune.metric={figure}"]
    )
    built = components.build("metric", config.evaluation.metrics[name], "metric")
    assert type(built) is components.choices("metric")[name]


@pytest.mark.parametrize("recipe", built_in.names())
def test_a_recipe_trains(recipe: str, data: dict[int, Path]) -> None:
    whole = composition.compose([f"experiment={recipe}", *path_of(recipe)])
    assert whole.recipe == recipe
    pair = {slot: getattr(whole.gan, slot.split("/")[1])["name"] for slot in ("gan/generator", "gan/discriminator")}
    smaller = [part for slot, name in pair.items() if name != "autoencoder" for part in small(slot, name)]
    if whole.gan.generator.get("levels"):
        smaller.append("gan.generator.levels=3")
    config = composition.compose(
        [f"experiment={recipe}", *path_of(recipe), *smaller, *BRIEF, "training.schedule.warmup_kimg=0"]
    )
    side = 1 if recipe in POINTS else next(s for s in (8, 32) if all(s in sides(name) for name in pair.values()))
    kind = NORMAL if recipe.startswith("detect") else {"colourise": COLOUR, "pix2pix": PAIRS}.get(recipe, side)
    trains(config, data[kind])


def path_of(recipe: str) -> list[str]:
    return ["data.path=somewhere"] if recipe in NEED_PATH else []
