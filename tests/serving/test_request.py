"""What may be asked, and the line that says what is wrong."""

from dataclasses import replace
from typing import Any

import pytest

from ganflow.errors import ConfigError
from ganflow.serving.request import Asked, from_query, parse
from tests.generation.writers.made import PLAIN, model

MODEL = model()  # classes cat, dog, owl


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({}, Asked()),
        ({"n": 4, "seed": -7, "label": None, "format": "json"}, Asked(4, -7, None, None, "json")),
        ({"label": 2}, Asked(label=(2,))),
        ({"label": ["owl", 0, "1"]}, Asked(label=(2, 0, 1))),
        ({"truncation": 2}, Asked(truncation=2.0)),
    ],
)
def test_what_is_asked(fields: dict[str, Any], asked: Asked) -> None:
    assert parse(fields, MODEL, 8) == asked


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"n": 0}, "n=0: must be a whole number from 1 to 8"),
        ({"n": 9}, "n=9: must be"),
        ({"n": True}, "n=True: must be"),
        ({"n": 1.0}, "n=1.0: must be"),
        ({"seed": 2**63}, f"seed={2**63}: must be"),
        ({"seed": 10**5000}, "seed=a very long number: must be"),
        ({"label": 3}, "label=3: must be 0 to 2"),
        ({"label": "fox"}, "label=fox: 0 to 2, or of cat, dog, owl"),
        ({"label": []}, "label=[]: one to 3 classes"),
        ({"label": [0] * 4}, "one to 3 classes"),
        ({"label": [[0]]}, "label=[0]: a class's number or name"),
        ({"label": -1}, "label=-1: 0 to 2"),
        ({"truncation": 0}, "truncation=0.0: more than 0"),
        ({"truncation": float("nan")}, "truncation=nan: must be a number"),
        ({"truncation": 1e-320}, "must be more than 0"),
        ({"format": "gif"}, "format=gif: one of png, npy, json"),
        ({"format": ["png"]}, "one of png, npy, json"),
        ({"lable": 1}, "lable=1: no such option; there are n, seed, label, truncation, format"),
    ],
)
def test_what_is_wrong(fields: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(fields, MODEL, 8)
    assert line in str(error.value)
    assert len(str(error.value)) < 300


def test_a_generator_without_classes_has_no_label() -> None:
    with pytest.raises(ConfigError, match="label=1: none: this generator is unconditional"):
        parse({"label": 1}, model(PLAIN), 8)


def test_a_generator_with_w_takes_a_truncation_of_0_to_1() -> None:
    from ganflow.methods.generator import Generator

    spec = replace(PLAIN, network={"name": "stylegan2"})
    generator = Generator(spec.build(), spec)
    assert parse({"truncation": 0}, generator, 8).truncation == 0
    with pytest.raises(ConfigError, match=r"truncation=1\.5: 0 to 1"):
        parse({"truncation": 1.5}, generator, 8)


def test_a_url_says_the_same_as_json() -> None:
    pairs = [("n", "4"), ("seed", "-3"), ("truncation", "0.5"), ("label", "0,owl"), ("format", "npy")]
    assert from_query(pairs) == {"n": 4, "seed": -3, "truncation": 0.5, "label": ["0", "owl"], "format": "npy"}
    with pytest.raises(ConfigError, match="n=2: is given twice"):
        from_query([("n", "1"), ("n", "2")])


@pytest.mark.parametrize("text", ["1_0", " 1", "٣", "", "0x1", "9" * 100])
def test_only_plain_numbers_are_numbers(text: str) -> None:
    assert from_query([("n", text)]) == {"n": text}
