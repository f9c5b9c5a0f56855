from dataclasses import replace

import pytest
import torch

from ganflow.distributed import collectives
from ganflow.methods.regularizers.lecam import LeCam
from tests.methods.regularizers.small import Smooth, normal, turn
from tests.support.ranks import on_ranks


def test_logits_are_drawn_to_the_other_kind_s_anchor() -> None:
    made, lecam = turn(), LeCam(weight=0.7, decay=0.9, start=0, one_sided=False, current=False)
    x, g = made.real_logits.detach(), made.fake_logits.detach()
    of_real, of_fake = 0.0, 0.0
    for _ in range(3):
        term = lecam.discriminator_term(made)
        expected = 0.7 * (((x - of_fake) ** 2).mean() + ((g - of_real) ** 2).mean())
        torch.testing.assert_close(term.detach(), expected)
        before = of_real, of_fake
        of_real, of_fake = 0.9 * of_real + 0.1 * float(x.mean()), 0.9 * of_fake + 0.1 * float(g.mean())
        lecam.finish_turn()
    of_real, of_fake = before
    on_real, on_fake = torch.autograd.grad(term, (made.real_logits, made.fake_logits))
    # The anchors are constants, though they hold a tenth of these logits.
    torch.testing.assert_close(on_real, 0.7 * 2 * (x - of_fake) / len(x))
    torch.testing.assert_close(on_fake, 0.7 * 2 * (g - of_real) / len(g))


class Theirs:
    """The authors' anchors (lecam-gan, third_party/utils.py and losses.py) written again; ``itr`` counts from 1."""

    def __init__(self, decay: float, start: int) -> None:
        self.decay, self.start, self.real, self.fake = decay, start, 1000.0, 1000.0

    def term(self, real: torch.Tensor, fake: torch.Tensor, itr: int) -> torch.Tensor | None:
        kept = 0.0 if itr < self.start else self.decay
        self.fake = kept * self.fake + (1 - kept) * fake.mean().item()
        self.real = kept * self.real + (1 - kept) * real.mean().item()
        if itr <= self.start:
            return None
        return (real - self.fake).clamp(min=0).pow(2).mean() + (self.real - fake).clamp(min=0).pow(2).mean()


@pytest.mark.parametrize("start", [2, 4])
@pytest.mark.parametrize("apart", [-0.5, 0.0, 4.0])  # logits that are reversed, mixed, apart
def test_by_default_it_is_the_authors_own(start: int, apart: float) -> None:
    authors = {"weight": 0.3, "decay": 0.99, "start": 1000, "one_sided": True, "current": True}
    assert vars(LeCam()).items() >= authors.items()
    theirs, lecam = Theirs(0.9, start), LeCam(weight=0.3, decay=0.9, start=start)
    for step in range(6):
        real = (normal(5, seed=step) + apart).requires_grad_()
        fake = normal(5, seed=100 + step).requires_grad_()
        ours = lecam.discriminator_term(replace(turn(), real_logits=real, fake_logits=fake, step=step))
        reference = theirs.term(real, fake, step + 1)
        assert (ours is None) == (reference is None) == (step < start)
        if ours is not None and reference is not None:
            torch.testing.assert_close(ours, 0.3 * reference)
            slopes = torch.autograd.grad(ours, (real, fake)), torch.autograd.grad(0.3 * reference, (real, fake))
            torch.testing.assert_close(*slopes)
        lecam.finish_turn()
        torch.testing.assert_close(lecam.anchors.tolist(), [theirs.real, theirs.fake])


def test_two_turns_before_a_backward_do_not_disturb_each_other() -> None:
    D, lecam = Smooth(), LeCam(start=0, current=False)
    first = lecam.discriminator_term(turn(D))
    lecam.finish_turn()
    lecam.discriminator_term(turn(D))
    lecam.finish_turn()
    first.backward()
    assert D.two.grad.abs().max() > 0


def test_anchors_are_state() -> None:
    lecam, other = LeCam(start=0), LeCam(start=0)
    lecam.discriminator_term(turn())
    lecam.finish_turn()
    other.load_state_dict(lecam.state_dict())
    assert lecam.anchors.abs().min() > 0
    torch.testing.assert_close(other.discriminator_term(turn()), lecam.discriminator_term(turn()), rtol=0, atol=0)


def of_rank() -> tuple[torch.Tensor, torch.Tensor]:
    """Anchors and the mean term after two turns on this rank's rows."""
    lecam, rows = LeCam(start=0, current=False), collectives.share(8)
    for _ in range(2):
        term = lecam.discriminator_term(turn(first=rows.start, count=rows.stop - rows.start)).detach()
        lecam.finish_turn()
    collectives.mean_([term])
    return lecam.anchors, term


def test_two_ranks_hold_the_anchors_and_the_term_of_one_without_this_turn_in_them() -> None:
    for together in on_ranks(2, of_rank):
        torch.testing.assert_close(together, of_rank(), rtol=1e-12, atol=1e-14)
