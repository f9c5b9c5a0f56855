import pytest

from ganflow.config import composition
from ganflow.data.prepared.dataset import Facts
from ganflow.methods.build import check_fits


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("ring8", Facts((2, 1, 1), 8, "points")),
        ("grid25", Facts((2, 1, 1), 25, "points")),
        ("stacked_mnist", Facts((3, 28, 28), 1000, "stacked")),
    ],
)
def test_a_recipe_of_a_toy_set_fits_its_data(name: str, facts: Facts) -> None:
    path = ["data.path=somewhere"] if name == "stacked_mnist" else []
    recipe = composition.compose([f"experiment={name}", *path])
    assert (recipe.recipe, recipe.data["name"], recipe.tune.trials) == (name, name, 0)
    assert recipe.evaluation.samples == (26_000 if facts.kind == "stacked" else 2500)
    assert recipe.gan.conditioning == "none"
    check_fits(recipe, facts)
