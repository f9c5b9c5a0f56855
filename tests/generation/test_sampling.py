import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ganflow.errors import ConfigError
from ganflow.generation.sampling import Sampling, classes_of
from ganflow.methods import generator
from ganflow.methods.generator import Generator, GeneratorSpec
from tests.generation.writers.made import PLAIN, SPEC, model


def test_batches_are_the_samples() -> None:
    sampling = Sampling(model(), 23, 5, [1, 2], 0.7, batch=7)
    assert list(sampling.starts) == [0, 7, 14, 21]
    drawn = np.concatenate([sampling.draw(first) for first in sampling.starts])
    np.testing.assert_array_equal(drawn, model().sample(23, 5, [1, 2], 7, 0.7))
    assert sampling.labels(21, 2).tolist() == [2, 1]


@pytest.mark.parametrize(("resolution", "batch"), [(8, 256), (64, 256), (128, 64), (256, 16), (1024, 8)])
def test_large_images_come_in_small_batches(resolution: int, batch: int) -> None:
    spec = GeneratorSpec({"name": "mlp", "widths": [1]}, 2, (1, resolution, resolution), 0)
    with torch.device("meta"):
        assert Sampling(Generator(spec.build(), spec), 9).starts.step == batch


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"n": 0}, "n=0: must be at least 1"),
        ({"batch": 0}, "batch=0: must be at least 1"),
        ({"label": [0, 3]}, "label=3: must be 0 to 2"),
        ({"truncation": 0.0}, "truncation=0.0: more than 0: values of z beyond it are drawn again, as 0.5 for"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_it_is(options: dict[str, object], line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Sampling(model(), **{"n": 1, **options})
    assert str(refused.value).startswith(line)


def test_classes_by_number_and_name() -> None:
    assert classes_of(["2", "cat", "owl"], SPEC) == [2, 0, 2]
    for name, spec, line in (
        ("cow", SPEC, "label=cow: 0 to 2, or of cat, dog, owl"),
        ("", SPEC, "label=: 0 to 2, or of cat, dog, owl"),
        ("cat", PLAIN, "label=cat: a number"),
    ):
        with pytest.raises(ConfigError) as refused:
            classes_of([name], spec)
        assert str(refused.value) == line


def test_the_record_names_the_model_by_its_file(tmp_path: Path) -> None:
    made = model()
    generator.save(tmp_path / "g", made.network, SPEC)
    digest = hashlib.sha256((tmp_path / "g").read_bytes()).hexdigest()
    assert Sampling(generator.load(tmp_path / "g"), 3).record()["model"] == digest
    assert model(seed=1).digest() != digest


def test_a_batch_without_room_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    sampling = Sampling(model(), 30, batch=20)
    monkeypatch.setattr(sampling.generator.network, "forward", full)
    with pytest.raises(ConfigError, match=r"^batch=20: the GPU has no room for so many; take fewer$"):
        sampling.draw(0)


def test_the_record_says_that_noise_is_by_sample_where_there_is_some() -> None:
    style = replace(PLAIN, network={"name": "stylegan2", "width": 4, "w_dim": 6})
    assert Sampling(model(style), 3).record()["noise"] == "by sample"  # else an older command's folder would go on
    assert "noise" not in Sampling(model(PLAIN), 3).record()
