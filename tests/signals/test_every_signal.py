"""Every kind of data, by what its class states: a new one is tested by being there."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from ganflow.errors import GanflowError
from ganflow.signals import Signal, named
from ganflow.signals.base import KINDS, Shape

named("image")  # all of them are known now
SHAPES: dict[str, Shape] = {"image": (3, 6, 9), "points": (2, 1, 1)}  # of a sample, by family
EVERY = sorted(KINDS)


def stored(signal: Signal, n: int = 7) -> torch.Tensor:
    rng = np.random.default_rng(0)
    shape = (n, *SHAPES[signal.family])
    whole = np.issubdtype(signal.dtype, np.integer)
    values = rng.integers(0, 256, shape) if whole else rng.normal(0, 3, shape)
    return torch.from_numpy(values.astype(signal.dtype))


@pytest.mark.parametrize("name", EVERY)
def test_what_is_stored_comes_back_from_what_networks_take(name: str) -> None:
    signal = named(name)
    samples = stored(signal)
    ready = signal.ready(samples.clone())
    assert ready.dtype == torch.float32
    assert ready.shape == samples.shape
    assert torch.equal(signal.stored(ready), samples)
    assert (ready.abs().max() <= 1) == signal.bounded


@pytest.mark.parametrize("name", EVERY)
def test_a_mirror_of_a_mirror_shows_the_sample(name: str) -> None:
    signal = named(name)
    ready = signal.ready(stored(signal))
    assert torch.equal(signal.mirrored(signal.mirrored(ready)), ready)


@pytest.mark.parametrize("name", EVERY)
def test_rows_are_what_people_take_and_one_picture_shows_them(name: str) -> None:
    signal = named(name)
    rows = signal.rows(stored(signal))
    assert rows.shape == (7, *signal.row(SHAPES[signal.family]))
    assert rows.dtype == signal.dtype
    assert rows.flags.c_contiguous
    assert Image.open(io.BytesIO(signal.preview(rows, columns=4))).format == "PNG"


@pytest.mark.parametrize("name", EVERY)
def test_its_words_stand(name: str) -> None:
    signal = named(name)
    assert signal.name == name
    assert named(signal.family).family == signal.family
    assert signal.plural in signal.says(SHAPES[signal.family])
    assert "float32" in signal.output(SHAPES[signal.family])


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("library", ["torch", "numpy"])
def test_the_line_of_python_makes_the_samples(name: str, library: str) -> None:
    signal = named(name)
    made = signal.ready(stored(signal))
    scope = {"torch": torch, "np": np, "made": made if library == "torch" else made.numpy()}
    line = signal.with_torch if library == "torch" else signal.with_numpy
    exec(line, scope)
    got = np.asarray(scope[line.partition(" =")[0]])
    np.testing.assert_array_equal(got.reshape(made.shape), signal.stored(made).numpy())


def test_images_are_mirrored_left_and_right() -> None:
    image = torch.arange(6.0).view(1, 1, 2, 3)
    assert named("image").mirrored(image).tolist() == [[[[2, 1, 0], [5, 4, 3]]]]


def test_another_name_is_one_line() -> None:
    with pytest.raises(GanflowError) as refused:
        named("smell")
    assert str(refused.value) == f"no kind of data is called 'smell'; there are {', '.join(EVERY)}"
