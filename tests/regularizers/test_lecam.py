import torch

from ganflow import distributed
from ganflow.regularizers.lecam import LeCam
from tests.regularizers.small import Smooth, turn
from tests.support.ranks import on_ranks


def test_logits_are_drawn_to_the_other_kind_s_anchor() -> None:
    made, lecam = turn(), LeCam(weight=0.7, decay=0.9)
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


def test_two_turns_before_a_backward_do_not_disturb_each_other() -> None:
    D, lecam = Smooth(), LeCam()
    first = lecam.discriminator_term(turn(D))
    lecam.finish_turn()
    lecam.discriminator_term(turn(D))
    lecam.finish_turn()
    first.backward()
    assert D.two.grad.abs().max() > 0


def test_anchors_are_state() -> None:
    lecam, other = LeCam(), LeCam()
    lecam.discriminator_term(turn())
    lecam.finish_turn()
    other.load_state_dict(lecam.state_dict())
    assert lecam.anchors.abs().min() > 0
    torch.testing.assert_close(other.discriminator_term(turn()), lecam.discriminator_term(turn()), rtol=0, atol=0)


def of_rank() -> tuple[torch.Tensor, torch.Tensor]:
    """Anchors and the mean term after two turns on this rank's rows."""
    lecam, rows = LeCam(), distributed.share(8)
    for _ in range(2):
        term = lecam.discriminator_term(turn(first=rows.start, count=rows.stop - rows.start)).detach()
        lecam.finish_turn()
    distributed.mean_([term])
    return lecam.anchors, term


def test_two_ranks_hold_the_anchors_of_one() -> None:
    for together in on_ranks(2, of_rank):
        torch.testing.assert_close(together, of_rank(), rtol=1e-12, atol=1e-14)
