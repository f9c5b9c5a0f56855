"""Points are measured against the mixture that they were drawn from."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ganflow.config import components, composition
from ganflow.config.schema import EvaluationConfig
from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset, Facts
from ganflow.errors import ConfigError
from ganflow.evaluation.build import build_evaluator
from ganflow.evaluation.evaluation_result import class_shares
from ganflow.evaluation.evaluator import Evaluator
from ganflow.methods.build import check_fits
from ganflow.methods.generator import Generator, GeneratorSpec
from ganflow.report.metrics_file import flat
from tests.support.ranks import on_ranks
from tests.support.replay import Replay

SPEC = GeneratorSpec({"name": "mlp", "widths": [16], "output": "linear"}, 4, (2, 1, 1), 0, kind="points")


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ring") / "data"
    prepare(components.build("source", {"name": "ring8", "count": 4000, "test_count": 500}, "data"), root)
    return root


def evaluator(data: Path, cache: Path, **changes: Any) -> Evaluator:
    config = EvaluationConfig(extractor={"name": "pixels"}, metrics={"modes": {"name": "modes"}}, **changes)
    return build_evaluator(config, data, cache, torch.device("cpu"))


def replay(data: Path, modes: tuple[int, ...] = tuple(range(8))) -> Replay:
    train = Dataset.open(data)
    return Replay(train, np.flatnonzero(np.isin(train.labels, modes)))


def test_replaying_the_data_captures_every_mode(ring: Path, tmp_path: Path) -> None:
    measured = evaluator(ring, tmp_path)
    figures = flat(measured.outcome(measured.inputs(replay(ring))).figures)
    data = Dataset.open(ring)
    points, labels = data.images(np.arange(4000))[:, :, 0, 0], np.asarray(data.labels)
    angle = labels * np.pi / 4
    near = np.hypot(points[:, 0] - np.cos(angle), points[:, 1] - np.sin(angle)) < 0.03
    assert figures["modes"] == 8
    assert figures["high_quality"] == pytest.approx(near.mean(), abs=1e-12)
    assert 0 < figures["reverse_kl"] < 0.01
    assert not any(file.suffix == ".pt" for file in tmp_path.iterdir()), "nothing has to be learned"
    protocol = measured.protocol(4000)
    assert (protocol.extractor, protocol.extractor_accuracy) == ("nearest-mode", 1.0)


def test_dropped_modes_show(ring: Path, tmp_path: Path) -> None:
    measured = evaluator(ring, tmp_path)
    inputs = measured.inputs(replay(ring, (0, 5)))
    figures = flat(measured.outcome(inputs).figures)
    assert figures["modes"] == 2
    assert figures["reverse_kl"] == pytest.approx(np.log(4), abs=0.01)
    shares = {share.name: share for share in class_shares(inputs)}
    assert shares["1 0"].generated + shares["-0.707 -0.707"].generated == pytest.approx(1.0)
    assert shares["0 1"].generated == 0
    assert all(share.reference == pytest.approx(1 / 8, abs=0.03) for share in shares.values())


def measure_here(data: Path, cache: Path) -> dict[str, float]:
    torch.manual_seed(0)
    return flat(evaluator(data, cache, batch=64).measure(Generator(SPEC.build(), SPEC), 301))


def test_figures_are_the_same_on_every_number_of_ranks(ring: Path, tmp_path: Path) -> None:
    alone = measure_here(ring, tmp_path)
    assert on_ranks(2, measure_here, ring, tmp_path) == [alone, alone]


@pytest.mark.parametrize("name", ["fid", "kid", "coverage"])
def test_a_metric_of_images_is_refused_before_any_work(name: str) -> None:
    recipe = composition.compose(["experiment=ring8", f"evaluation/metrics=[modes,{name}]"])
    check_fits(composition.compose(["experiment=ring8"]), Facts((2, 1, 1), 8, "points"))
    with pytest.raises(ConfigError) as refused:
        check_fits(recipe, Facts((2, 1, 1), 8, "points"))
    expected = f"evaluation.metrics={name}: measures images, and these data are points; set evaluation/metrics=[modes]"
    expected += ", or begin with experiment=ring8"
    assert str(refused.value) == expected


def test_an_extractor_of_images_is_refused_with_the_way_out() -> None:
    with pytest.raises(ConfigError) as refused:
        check_fits(
            composition.compose(["experiment=ring8", "evaluation/extractor=inception"]), Facts((2, 1, 1), 8, "points")
        )
    hint = "set evaluation/extractor=pixels, or begin with experiment=ring8"
    why = f"is for images, and these data are points; {hint}"
    assert str(refused.value) == f"evaluation.extractor.name=inception: {why}"


@pytest.mark.parametrize(("slot", "name"), [("generator", "dcgan"), ("discriminator", "resnet")])
def test_a_network_of_images_is_refused_with_the_way_out(slot: str, name: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_fits(composition.compose(["experiment=ring8", f"gan/{slot}={name}"]), Facts((2, 1, 1), 8, "points"))
    fitting = "mlp" if slot == "generator" else "dense_conv or mlp"
    hint = f"set gan/{slot}={fitting}, or begin with experiment=ring8"
    assert str(refused.value) == f"gan.{slot}.name={name}: is for images, and these data are points; {hint}"
