from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ganflow.config import composition
from ganflow.config.schema import EvaluationConfig
from ganflow.data.prepared.dataset import Dataset
from ganflow.distributed import collectives
from ganflow.errors import GanflowError
from ganflow.evaluation.build import build_evaluator
from ganflow.evaluation.evaluation_result import class_shares
from ganflow.evaluation.evaluator import Evaluator
from ganflow.methods.generator import Generator, GeneratorSpec
from ganflow.report.metrics_file import flat
from tests.support.ranks import on_ranks
from tests.support.replay import Replay
from tests.support.small import EXTRACTOR

SPEC = GeneratorSpec({"name": "mlp", "widths": [16]}, 4, (1, 8, 8), 10, [str(d) for d in range(10)])


def settings(**changes: Any) -> EvaluationConfig:
    overrides = ["evaluation/metrics=[fid,kid,coverage]", "evaluation.metrics.kid.subset_size=100"]
    metrics = composition.compose(overrides).evaluation.metrics
    return EvaluationConfig(extractor=EXTRACTOR, metrics=metrics, **changes)


def evaluator(data: Path, cache: Path, **changes: Any) -> Evaluator:
    return build_evaluator(settings(**changes), data, cache, torch.device("cpu"))


def generator() -> Generator:
    torch.manual_seed(0)
    network = SPEC.build()
    for parameter in network.parameters():
        parameter.data.mul_(3)
    return Generator(network, SPEC)


def replay(data: Path, without: tuple[int, ...] = ()) -> Replay:
    train = Dataset.open(data)
    return Replay(train, np.flatnonzero(~np.isin(train.labels, without)))


def test_replaying_the_train_set_is_no_distance(digits: Path, cache: Path) -> None:
    measured = evaluator(digits, cache)
    figures = flat(measured.outcome(measured.inputs(replay(digits))).figures)
    assert figures["fid"] == pytest.approx(0.0, abs=1e-9)
    assert figures["coverage"] == 1.0
    assert abs(figures["kid"]) < 3 * figures["kid_std"]


def test_dropped_classes_show(digits: Path, cache: Path) -> None:
    measured = evaluator(digits, cache)
    some = replay(digits, without=(2, 5, 7))
    inputs = measured.inputs(some)
    assert measured.outcome(inputs, ["coverage"]).figures["coverage"].value == 0.7
    shares = class_shares(inputs)
    assert [share.name for share in shares] == [str(d) for d in range(10)]
    assert sum(share.generated for share in shares) == pytest.approx(1.0)
    assert sum(share.reference for share in shares) == pytest.approx(1.0)
    labels = np.asarray(Dataset.open(digits).labels)
    kept = np.bincount(labels[~np.isin(labels, (2, 5, 7))], minlength=10) / len(some.rows)
    np.testing.assert_allclose([share.generated for share in shares], kept, atol=0.03)  # but for what is not recognised


def test_figures_do_not_depend_on_the_batch(digits: Path, cache: Path) -> None:
    several = [flat(evaluator(digits, cache, batch=batch).measure(generator(), 300)) for batch in (300, 64, 7)]
    assert list(several[0]) == ["fid", "kid", "kid_std", "coverage", "class_reverse_kl"]
    assert several[0]["fid"] > 0.1
    for figures in several[1:]:  # convolutions of float32 add in an order that depends on the batch
        assert figures == pytest.approx(several[0], rel=1e-4)


def test_samples_are_of_the_reference_s_own_mix_of_classes(digits: Path, cache: Path) -> None:
    measured = evaluator(digits, cache)
    labels = measured.drawn(generator(), 20_000).labels
    expected = np.bincount(Dataset.open(digits).labels, minlength=10) / len(Dataset.open(digits))
    np.testing.assert_allclose(np.bincount(labels, minlength=10) / 20_000, expected, atol=0.01)


def test_only_the_metrics_asked_for_are_computed(digits: Path, cache: Path) -> None:
    assert set(evaluator(digits, cache).measure(generator(), 50, ["fid"])) == {"fid"}


def test_the_reference_may_be_the_test_split(digits: Path, cache: Path) -> None:
    measured = evaluator(digits, cache, reference="test")
    test = Dataset.open(digits, "test")
    assert len(measured.inputs(replay(digits)).real) == len(test)
    protocol = measured.protocol(50)
    assert (protocol.reference, protocol.reference_samples, protocol.samples) == ("test", len(test), 50)
    assert protocol.extractor_accuracy is not None
    assert protocol.extractor_accuracy > 0.9


def test_a_reference_that_is_not_there_is_refused(unlabelled: Path, cache: Path) -> None:
    with pytest.raises(GanflowError, match=r"has no split 'test' to be the reference; set evaluation.reference=train$"):
        evaluator(unlabelled, cache, reference="test")


def test_data_without_labels_have_no_classes_to_cover(unlabelled: Path, cache: Path) -> None:
    measured = evaluator(unlabelled, cache)
    inputs = measured.inputs(Replay(measured.reference, np.arange(300)))
    figures = flat(measured.outcome(inputs).figures)
    assert figures["fid"] == pytest.approx(0.0, abs=1e-9)
    assert "coverage" not in figures
    assert class_shares(inputs) == []


def measure_here(data: Path, cache: Path, samples: int) -> tuple[dict[str, float], torch.Tensor, int]:
    measured = evaluator(data, cache)
    part = collectives.share(samples)
    inputs = measured.inputs(measured.drawn(generator(), samples))
    return flat(measured.outcome(inputs).figures), inputs.fake.embeddings, part.stop - part.start


def test_figures_are_the_same_on_every_number_of_ranks(digits: Path, cache: Path) -> None:
    alone, embeddings, _ = measure_here(digits, cache, 301)
    together = on_ranks(2, measure_here, digits, cache, 301)
    assert [count for _, _, count in together] == [150, 151]
    assert together[0][0] == together[1][0]
    for figures, gathered, _ in together:
        torch.testing.assert_close(gathered, embeddings, rtol=1e-4, atol=1e-5)  # batches of another size
        assert figures == pytest.approx(alone, rel=1e-4)


def features_here(data: Path, cache: Path, samples: int) -> int:
    measured = evaluator(data, cache)
    return len(measured.inputs(measured.drawn(generator(), samples)).fake)


def test_a_rank_without_a_sample_takes_part(digits: Path, cache: Path) -> None:
    assert on_ranks(3, features_here, digits, cache, 2) == [2, 2, 2]
