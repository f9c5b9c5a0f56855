import pytest
import torch

from ganflow.distributed import collectives
from ganflow.distributed.metric_means import RunningMeans
from tests.support.ranks import on_ranks

CPU = torch.device("cpu")


def rank_means() -> tuple[dict[str, float], dict[str, float]]:
    """Rank r adds r twice, and 10 once on rank 1 alone; then once more after a save and a load."""
    means, rank = RunningMeans(CPU), float(collectives.rank())
    for _ in range(2):
        means.add("D", {"loss": torch.tensor(rank)})
    means.add("G", {"loss": torch.tensor(10.0 * rank)})
    restored = RunningMeans(CPU)
    restored.load(means.reduced())
    restored.add("D", {"loss": torch.tensor(6.0)})
    return means.pop(), restored.pop()


def test_means_are_over_steps_and_ranks() -> None:
    for plain, restored in on_ranks(2, rank_means):
        assert plain == pytest.approx({"D/loss": 0.5, "G/loss": 5.0})
        assert restored == pytest.approx({"D/loss": (0 + 0 + 1 + 1 + 6 + 6) / 6, "G/loss": 5.0})


def test_it_starts_anew_after_a_report() -> None:
    means = RunningMeans(CPU)
    means.add("D", {"loss": torch.tensor(1.0, requires_grad=True)})
    assert means.pop() == {"D/loss": 1.0}
    assert means.pop() == {}
