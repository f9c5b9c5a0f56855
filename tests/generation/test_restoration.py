"""What is given of a data set's images, and what comes back."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganflow.config import components
from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset
from ganflow.generation import restoration
from ganflow.methods.generator import Generator, GeneratorSpec

EDSR = {"name": "edsr", "blocks": 1, "width": 4}
HALF = {"hole": {"name": "hole", "kind": "half", "share": 0.25}}


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    out = tmp_path_factory.mktemp("data") / "digits"
    prepare(components.build("source", {"name": "digits"}, "data"), out)
    return Dataset.open(out, "test")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("pairs")
    for side, size in (("A", 8), ("B", 16)):
        (folder / "in" / side).mkdir(parents=True)
        for i in range(10):
            pixels = np.random.default_rng(i).integers(0, 256, (size, size, 3), np.uint8)
            Image.fromarray(pixels).save(folder / "in" / side / f"{i}.png")
    node = {"name": "paired", "path": str(folder / "in"), "test_share": 0.3}
    prepare(components.build("source", node, "data"), folder / "out")
    return Dataset.open(folder / "out", "test")


def model(spec: GeneratorSpec) -> Generator:
    torch.manual_seed(0)
    return Generator(spec.build(), spec)


FILLS = GeneratorSpec(EDSR, 0, (1, 8, 8), 0, given_shape=(2, 8, 8), given=HALF)


def test_an_image_is_always_given_alike(digits: Dataset) -> None:
    made = model(FILLS)
    whole, part = restoration.restore(made, digits, 0, 20), restoration.restore(made, digits, 7, 5)
    assert torch.equal(whole.given[7:12], part.given)
    assert torch.equal(whole.target[7:12], part.target)
    assert not torch.equal(whole.given[7], whole.given[8])


def test_what_was_not_hidden_stays(digits: Dataset) -> None:
    some = restoration.restore(model(FILLS), digits, 0, 30)
    assert some.hidden is not None
    assert torch.equal(some.restored[~some.hidden], some.target[~some.hidden])
    assert some.hidden.float().mean() == 0.5
    means = torch.stack([image[~mask].float().mean() for image, mask in zip(some.target, some.hidden, strict=True)])
    filled = torch.stack([image[mask].float().mean() for image, mask in zip(some.simple, some.hidden, strict=True)])
    torch.testing.assert_close(filled, means, atol=1.0, rtol=0)


def test_pairs_say_what_is_given(pairs: Dataset) -> None:
    some = restoration.restore(model(GeneratorSpec(EDSR, 0, (3, 16, 16), 0, given_shape=(3, 8, 8))), pairs, 0, 3)
    expected = torch.from_numpy(pairs.given(np.arange(3))).float() / 127.5 - 1
    torch.testing.assert_close(some.given, expected)
    small = Image.fromarray(pairs.given(np.arange(1))[0].transpose(1, 2, 0))
    enlarged = np.array(small.resize((16, 16), Image.Resampling.BICUBIC)).astype(int)
    assert np.abs(some.simple[0].permute(1, 2, 0).numpy() - enlarged).mean() < 0.7  # Pillow rounds between two passes
    assert (some.restored.shape, some.hidden) == ((3, 3, 16, 16), None)


def test_the_picture_has_four_rows(digits: Dataset) -> None:
    made = model(FILLS)
    image = Image.open(io.BytesIO(restoration.preview(digits)(made)))
    scale = 6  # until a person sees an 8 by 8 digit
    assert image.size == (12 * (8 * scale + 2) + 2, 4 * (8 * scale + 2) + 2)


def test_a_header_keeps_the_order_of_what_is_given(tmp_path: Path) -> None:
    from ganflow.methods import generator

    given = {name: {"name": name} for name in ("noise", "jpeg", "blur")}
    spec = GeneratorSpec(EDSR, 0, (3, 16, 16), 0, given_shape=(3, 16, 16), given=given)
    generator.save(tmp_path / "g.safetensors", spec.build(), spec)
    loaded = generator.load(tmp_path / "g.safetensors")
    assert list(loaded.spec.given) == ["noise", "jpeg", "blur"]
    assert loaded.spec == spec
