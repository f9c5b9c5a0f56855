import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from ganflow.config import components
from ganflow.errors import ConfigError, require
from tests.support.patience import patience

LOSSES = list(components.choices("loss"))
WITH_TOY = sorted([*LOSSES, "toy"])


@pytest.fixture
def toy() -> Iterator[type]:
    """A loss that lives for one test."""

    class Toy:
        def __init__(self, classes: int, sizes: list[int] = [1, 2], rate: float = 0.5) -> None:  # noqa: B006
            require(rate < 1, "rate", rate, "less than 1")
            self.classes, self.sizes, self.rate = classes, sizes, rate

    components.component("loss", "toy")(Toy)
    yield Toy
    del components._registry["loss", "toy"]
    components.schema.cache_clear()


def line_of(error: pytest.ExceptionInfo[ConfigError]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_parameters_with_a_default_are_options_and_those_without_are_facts(toy: type) -> None:
    assert components.facts_of(toy) == ["classes"]
    assert asdict(components.schema("loss", "toy")()) == {"name": "toy", "sizes": [1, 2], "rate": 0.5}
    built = components.build("loss", {"name": "toy", "rate": 0.25}, "gan.loss", classes=3, unused=7)
    assert vars(built) == {"classes": 3, "sizes": [1, 2], "rate": 0.25}
    assert type(built.sizes) is list


def test_a_default_that_one_component_changes_is_not_another_s(toy: type) -> None:
    components.build("loss", {"name": "toy"}, "gan.loss", classes=1).sizes.append(9)
    assert components.build("loss", {"name": "toy"}, "gan.loss", classes=1).sizes == [1, 2]


def test_a_default_that_a_factory_makes_is_a_default() -> None:
    options = components.schema("source", "image_folder")
    assert options().splits == {"train": "", "test": ""}
    assert options().splits is not options().splits


def test_what_a_component_refuses_gets_its_full_key(toy: type) -> None:
    with pytest.raises(ConfigError) as error:
        components.build("loss", {"name": "toy", "rate": 1.5}, "gan.loss", classes=1)
    assert line_of(error) == "gan.loss.rate=1.5: less than 1"
    assert (error.value.key, error.value.value) == ("gan.loss.rate", 1.5)


@pytest.mark.parametrize(
    ("node", "line"),
    [
        ({"name": "toys"}, f"gan.loss.name=toys: one of {', '.join(WITH_TOY)}; did you mean toy?"),
        ({}, f"gan.loss.name=None: one of {', '.join(WITH_TOY)}"),
        ({"name": ["toy"]}, f"gan.loss.name=['toy']: one of {', '.join(WITH_TOY)}; did you mean toy?"),
        ({"name": "toy", "ratio": 1}, "gan.loss.ratio=1: no such key; gan.loss has name, sizes, rate"),
        ({"name": "toy", "classes": 1}, "gan.loss.classes=1: no such key; gan.loss has name, sizes, rate"),
        ({"name": "toy", "sizes": 3}, "gan.loss.sizes=3: must be a list"),
        (
            {"name": "toy", "sizes": [1, "x"]},
            "gan.loss.sizes[1]=x: must be an integer",
        ),
        (
            {"name": "toy", "rate": "fast"},
            "gan.loss.rate=fast: must be a number",
        ),
    ],
)
def test_a_node_that_does_not_fit_is_named_in_one_line(toy: type, node: dict[str, object], line: str) -> None:
    with pytest.raises(ConfigError) as error:
        components.build("loss", node, "gan.loss", classes=1)
    assert line_of(error) == line
    assert str(pickle.loads(pickle.dumps(error.value))) == line


def test_choices_are_sorted_by_name_and_know_their_group_only(toy: type) -> None:
    assert list(components.choices("loss")) == WITH_TOY
    assert "toy" not in components.choices("generator")


def test_a_name_is_taken_once(toy: type) -> None:
    with pytest.raises(TypeError, match="loss 'toy' is already"):

        @components.component("loss", "toy")
        class Other:
            pass

    assert components.component("loss", "toy")(toy) is toy  # a module that is loaded again


def test_a_group_that_is_not_there_is_refused() -> None:
    with pytest.raises(TypeError, match="no component group 'los'; there are source, degradation, method"):
        components.component("los", "x")


NEW_FILE = '''
from ganflow.config.components import component
@component("loss", "brand_new")
class BrandNew:
    """A loss."""
    def __init__(self, margin: float = 1.0) -> None:
        self.margin = margin
'''
SEE_IT = """
import sys, ganflow.methods.losses
ganflow.methods.losses.__path__.append(sys.argv[1])
from ganflow.config import components, composition
from ganflow.methods import gan
params = composition.compose(["gan/loss=brand_new", "gan.loss.margin=2"])
assert params.gan.loss == {"name": "brand_new", "margin": 2.0}, params.gan.loss
assert gan.build_loss(params).margin == 2.0
assert composition.override(composition.compose(), ["gan/loss=brand_new"]).gan.loss["margin"] == 1.0
assert composition.dotted(params)["gan/loss"] == "brand_new"
print(",".join(components.choices("loss")))
"""


def test_a_component_in_one_new_file_is_there_without_an_edit_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "brand_new.py").write_text(NEW_FILE, encoding="utf-8")
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    command = [sys.executable, "-c", SEE_IT, str(tmp_path)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=patience(60))
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == ",".join(sorted(["brand_new", *LOSSES]))
