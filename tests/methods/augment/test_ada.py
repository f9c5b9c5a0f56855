import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from ganflow.config import components
from ganflow.distributed import collectives
from ganflow.distributed.rng import RandomStream
from ganflow.errors import ConfigError
from ganflow.methods.augment import ada
from ganflow.methods.augment.ada import ADA
from ganflow.methods.augment.diffaugment import cutout
from tests.support.ranks import on_ranks

CPU = torch.device("cpu")
MANY = 20_000


def images(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("pipeline", ["b", "g", "c", "f", "n", "o", "bg", "bgcfno"])
@pytest.mark.parametrize("channels", [1, 3])
def test_at_p_of_nought_no_bit_changes(pipeline: str, channels: int) -> None:
    for side in (4, 9, 32):
        x = images(16, channels, side, side)
        for seen in (x, x.bfloat16(), x.double()):
            assert torch.equal(ADA(pipeline=pipeline)(seen, RandomStream(0, "D", 0, 16, CPU)), seen)


NAMES = [
    "flip", "quarters", "shift", "scale", "before", "stretch", "after", "drift",
    "brightness", "contrast", "luma_flip", "hue", "saturation",
]  # fmt: skip
# In the order of what they undo, the last one first; colours are not undone.
DONE_IN_ORDER = [
    "flip", "quarters", "shift", "before", "stretch", "after", "scale", "drift",
    "saturation", "hue", "luma_flip", "contrast", "brightness",
]  # fmt: skip
NEUTRAL = {"scale": 1, "stretch": 1, "contrast": 1, "saturation": 1}


def parameters(monkeypatch: pytest.MonkeyPatch, p: float, side: int = 32) -> dict[str, np.ndarray]:
    """What is done to many images, by the name of the transform; where it is not done, the neutral value."""
    taken: list[np.ndarray] = []

    def keep(make: Any) -> Any:
        return lambda *values: taken.extend(v for v in values if isinstance(v, np.ndarray)) or make(*values)

    for name in ("blit", "deform", "recolouring"):
        monkeypatch.setattr(ada, name, keep(getattr(ada, name)))
    drawn = ada._transforms(0, 0, "D", MANY, "bgc", 1.0, 3, (side, side))
    above = np.concatenate([drawn[:, 0, :8, 0], drawn[:, 1, :5, 0]], axis=1)
    assert (drawn[:, 1, 5:, 0] > 1).all()
    done = dict(zip(DONE_IN_ORDER, (above < p).T, strict=True))
    return {
        name: np.where(done[name].reshape(-1, *[1] * (values.ndim - 1)), values, NEUTRAL.get(name, 0))
        for name, values in zip(NAMES, taken, strict=True)
    }


NORMAL = {"brightness": 0.2, "drift": 0.125 * 32}
LOG_NORMAL = {"scale": 0.2, "stretch": 0.2, "contrast": 0.5, "saturation": 1.0}


def test_every_transform_is_drawn_with_p_from_the_paper_s_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    p = 0.3
    drawn = parameters(monkeypatch, p)
    drawn |= {name: np.log2(drawn[name]) for name in LOG_NORMAL}
    for name, deviation in (NORMAL | LOG_NORMAL).items():
        values = drawn[name].reshape(MANY, -1)
        on = values[(values != 0).all(1)]
        assert len(on) / MANY == pytest.approx(p, abs=0.015), name
        assert (values == 0).all(1).sum() + len(on) == MANY  # both axes or neither
        for axis in on.T:
            assert stats.kstest(axis / deviation, "norm").pvalue > 0.001, name
    for name in ("before", "after", "hue"):
        on = drawn[name][drawn[name] != 0]
        assert stats.kstest(on, "uniform", (-math.pi, 2 * math.pi)).pvalue > 0.001, name
    assert (drawn["hue"] != 0).mean() == pytest.approx(p, abs=0.015)
    assert ((drawn["before"] != 0) | (drawn["after"] != 0)).mean() == pytest.approx(p, abs=0.015)
    assert (drawn["before"] != 0).mean() == pytest.approx((drawn["after"] != 0).mean(), abs=0.015)
    for name in ("flip", "luma_flip"):
        assert drawn[name].mean() == pytest.approx(p / 2, abs=0.015), name
        assert set(drawn[name]) == {0, 1}
    for quarters in (1, 2, 3):
        assert (drawn["quarters"] == quarters).mean() == pytest.approx(p / 4, abs=0.015)
    for axis in drawn["shift"].T:  # an eighth of 32 pixels; both ends are rounded to from one side only
        assert set(axis) == set(range(-4, 5))
        assert (axis == 3).mean() == pytest.approx(p / 8, abs=0.015)
        assert (axis == 4).mean() == pytest.approx(p / 16, abs=0.015)


def test_images_move_by_shares_of_either_side() -> None:
    drawn = ada._transforms(0, 0, "D", MANY, "bg", 1.0, 3, (48, 32))
    maps = drawn[:, 0, :, 1:].reshape(MANY, -1, 4, 4)
    whole, drift = maps[:, 2, :2, 2], maps[:, 7, :2, 2]
    assert np.abs(whole).max(0).tolist() == [6, 4]  # an eighth
    np.testing.assert_allclose(drift.std(0), [6, 4], rtol=0.02)


def test_transforms_of_an_image_do_not_know_of_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = [values.reshape(MANY, -1) for name, values in parameters(monkeypatch, 0.5).items()]
    table = np.concatenate(columns, axis=1)
    active = np.concatenate([(c != np.median(c, 0)).any(1, keepdims=True) for c in columns], axis=1)
    for values in (table, active):
        off_diagonal = np.corrcoef(values.T) - np.eye(values.shape[1])
        assert np.abs(off_diagonal).max() < 5 / math.sqrt(MANY)


@pytest.mark.parametrize("p", [0.1, 0.5, 1.0])
def test_the_share_of_images_that_change_is_what_the_transforms_make_of_p(p: float) -> None:
    unchanged = {
        "b": (1 - p / 2) * (1 - 3 * p / 4) * (1 - 3 * p / 4),  # on 8 pixels a move rounds to none with ½ per axis
        "g": (1 - p) ** 4,
        "c": (1 - p) ** 4 * (1 - p / 2),
        "f": (1 - p) ** 4,
        "n": 1 - p,
        "o": 1 - p,
    }
    x, n = images(4000, 3, 8, 8), 4000
    for pipeline, expected in (unchanged | {"bgcfno": math.prod(unchanged.values())}).items():
        same = (ADA(p=p, pipeline=pipeline)(x, RandomStream(1, "D", 0, n, CPU)) == x).flatten(1).all(1)
        assert float(same.float().mean()) == pytest.approx(expected, abs=4 * 0.5 / math.sqrt(n)), pipeline


def test_colours_may_change_less_often_than_the_rest() -> None:
    x, draw = images(64, 3, 8, 8), RandomStream(0, "D", 0, 64, CPU)
    assert torch.equal(ADA(p=0.8, pipeline="c", colour=0.5)(x, draw), ADA(p=0.4, pipeline="c")(x, draw))
    assert torch.equal(ADA(p=0.8, pipeline="bgo", colour=0.5)(x, draw), ADA(p=0.8, pipeline="bgo")(x, draw))


def test_what_is_cut_out_is_a_square_of_half_the_side() -> None:
    x, draw = torch.ones(500, 2, 16, 16), RandomStream(0, "D", 0, 500, CPU)
    seen = ADA(p=0.5, pipeline="o")(x, draw)
    places = draw.uniform("cutout", 3)
    whole = cutout(x, places[:, 1:].to(x.dtype))
    cut = places[:, 0] < 0.5
    assert torch.equal(seen[cut], whole[cut])
    assert torch.equal(seen[~cut], x[~cut])
    assert float((seen == 0).flatten(1).sum(1).max()) == 2 * 8 * 8


def test_noise_has_a_strength_of_its_own_in_every_image() -> None:
    x, n = torch.zeros(4000, 1, 8, 8), 4000
    seen = ADA(p=0.5, pipeline="n")(x, RandomStream(2, "D", 0, n, CPU)).flatten(1)
    loud = seen.std(1)[(seen != 0).any(1)]
    assert len(loud) / n == pytest.approx(0.5, abs=0.03)
    deviations = np.sort(loud.double().numpy())  # of 64 pixels each, so a little wider than the half normal of 0.1
    assert float(np.median(deviations)) == pytest.approx(0.1 * stats.halfnorm.median(), rel=0.08)
    assert float((deviations**2).mean()) == pytest.approx(0.01, rel=0.12)
    assert stats.kstest(seen[(seen != 0).any(1)][:, 0] / loud, "norm").pvalue > 0.001


def test_octaves_get_factors_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Tensor] = []
    monkeypatch.setattr(ada, "equalise", lambda images, factors: taken.append(factors) or images)
    ADA(p=0.3, pipeline="f")(torch.zeros(MANY, 1, 4, 4, dtype=torch.float64), RandomStream(0, "D", 0, MANY, CPU))
    for octave in taken[0].log2().numpy().T:
        on = octave[octave != 0]
        assert len(on) / MANY == pytest.approx(0.3, abs=0.015)
        assert stats.kstest(on, "norm").pvalue > 0.001
    assert np.abs(np.corrcoef(taken[0].log2().numpy().T) - np.eye(4)).max() < 5 / math.sqrt(MANY)


