"""Each optimizer against its paper's algorithm, written by hand."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ganflow.config import components
from ganflow.distributed import torch_internals
from ganflow.errors import ConfigError
from ganflow.methods.optimizers.adam import Adam
from ganflow.methods.optimizers.adamw import AdamW
from ganflow.methods.optimizers.rmsprop import RMSprop
from ganflow.methods.optimizers.sgd import SGD

GRADIENTS = [torch.tensor([0.5, -2.0]), torch.tensor([0.1, 1.0]), torch.tensor([-0.3, 0.0])]
START = torch.tensor([1.0, -1.0])


def after(optimizer: Any) -> torch.Tensor:
    p = nn.Parameter(START.clone())
    made = optimizer([p])
    for gradient in GRADIENTS:
        p.grad = gradient.clone()
        made.step()
    return p.detach()


def test_adam_is_the_paper_s() -> None:
    """Kingma & Ba (2015), algorithm 1."""
    lr, b1, b2 = 0.1, 0.5, 0.9
    x, m, v = START.double(), torch.zeros(2).double(), torch.zeros(2).double()
    for t, g in enumerate(GRADIENTS, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        x = x - lr * (m / (1 - b1**t)) / ((v / (1 - b2**t)).sqrt() + 1e-8)
    torch.testing.assert_close(after(Adam(0.1, (0.5, 0.9))), x.float())


def test_rmsprop_divides_by_the_running_root_mean_square() -> None:
    lr, alpha = 0.1, 0.9
    x, v = START.double(), torch.zeros(2).double()
    for g in GRADIENTS:
        v = alpha * v + (1 - alpha) * g**2
        x = x - lr * g / (v.sqrt() + 1e-8)
    torch.testing.assert_close(after(RMSprop(0.1, 0.9)), x.float())


def test_adamw_decays_weights_apart_from_the_gradient() -> None:
    """Loshchilov & Hutter (2019), algorithm 2, with the decay in units of the learning rate."""
    lr, b1, b2 = 0.1, 0.5, 0.9
    x, m, v = START.double().numpy(), np.zeros(2), np.zeros(2)
    for t, g in enumerate((g.double().numpy() for g in GRADIENTS), 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        x = x - lr * ((m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + 1e-8) + 0.3 * x)
    moved = after(AdamW(0.1, (0.5, 0.9), weight_decay=0.3))
    torch.testing.assert_close(moved, torch.from_numpy(x).float())


def test_adamw_without_decay_is_adam() -> None:
    torch.testing.assert_close(after(AdamW(weight_decay=0.0)), after(Adam()))


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_sgd_follows_the_velocity(momentum: float, nesterov: bool) -> None:
    """Sutskever et al. (2013), section 2, with the velocity in units of the learning rate."""
    mu, lr = momentum, 0.1
    x, v = START.double().numpy(), np.zeros(2)
    for g in (g.double().numpy() for g in GRADIENTS):
        v = mu * v + g
        x = x - lr * (g + mu * v if nesterov else v)
    moved = after(SGD(0.1, momentum, nesterov))
    torch.testing.assert_close(moved, torch.from_numpy(x).float())


@pytest.mark.parametrize("name", components.choices("optimizer"))
def test_a_resumed_optimizer_goes_on_as_if_it_had_not_stopped(name: str) -> None:
    def made() -> tuple[nn.Parameter, torch.optim.Optimizer]:
        p = nn.Parameter(START.clone())
        options = {"momentum": 0.9} if name == "sgd" else {}
        return p, components.build("optimizer", {"name": name, "lr": 0.1, **options}, "o")([p])

    def step(p: nn.Parameter, optimizer: torch.optim.Optimizer, gradient: torch.Tensor) -> None:
        p.grad = gradient.clone()
        optimizer.step()

    whole, cut, resumed = made(), made(), made()
    for gradient in GRADIENTS:
        step(*whole, gradient)
    for gradient in GRADIENTS[:2]:
        step(*cut, gradient)
    resumed[0].data.copy_(cut[0].data)
    resumed[1].load_state_dict(cut[1].state_dict())
    step(*resumed, GRADIENTS[2])
    assert torch.equal(whole[0], resumed[0])
    assert not torch.equal(whole[0], cut[0])


@pytest.mark.parametrize(
    ("name", "option", "value", "line"),
    [
        *((name, "lr", 0.0, "lr=0.0: must be more than 0") for name in components.choices("optimizer")),
        ("adamw", "betas", (0.5, 1.0), "betas=[0.5, 1.0]: must be two, each from 0 to less than 1"),
        ("adamw", "eps", 0.0, "eps=0.0: must be more than 0"),
        ("adamw", "weight_decay", -0.1, "weight_decay=-0.1: 0 (none) or more"),
        ("sgd", "momentum", 1.0, "momentum=1.0: 0 to less than 1"),
        ("sgd", "nesterov", True, "nesterov=True: needs a momentum of more than 0"),
    ],
)
def test_an_option_that_cannot_work_is_refused(name: str, option: str, value: object, line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        components.choices("optimizer")[name](**{option: value})
    assert str(refused.value) == line


@pytest.mark.parametrize(
    ("ours", "theirs"), [(Adam(0.1, (0.5, 0.9)), torch.optim.Adam), (AdamW(0.1), torch.optim.AdamW)]
)
def test_the_lean_step_is_torch_s_own_to_the_bit(ours: Any, theirs: Any) -> None:
    """Over state that travels, a weight without a gradient and a rate that changes."""
    options = {"lr": 0.1, "betas": ours.betas, "eps": 1e-8, "fused": True}
    sides = []
    for build in (ours, lambda parameters: theirs(parameters, **options)):
        torch.manual_seed(0)
        weights = [nn.Parameter(torch.randn(7, 3)), nn.Parameter(torch.randn(5))]
        optimizer = build(weights)
        for turn in range(8):
            for weight in weights:
                weight.grad = torch.randn_like(weight)
            if turn in (0, 5):
                weights[1].grad = None
            if turn == 3:
                saved = optimizer.state_dict()
                optimizer = build(weights)
                optimizer.load_state_dict(saved)
            if turn == 6:
                optimizer.param_groups[0]["lr"] *= 0.5
            optimizer.step()
        sides.append((weights, optimizer.state_dict()))
    (mine, my_state), (reference, its_state) = sides
    for a, b in zip(mine, reference, strict=True):
        assert torch.equal(a, b)
    torch.testing.assert_close(my_state["state"], its_state["state"], rtol=0, atol=0)


@pytest.mark.parametrize("at", range(3))
@pytest.mark.parametrize(
    "make",
    [
        Adam(0.1, (0.5, 0.9)),
        AdamW(0.1, (0.5, 0.9), weight_decay=0.3),
        SGD(0.1, momentum=0.9),
        RMSprop(0.1, 0.9),
        lambda parameters: torch.optim.Rprop(parameters, 0.1),  # the host has to ask for this one
    ],
    ids=["adam", "adamw", "sgd", "rmsprop", "another"],
)
def test_an_update_that_the_device_leaves_out_leaves_no_trace(make: Any, at: int) -> None:
    def after(gradients: list[torch.Tensor], left_out: list[float]) -> torch.Tensor:
        p = nn.Parameter(START.clone())
        made = make([p])
        for gradient, flag in zip(gradients, left_out, strict=True):
            p.grad = gradient.clone()
            torch_internals.step(made, left_out=torch.tensor(flag))
        return p.detach()

    ill = [*GRADIENTS[:at], torch.tensor([float("nan"), float("inf")]), *GRADIENTS[at:]]
    flags = [float(i == at) for i in range(len(ill))]
    assert torch.equal(after(ill, flags), after(GRADIENTS, [0.0] * 3))
