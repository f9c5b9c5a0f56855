from math import sqrt

import pytest
import torch
from torch import Tensor, nn

from ganflow.distributed import collectives
from ganflow.distributed.rng import RandomStream
from ganflow.methods.gan import GAN
from ganflow.methods.losses.non_saturating import NonSaturating
from ganflow.methods.players.player import Player
from ganflow.methods.regularizers.base import GeneratorTurn
from ganflow.methods.regularizers.path_length import PathLength
from tests.methods.regularizers.small import normal
from tests.support.ranks import on_ranks
from tests.support.turns import batch

CPU = torch.device("cpu")


class Mapped(nn.Module):
    """z → w → images (N, 1, 2, 2); with ``layers`` each of them sees a w of its own."""

    def __init__(self, layers: int | None) -> None:
        super().__init__()
        self.layers = layers
        self.mapping, self.out = nn.Parameter(normal(3, 3, seed=1)), nn.Parameter(normal(layers or 1, 3, 4, seed=2))

    def synthesis(self, w: Tensor) -> Tensor:
        ws = w[:, None] if w.ndim == 2 else w
        return torch.tanh(torch.einsum("nlk,lkp->nlp", ws, self.out)).prod(1).view(-1, 1, 2, 2)

    def forward(self, z: Tensor, labels: Tensor | None, return_w: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        w = torch.tanh(z @ self.mapping)
        w = w if self.layers is None else w[:, None].expand(-1, self.layers, -1)
        return (self.synthesis(w), w) if return_w else self.synthesis(w)


def turn(G: Mapped) -> GeneratorTurn:
    z = normal(6, 3, seed=6)
    fake = G(z, None)
    return GeneratorTurn(G, z, None, fake, RandomStream(0, "t", 0, 6, CPU), fake)


def lengths(G: Mapped, made: GeneratorTurn, shrink: int) -> Tensor:
    """‖J_wᵀ·y‖₂ of every so many rows by central differences, the root mean square over the layers."""
    y = made.draw.normal("path-length", 1, 2, 2).double()[::shrink] / 2
    w, squared = G(made.z[::shrink], None, True)[1].detach(), 0.0
    for at in range(w[0].numel()):
        nudge = torch.zeros(w[0].numel(), dtype=torch.float64)
        nudge[at] = 1e-5
        with torch.no_grad():
            up, down = ((G.synthesis(w + s * nudge.view(w.shape[1:])) * y).sum((1, 2, 3)) for s in (1, -1))
        squared = squared + ((up - down) / 2e-5) ** 2
    return (squared / (G.layers or 1)).sqrt()


FORMS = [(None, 1, False), (2, 1, False), (2, 2, True), (None, 3, True), (None, 1, True), (2, 2, False)]


@pytest.mark.parametrize(("layers", "shrink", "current"), FORMS)
def test_lengths_are_drawn_to_their_moving_average(layers: int | None, shrink: int, current: bool) -> None:
    G, path = Mapped(layers), PathLength(weight=2.0, decay=0.25, shrink=shrink, current=current)
    made = turn(G)
    expected, average = lengths(G, made, shrink), 0.0
    assert len(expected) == 6 // shrink
    for _ in range(3):
        term = path.generator_term(made)
        after = 0.75 * average + 0.25 * float(expected.mean())
        target = after if current else average
        torch.testing.assert_close(term.detach(), 2 * ((expected - target) ** 2).mean(), rtol=1e-7, atol=1e-10)
        average = after
        path.finish_turn()
        assert float(path.average) == pytest.approx(average, rel=1e-7)


def theirs(G: Mapped, made: GeneratorTurn, before: float, shrink: int) -> Tensor:
    """The authors' penalty (stylegan2-ada-pytorch, training/loss.py) written again: a row of ws for each layer."""
    w = torch.tanh(made.z[::shrink] @ G.mapping)
    ws = w[:, None].expand(-1, G.layers or 1, -1)
    y = made.draw.normal("path-length", 1, 2, 2).double()[::shrink] / sqrt(2 * 2)
    images = G.synthesis(ws)
    slopes = torch.autograd.grad((images * y).sum(), ws, create_graph=True)[0]
    each = slopes.pow(2).sum(2).mean(1).sqrt()
    a = (1 - 0.25) * before + 0.25 * each.mean()
    return 2 * (each - a).pow(2).mean()


@pytest.mark.parametrize(("layers", "shrink"), [(None, 1), (2, 2)])
def test_by_default_it_is_the_authors_own_with_all_gradients(layers: int | None, shrink: int) -> None:
    assert (
        vars(PathLength()).items() >= {"weight": 2, "decay": 0.01, "interval": 4, "shrink": 2, "current": True}.items()
    )
    G, path = Mapped(layers), PathLength(decay=0.25, shrink=shrink)
    for seen in range(2):
        before = float(path.average)
        assert (before > 0) == (seen > 0)
        ours, reference = path.generator_term(turn(G)), theirs(G, turn(G), before, shrink)
        torch.testing.assert_close(ours, reference)
        weights = list(G.parameters())
        torch.testing.assert_close(torch.autograd.grad(ours, weights), torch.autograd.grad(reference, weights))
        path.finish_turn()


@pytest.mark.parametrize(("layers", "shrink", "current"), FORMS)
def test_second_derivatives_flow_to_the_weights_and_only_this_turn_s_part_of_the_average(
    layers: int | None, shrink: int, current: bool
) -> None:
    G, path = Mapped(layers), PathLength(decay=0.25, shrink=shrink, current=current)
    path.generator_term(turn(G))
    path.finish_turn()
    average = float(path.average)
    weights = list(G.parameters())
    gradients = torch.autograd.grad(path.generator_term(turn(G)), weights)
    for weight, gradient in zip(weights, gradients, strict=True):
        at, values = (-1,) * weight.ndim, []
        for nudge in (1e-4, -2e-4):
            weight.data[at] += nudge
            each = lengths(G, turn(G), shrink)
            target = 0.75 * average + 0.25 * each.mean() if current else average
            values.append(float(2 * ((each - target) ** 2).mean()))
        weight.data[at] += 1e-4
        assert float(gradient[at]) == pytest.approx((values[0] - values[1]) / 2e-4, rel=1e-5, abs=1e-7)


class Flat(nn.Module):
    """D is nothing but one weight's share of the mean pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(normal(1, seed=9))

    def forward(self, images: Tensor, labels: Tensor | None) -> Tensor:
        return images.mean((1, 2, 3)) * self.w


def play(layers: int | None, shrink: int = 1) -> tuple[list[Tensor], Tensor]:
    """G's gradients of five turns, of which 0, 2 and 4 are due, and the average then."""
    network, path = Mapped(layers), PathLength(interval=2, shrink=shrink, current=False)
    G, D = (Player(n, torch.optim.SGD(n.parameters(), 0.1)) for n in (network, Flat()))
    method, rows, gradients = GAN(G, D, NonSaturating(), {"path_length": path}), collectives.share(8), []
    for number in range(5):
        z = normal(8, 3, seed=20 + number)[rows]
        with G.turn(D):
            terms = method.generator_terms(batch(z.new_zeros(len(z), 1, 2, 2), None, z, None, number, first=rows.start))
            assert ("path_length" in terms) == (number % 2 == 0)
            method.turns[-1].finish()
            G.backward(terms)
            G.step()
        gradients += [p.grad.clone() for p in network.parameters()]
    return gradients, path.average


@pytest.mark.parametrize(("layers", "shrink"), [(None, 2), (2, 1)])
def test_two_ranks_play_as_one_without_this_turn_in_the_average(layers: int | None, shrink: int) -> None:
    alone = play(layers, shrink)
    assert alone[1] > 1e-4
    for together in on_ranks(2, play, layers, shrink):
        torch.testing.assert_close(together, alone, rtol=1e-10, atol=1e-12)


def test_the_average_is_state() -> None:
    path, other, made = PathLength(), PathLength(), turn(Mapped(2))
    path.generator_term(made)
    path.finish_turn()
    other.load_state_dict(path.state_dict())
    torch.testing.assert_close(other.generator_term(made), path.generator_term(made), rtol=0, atol=0)
    assert path.average > 0