def logits(turn: int, batch: int, shift: float) -> Tensor:
    return torch.randn(batch, generator=torch.Generator().manual_seed(turn)) + shift


def controlled(turns: list[int], shift: float, batch: int, state: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
    """A controller's state after some turns on this rank's part of the logits."""
    module = ADA(kimg=0.5, p=0.25)
    if state:
        module.load_state_dict(state)
    for turn in turns:
        module.observe(logits(turn, batch, shift)[collectives.share(batch)], batch, turn)
        module.finish_turn()
    collectives.mean_(list(module.buffers()))  # as at a checkpoint
    return {name: value.clone() for name, value in module.state_dict().items()}


def by_hand(turns: int, shift: float, batch: int) -> tuple[float, float]:
    """(p, the last statistic), from the paper's rule."""
    p = 0.25
    for end in range(4, turns + 1, 4):
        r = float(np.mean([np.sign(logits(turn, batch, shift).numpy()) for turn in range(end - 4, end)]))
        p = min(max(p + np.sign(r - 0.6) * batch * 4 / 500, 0), 1)
    return p, r


@pytest.mark.parametrize(("shift", "end"), [(3.0, 1.0), (-1.0, 0.0), (0.85, None)])
def test_p_follows_how_sure_the_discriminator_is(shift: float, end: float | None) -> None:
    for turns in (4, 8, 12, 60):
        p, sign = by_hand(turns, shift, 15)
        state = controlled(list(range(turns)), shift, 15)
        assert (float(state["p"]), float(state["sign"])) == (pytest.approx(p, abs=1e-5), pytest.approx(sign, abs=1e-5))
    assert end is None or p == end


def test_two_ranks_with_unequal_shares_control_as_one() -> None:
    alone = controlled(list(range(23)), 0.85, 7)
    for state in on_ranks(2, controlled, list(range(23)), 0.85, 7):
        torch.testing.assert_close(state, alone)


def test_a_controller_that_stopped_between_two_steps_goes_on_with_another_number_of_ranks() -> None:
    whole = controlled(list(range(24)), 0.85, 8)
    half = on_ranks(2, controlled, list(range(14)), 0.85, 8)[0]
    assert float(half["signs"]) != 0
    torch.testing.assert_close(controlled(list(range(14, 24)), 0.85, 8, half), whole)


def test_without_a_target_p_stays_and_the_statistic_is_still_reported() -> None:
    module = ADA(target=0.0, p=0.3)
    for turn in range(8):
        module.observe(torch.tensor([1.0, 1.0, 1.0, -1.0]), 4, turn)
        module.finish_turn()
    assert {name: float(value) for name, value in module.figures().items()} == {"p": pytest.approx(0.3), "sign": 0.5}


def test_logits_that_are_no_numbers_leave_p_one() -> None:
    module = ADA(p=0.3)
    for turn in range(4):
        module.observe(torch.tensor([math.nan, 1.0]), 2, turn)
        module.finish_turn()
    assert float(module.sign) == 0.5
    assert 0 < float(module.p) < 0.3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": 1.0}, "target=1.0: 0 (p is fixed) to less than 1"),
        ({"kimg": 0.0}, "kimg=0.0: must be more than 0"),
        ({"p": 1.5}, "p=1.5: from 0 to 1"),
        ({"interval": 0}, "interval=0: must be at least 1"),
        ({"pipeline": "bgx"}, "pipeline=bgx: letters of bgcfno: blitting, geometry, colour, filter, noise, cutout"),
        ({"colour": 1.5}, "colour=1.5: from 0 to 1"),
        ({"pipeline": ""}, "pipeline=: letters of bgcfno: blitting, geometry, colour, filter, noise, cutout"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        components.build("augmentation", {"name": "ada", **options}, "gan.augmentation")
    assert str(refused.value) == f"gan.augmentation.{message}"
