"""Every recipe is what docs/recipes.md says of it, and its networks are as large as those of its source."""

import re
from functools import cache
from pathlib import Path

import pytest
import torch

from ganflow.config import components, composition
from ganflow.config.recipes import built_in
from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset, Facts
from ganflow.training.build import build_trainer
from tests.support.built import rows
from tests.support.sparse import write_sparse

PAGE = Path(__file__).parents[3] / "docs" / "recipes.md"
OWN = ("Our own", "Restoration", "Detection")  # sections with a column per recipe
POINTS = {"ring8", "grid25"}
NEED_PATH = {
    "mnist", "cifar10", "stacked_mnist", "denoise", "deblur", "inpaint", "colourise", "pix2pix", "super_resolution",
    "super_resolution_gan", "detect_mnist", "detect_tiles",
}  # fmt: skip
NORMAL = (3,)  # labels, of the data that recipes of detection count for
# Parameters of G and D: counted by hand from an article's listing, or what the source's own code counts.
REFERENCES = {
    "article_dcgan5x5": (1_447_171, 211_840),
    "article_mlp_smooth": (1_486_352, 1_460_225),
    "article_dense_conv": (14_391_809, 1_460_225),
    "article_mlp128": (130_576, 117_121),
    "dcgan": (3_576_704 + 8_643, 2_765_568 + 961),  # theirs and the biases that they do without
    "wgan": (3_576_704 + 8_643, 2_765_568 + 961),
    "wgan_gp": (1_204_483, 1_053_825),
    "sngan": (4_276_739, 1_053_825),
    "biggan": (4_304_387, 4_207_361),
    "stylegan2_ada": (20_215_315, 23_089_664),
    "r3gan": (20_781_952, 21_280_512),
}
MISSING = "—"  # what a recipe does not have
VERDICTS = ("same", "departs", "ours")


@cache
def sections() -> dict[str, str]:
    """Heading → what stands below it."""
    _, *parts = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {part.partition("\n")[0].strip("`"): part.partition("\n")[2] for part in parts}


def table(section: str) -> list[list[str]]:
    """The rows of its table, without the heading's."""
    lines = [line for line in sections()[section].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def own() -> dict[str, tuple[str, int]]:
    """The recipes without a source, one column each: the section, and the cell of its rows."""
    headings = {name: next(line for line in sections()[name].splitlines() if line.startswith("|")) for name in OWN}
    columns = {name: re.findall(r"`(\w+)`", heading) for name, heading in headings.items()}
    return {recipe: (name, 1 + i) for name, recipes in columns.items() for i, recipe in enumerate(recipes)}


def told(recipe: str) -> dict[str, str]:
    """Row → value, as the page has them."""
    if recipe in own():
        section, cell = own()[recipe]
        return {cells[0]: cells[cell] for cells in table(section) if cells[0] != "at" and cells[cell] != MISSING}
    return {cells[0]: cells[1] for cells in table(recipe)}


def facts(recipe: str) -> Facts:
    """The images that the page counts for."""
    section, cell = own().get(recipe, (recipe, 0))
    text = f"At {table(section)[0][cell]}" if cell else sections()[recipe]
    size = re.search(r"At (\d+)×\1×(\d)(?:, (\d+) classes)?(, pairs)?(, one normal)?", text)
    assert size is not None
    side, channels, classes = (int(number or 0) for number in size.groups()[:3])
    shape = (channels, side, side)
    return Facts(shape, classes, given=shape if size[4] else None, normal=NORMAL if size[5] else ())


@cache
def built(recipe: str, root: Path) -> dict[str, str]:
    config = composition.compose([f"experiment={recipe}", *(["data.path=somewhere"] if recipe in NEED_PATH else [])])
    if recipe in POINTS:
        prepare(components.build("source", config.data, "data"), root / recipe)
    else:
        write_sparse(root / recipe, facts(recipe), 100, 1)
    trainer = build_trainer(config, Dataset.open(root / recipe, verify=False), torch.device("cpu"))
    return rows(config, trainer)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recipes")


def test_every_recipe_has_its_place_on_the_page() -> None:
    assert sorted([*(name for name in sections() if name not in OWN), *own()]) == built_in.names()


@pytest.mark.parametrize("recipe", built_in.names())
def test_a_recipe_is_what_the_page_says(recipe: str, root: Path) -> None:
    assert built(recipe, root) == told(recipe)


@pytest.mark.parametrize("recipe", [name for name in built_in.names() if name not in own()])
def test_the_page_says_where_a_recipe_departs_and_why(recipe: str) -> None:
    for row, here, verdict, *source in table(recipe):
        assert verdict in VERDICTS, row
        said = " | ".join(source)
        assert (said == "") == (verdict == "same"), row
        if verdict == "departs":
            its, _, why = said.partition(": ")
            assert its != here, row
            assert why, row


@pytest.mark.parametrize("recipe", REFERENCES)
def test_networks_have_as_many_parameters_as_the_source_s(recipe: str, root: Path) -> None:
    is_built = built(recipe, root)
    assert tuple(int(is_built[name].split()[0].replace(",", "")) for name in ("G", "D")) == REFERENCES[recipe]
