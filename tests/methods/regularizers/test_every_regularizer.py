"""What holds of any regulariser; a new one is covered as soon as it stands in the registry."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from ganflow.config import components
from ganflow.errors import ConfigError
from ganflow.methods.regularizers.base import Regularizer
from tests.methods.regularizers.small import Smooth, build, turn

EVERY = list(components.choices("regularizer"))
ON_D = [name for name in EVERY if build(name).overrides("discriminator_term")]
HOOKS = ("discriminator_term", "generator_term", "perturb", "adjust_gradients", "constrain_discriminator")


@pytest.mark.parametrize("name", EVERY)
def test_each_has_a_hook_and_says_where_it_comes_from(name: str) -> None:
    made = build(name)
    assert any(made.overrides(hook) for hook in HOOKS)
    assert type(made).__doc__ != Regularizer.__doc__


@pytest.mark.parametrize("name", sorted(set(ON_D) - {"lecam"}))  # whose anchors hold D's logits, without a gradient
def test_the_gradient_of_a_term_is_that_of_finite_differences(name: str) -> None:
    """Second derivatives of D, where the term holds first ones, flow to its weights."""
    D, made = Smooth(), build(name)
    start = copy.deepcopy(made.state_dict())

    def term() -> Tensor:
        made.load_state_dict(start)
        value = made.discriminator_term(turn(D))
        assert value is not None
        assert value.shape == ()
        return value

    for weight, at in ((D.one, (5, 1)), (D.two, (3,)), (D.of_class, (1, 2))):
        (of_weight,) = torch.autograd.grad(term(), weight)
        values = []
        for nudge in (1e-5, -2e-5):
            weight.data[at] += nudge
            values.append(float(term().detach()))
        weight.data[at] += 1e-5
        slope = (values[0] - values[1]) / 2e-5
        assert float(of_weight[at]) == pytest.approx(slope, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("name", sorted(set(ON_D) - {"dragan", "lecam"}))  # those two know the whole batch
def test_a_term_is_a_mean_over_rows(name: str) -> None:
    made = build(name)
    whole = made.discriminator_term(turn(count=8))
    halves = [made.discriminator_term(turn(first=i, count=4)) for i in (0, 4)]
    torch.testing.assert_close(whole, sum(halves) / 2)


@pytest.mark.parametrize("name", ON_D)
def test_a_flat_discriminator_leaves_finite_gradients(name: str) -> None:
    D = Smooth()
    nn.init.zeros_(D.two)
    term = build(name).discriminator_term(turn(D))
    assert term is not None
    of_weights = torch.autograd.grad(term, list(D.parameters()), allow_unused=True)
    assert any(g is not None for g in of_weights)
    assert all(g.isfinite().all() for g in of_weights if g is not None)


@pytest.mark.parametrize("name", ON_D)
def test_terms_are_in_the_precision_of_the_logits(name: str) -> None:
    D = Smooth().float()
    made = turn()
    real, fake = (images.detach().float().requires_grad_() for images in (made.real, made.fake))
    on = {"real_logits": D(real, made.labels), "fake_logits": D(fake, made.fake_labels)}
    term = build(name).discriminator_term(replace(made, D=D, real=real, fake=fake, **on))
    assert term is not None
    assert term.dtype == torch.float32


@pytest.mark.parametrize(
    ("name", "options", "line"),
    [
        ("r2", {"gamma": -1.0}, "r.gamma=-1.0: must not be negative"),
        ("gradient_penalty", {"weight": -1.0}, "r.weight=-1.0: must not be negative"),
        ("gradient_penalty", {"sides": "three"}, "r.sides=three: one of two, one"),
        ("gradient_penalty", {"centre": -0.5}, "r.centre=-0.5: must not be negative"),
        ("gradient_penalty", {"interval": 0}, "r.interval=0: must be at least 1"),
        ("dragan", {"weight": -1.0}, "r.weight=-1.0: must not be negative"),
        ("dragan", {"k": -1.0}, "r.k=-1.0: must not be negative"),
        ("dragan", {"c": 0.0}, "r.c=0.0: must be more than 0"),
        ("consistency", {"real": -1.0}, "r.real=-1.0: must not be negative"),
        ("consistency", {"fake": -1.0}, "r.fake=-1.0: must not be negative, nor 0 with real=10.0"),
        ("consistency", {"real": 0.0}, "r.fake=0.0: must not be negative, nor 0 with real=0.0"),
        ("consistency", {"shift": 0.5}, "r.shift=0.5: 0 to less than 0.5 of the image's side"),
        ("lecam", {"weight": -1.0}, "r.weight=-1.0: must not be negative"),
        ("lecam", {"decay": 1.0}, "r.decay=1.0: 0 to less than 1"),
        ("lecam", {"start": -1}, "r.start=-1: 0 (at once) or more steps"),
        ("path_length", {"shrink": 0}, "r.shrink=0: must be at least 1: every so many images"),
        ("path_length", {"weight": -1.0}, "r.weight=-1.0: must not be negative"),
        ("path_length", {"decay": 0.0}, "r.decay=0.0: more than 0, at most 1"),
        ("weight_clipping", {"c": 0.0}, "r.c=0.0: must be more than 0"),
        ("gradient_clipping", {"max_norm": 0.0}, "r.max_norm=0.0: must be more than 0"),
        ("instance_noise", {"sigma": 0.0}, "r.sigma=0.0: must be more than 0"),
        ("instance_noise", {"anneal_kimg": 0.0}, "r.anneal_kimg=0.0: must be more than 0"),
    ],
)
def test_impossible_options_are_refused(name: str, options: dict[str, object], line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        build(name, **options)
    assert str(refused.value) == line
