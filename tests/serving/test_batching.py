"""Requests that are drawn together get what each would get alone, as `ganflow generate` draws it."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from ganflow.methods.generator import Generator, GeneratorSpec
from ganflow.serving.batching import answer, draw
from ganflow.serving.request import Asked
from tests.generation.writers.made import PLAIN, POINTS, SPEC, model

STYLE = replace(SPEC, network={"name": "stylegan2"})
DEEP = GeneratorSpec({"name": "dcgan"}, 16, (3, 16, 16), 3, ["cat", "dog", "owl"])
SEVERAL = [
    Asked(3, 7), Asked(1, 0), Asked(9, 7, (2,)), Asked(2, 5, (1, 0), 0.5), Asked(4, 7, None, 0.9),
    Asked(2, 5, (1, 0), 0.5),
]  # fmt: skip


@pytest.mark.parametrize("spec", [SPEC, DEEP, STYLE], ids=["mlp", "dcgan", "stylegan2"])
def test_company_changes_nothing(spec: GeneratorSpec) -> None:
    generator = model(spec)
    for name, parameter in generator.network.named_parameters():
        if name.endswith("strength"):
            parameter.data.fill_(1)  # of noise, which each sample has of its own
    for asked, samples in zip(SEVERAL, draw([(generator, asked) for asked in SEVERAL]), strict=True):
        label = None if asked.label is None else list(asked.label)
        alone = generator.sample(asked.n, asked.seed, label, truncation=asked.truncation)
        assert samples.dtype == alone.dtype
        difference = np.abs(samples.astype(int) - alone)
        assert difference.max() <= 1, "a grey level of rounding"
        assert (difference > 0).mean() < 0.01
    assert samples.std() > 5


def test_several_models_at_once() -> None:
    one, other = model(seed=1), model(seed=2)
    drawn = draw([(one, Asked(2)), (other, Asked(2)), (one, Asked(2))])
    np.testing.assert_array_equal(drawn[0], drawn[2])
    assert (drawn[0] != drawn[1]).any()


def test_more_than_the_network_takes_at_once() -> None:
    generator = model(replace(PLAIN, shape=(1, 512, 512)))
    assert generator.batch == 8
    (drawn,) = draw([(generator, Asked(11, 3))])
    np.testing.assert_array_equal(drawn, generator.sample(11, 3))


def answered(generator: Generator, asked: Asked) -> bytes:
    return answer(generator, asked, draw([(generator, asked)])[0])


def test_forms_hold_the_same() -> None:
    generator = model()
    npy = np.load(io.BytesIO(answered(generator, Asked(5, 1, format="npy"))))
    said = json.loads(answered(generator, Asked(5, 1, format="json")))
    np.testing.assert_array_equal(npy, np.array(said["samples"]))
    assert said["labels"] == [0, 1, 2, 0, 1]
    one = Image.open(io.BytesIO(answered(generator, Asked(1, 1))))
    np.testing.assert_array_equal(np.asarray(one), npy[0])
    grid = Image.open(io.BytesIO(answered(generator, Asked(5, 1))))
    assert grid.width > grid.height > 48, "a column per class"


def test_points() -> None:
    generator = model(POINTS)
    assert np.load(io.BytesIO(answered(generator, Asked(5, format="npy")))).shape == (5, 2)
    assert Image.open(io.BytesIO(answered(generator, Asked(1)))).size == (480, 480)
