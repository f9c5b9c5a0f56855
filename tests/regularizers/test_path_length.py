import pytest
import torch
from torch import Tensor, nn

from ganflow import distributed
from ganflow.draws import Draw
from ganflow.gan import GAN
from ganflow.losses.non_saturating import NonSaturating
from ganflow.regularizers.base import GeneratorTurn
from ganflow.regularizers.path_length import PathLength
from ganflow.training.player import Player
from tests.regularizers.small import normal
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
    fake, w = G(normal(5, 3, seed=6), None, True)
    return GeneratorTurn(fake, w, Draw(0, "t", 0, 5, CPU))


def lengths(G: Mapped, made: GeneratorTurn) -> Tensor:
    """‖J_wᵀ·y‖₂ (N,) by central differences, the root mean square over the layers."""
    y, w, squared = made.draw.normal("path-length", 1, 2, 2).double() / 2, made.w.detach(), 0.0
    for at in range(w[0].numel()):
        nudge = torch.zeros(w[0].numel(), dtype=torch.float64)
        nudge[at] = 1e-5
        with torch.no_grad():
            up, down = ((G.synthesis(w + s * nudge.view(w.shape[1:])) * y).sum((1, 2, 3)) for s in (1, -1))
        squared = squared + ((up - down) / 2e-5) ** 2
    return (squared / (G.layers or 1)).sqrt()


@pytest.mark.parametrize("layers", [None, 2])
def test_lengths_are_drawn_to_their_moving_average(layers: int | None) -> None:
    G, path = Mapped(layers), PathLength(weight=2.0, decay=0.25)
    made = turn(G)
    expected, average = lengths(G, made), 0.0
    for _ in range(3):
        term = path.generator_term(made)
        torch.testing.assert_close(term.detach(), 2 * ((expected - average) ** 2).mean(), rtol=1e-7, atol=1e-10)
        average = 0.75 * average + 0.25 * float(expected.mean())
        path.finish_turn()
        assert float(path.average) == pytest.approx(average, rel=1e-7)


@pytest.mark.parametrize("layers", [None, 2])
def test_second_derivatives_flow_to_the_weights_but_not_through_the_average(layers: int | None) -> None:
    G, path = Mapped(layers), PathLength(decay=0.25)
    path.generator_term(turn(G))
    path.finish_turn()
    average = float(path.average)
    weights = list(G.parameters())
    gradients = torch.autograd.grad(path.generator_term(turn(G)), weights)
    for weight, gradient in zip(weights, gradients, strict=True):
        at, values = (-1,) * weight.ndim, []
        for nudge in (1e-4, -2e-4):
            weight.data[at] += nudge
            values.append(float(2 * ((lengths(G, turn(G)) - average) ** 2).mean()))
        weight.data[at] += 1e-4
        assert float(gradient[at]) == pytest.approx((values[0] - values[1]) / 2e-4, rel=1e-5, abs=1e-7)


class Flat(nn.Module):
    """D is nothing but one weight's share of the mean pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(normal(1, seed=9))

    def forward(self, images: Tensor, labels: Tensor | None) -> Tensor:
        return images.mean((1, 2, 3)) * self.w


def play(layers: int | None) -> tuple[list[Tensor], Tensor]:
    """G's gradients of five turns, of which 0, 2 and 4 are due, and the average then."""
    network, path = Mapped(layers), PathLength(interval=2)
    G, D = (Player(n, torch.optim.SGD(n.parameters(), 0.1)) for n in (network, Flat()))
    method, rows, gradients = GAN(G, D, NonSaturating(), {"path_length": path}), distributed.share(8), []
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


@pytest.mark.parametrize("layers", [None, 2])
def test_two_ranks_play_as_one(layers: int | None) -> None:
    alone = play(layers)
    assert alone[1] > 1e-4
    for together in on_ranks(2, play, layers):
        torch.testing.assert_close(together, alone, rtol=1e-10, atol=1e-12)


def test_the_average_is_state() -> None:
    path, other, made = PathLength(), PathLength(), turn(Mapped(2))
    path.generator_term(made)
    path.finish_turn()
    other.load_state_dict(path.state_dict())
    torch.testing.assert_close(other.generator_term(made), path.generator_term(made), rtol=0, atol=0)
    assert path.average > 0
