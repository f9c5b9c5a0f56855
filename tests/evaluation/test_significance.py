from dataclasses import replace

import numpy as np
import pytest

from ganflow.errors import GanflowError
from ganflow.evaluation.metrics.base import Measurement, known
from ganflow.evaluation.outcome import Evaluation, Protocol
from ganflow.evaluation.significance import compare

PROTOCOL = Protocol(samples=100, reference="train", reference_samples=50, extractor="classifier-1")


def values(fid: float, half: float) -> Evaluation:
    return of({"fid": Measurement(fid, fid - half, fid + half)})


def of(figures: dict[str, Measurement]) -> Evaluation:
    return Evaluation(figures, {}, PROTOCOL)


@pytest.mark.parametrize(
    ("a", "b", "half", "winner"),
    [(1.0, 2.0, 0.5, "A"), (2.0, 1.0, 0.5, "B"), (1.0, 2.0, 0.8, None), (1.0, 1.0, 0.1, None)],
)
def test_more_than_noise_is_a_difference(a: float, b: float, half: float, winner: str | None) -> None:
    (found,) = compare(values(a, half), values(b, half))
    assert found.winner == winner
    assert found.by == pytest.approx(a - b)
    assert found.margin == pytest.approx(half * np.sqrt(2))


def test_higher_is_better_where_the_metric_says_so() -> None:
    a, b = (of({"coverage": Measurement(c, c - 0.01, c + 0.01)}) for c in (0.9, 0.5))
    assert [d.winner for d in compare(a, b)] == ["A"]


def test_without_an_interval_nobody_wins() -> None:
    a, b = (of({"precision": Measurement(p)}) for p in (0.9, 0.5))
    (found,) = compare(a, b)
    assert (found.figure, found.a, found.b, found.winner) == ("precision", 0.9, 0.5, None)


def test_equal_generators_differ_in_one_of_twenty() -> None:
    rng = np.random.default_rng(0)
    fids = rng.normal(1.0, 0.1, (4000, 2))
    wins = [compare(values(a, 1.96 * 0.1), values(b, 1.96 * 0.1))[0].winner is not None for a, b in fids]
    assert np.mean(wins) == pytest.approx(0.05, abs=0.012)


@pytest.mark.parametrize("key", ["reference", "reference_samples", "extractor"])
def test_figures_of_other_protocols_do_not_compare(key: str) -> None:
    with pytest.raises(GanflowError) as refused:
        compare(values(1, 0.1), replace(values(2, 0.1), protocol=replace(PROTOCOL, **{key: "other"})))
    assert str(refused.value) == f"{key} is {getattr(PROTOCOL, key)} of A and other of B: such figures do not compare"


def test_every_figure_says_which_way_it_goes() -> None:
    ways = {name: figure.better for name, figure in known().items()}
    assert ways["fid"] == "lower"
    assert ways["coverage"] == "higher"
    assert set(ways.values()) == {"lower", "higher", ""}
