"""Non-saturating and minimax, against the paper's own log(D) and log(1 - D) with D = sigmoid(logits)."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ganflow.errors import ConfigError
from ganflow.methods.losses.minimax import Minimax
from ganflow.methods.losses.non_saturating import NonSaturating

REAL = torch.tensor([-3.1, 0.0, 0.7, 12.0], dtype=torch.float64)
FAKE = torch.tensor([2.2, -0.4, -11.0, 0.0], dtype=torch.float64)
Loss = type[Minimax] | type[NonSaturating]
both = pytest.mark.parametrize("loss", [Minimax, NonSaturating])


def sigmoid(logits: Tensor) -> np.ndarray:
    return 1 / (1 + np.exp(-logits.numpy()))


@both
@pytest.mark.parametrize("fake_target", [0.0, 0.2, 0.49])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.49])
def test_the_discriminator_minimises_cross_entropy_to_smooth_targets(
    loss: Loss, smoothing: float, fake_target: float
) -> None:
    real, fake = sigmoid(REAL), sigmoid(FAKE)
    on_real = (1 - smoothing) * np.log(real) + smoothing * np.log(1 - real)
    on_fake = fake_target * np.log(fake) + (1 - fake_target) * np.log(1 - fake)
    of_d = loss(smoothing, fake_target).discriminator(REAL, FAKE)
    assert float(of_d) == pytest.approx(-on_real.mean() - on_fake.mean(), rel=1e-10)


@both
def test_each_target_is_where_the_discriminator_rests(loss: Loss) -> None:
    real, fake = (torch.tensor([np.log(t / (1 - t))], requires_grad=True) for t in (0.9, 0.2))
    slopes = torch.autograd.grad(loss(0.1, 0.2).discriminator(real, fake), (real, fake))
    assert [float(slope) for slope in slopes] == pytest.approx([0.0, 0.0], abs=1e-12)


def test_the_non_saturating_generator_maximises_log_d() -> None:
    assert float(NonSaturating().generator(FAKE)) == pytest.approx(-np.log(sigmoid(FAKE)).mean(), rel=1e-10)


def test_the_minimax_generator_minimises_log_one_minus_d() -> None:
    assert float(Minimax().generator(FAKE)) == pytest.approx(np.log(1 - sigmoid(FAKE)).mean(), rel=1e-10)


def test_smoothing_leaves_the_generator_alone() -> None:
    for loss in (Minimax, NonSaturating):
        assert loss(0.3, 0.2).generator(FAKE) == loss(0.0).generator(FAKE)


@both
@pytest.mark.parametrize("smoothing", [-0.1, 0.5, float("nan")])
def test_a_smoothing_that_turns_the_target_is_refused(loss: Loss, smoothing: float) -> None:
    for option, target in (("smoothing", "real target 0.9"), ("smoothing_fake", "fake target 0.1")):
        with pytest.raises(ConfigError) as refused:
            loss(**{option: smoothing})
        assert str(refused.value) == f"{option}={smoothing}: 0 (none) to less than 0.5; 0.1 makes the {target}"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_extreme_logits_give_their_limits(dtype: torch.dtype) -> None:
    high, low = torch.full((4,), 1e4, dtype=dtype), torch.full((4,), -1e4, dtype=dtype)
    big = float(high[0])
    for loss in (Minimax(), NonSaturating()):
        assert float(loss.discriminator(high, low)) == 0.0
        assert float(loss.discriminator(low, high)) == pytest.approx(2 * big)
    assert float(NonSaturating().generator(low)) == pytest.approx(big)
    assert float(NonSaturating().generator(high)) == 0.0
    assert float(Minimax().generator(high)) == pytest.approx(-big)
    assert float(Minimax().generator(low)) == 0.0


def test_a_generator_that_loses_learns_from_the_non_saturating_loss_alone() -> None:
    def slope(loss: Minimax | NonSaturating) -> float:
        lost = torch.full((1,), -40.0, dtype=torch.float64, requires_grad=True)
        loss.generator(lost).backward()
        return float(lost.grad)

    assert slope(NonSaturating()) == pytest.approx(-1.0)
    assert slope(Minimax()) == pytest.approx(0.0, abs=1e-12)
