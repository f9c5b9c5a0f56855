import copy

import pytest
import torch
from torch import Tensor, nn

from ganflow.distributed import collectives
from ganflow.methods.networks.dcgan import DCGANDiscriminator
from ganflow.methods.networks.layers.spectral_norm import normalise_spectrally
from ganflow.methods.players.player import to_device
from tests.support.ranks import on_ranks

LAYERS = {
    "dense": lambda: nn.Linear(7, 5),
    "convolution": lambda: nn.Conv2d(3, 6, 3),
    "transposed convolution": lambda: nn.ConvTranspose2d(3, 6, 3),
    "embedding": lambda: nn.Embedding(7, 5),
}


def made(kind: str) -> tuple[nn.Module, Tensor]:
    """A normalised layer and its weight before, in float64."""
    torch.manual_seed(0)
    layer = LAYERS[kind]().double()
    weight = layer.weight.detach().clone()
    normalise_spectrally(layer)
    return layer, weight


def matrix(weight: Tensor, kind: str) -> Tensor:
    """Outputs × the rest (Miyato et al., 2018, section 2.1)."""
    return (weight.transpose(0, 1) if kind == "transposed convolution" else weight).flatten(1)


@pytest.mark.parametrize("kind", LAYERS)
def test_after_some_forwards_it_is_divided_by_its_largest_singular_value(kind: str) -> None:
    layer, weight = made(kind)
    for _ in range(300):
        layer.weight  # noqa: B018 - every look is a power iteration
    sigma = torch.linalg.svdvals(matrix(weight, kind))[0]
    torch.testing.assert_close(layer.weight, weight / sigma, rtol=1e-6, atol=0)


@pytest.mark.parametrize("kind", LAYERS)
def test_one_forward_is_one_power_iteration(kind: str) -> None:
    """Algorithm 1 by hand: v = Wᵀu/‖Wᵀu‖, u = Wv/‖Wv‖, σ = uᵀWv."""
    layer, weight = made(kind)
    W, u = matrix(weight, kind), layer.parametrizations.weight[0].u.clone()
    for _ in range(3):
        v = W.T @ u / (W.T @ u).norm()
        u = W @ v / (W @ v).norm()
        torch.testing.assert_close(layer.weight, weight / (u @ W @ v))
    torch.testing.assert_close(layer.parametrizations.weight[0].u, u)


def test_the_gradient_is_the_paper_s() -> None:
    """Eq. 12: with W̄ = W/σ and g the gradient for W̄, the gradient for W is (g − ⟨g, W̄⟩ u vᵀ)/σ."""
    layer, W = made("dense")
    for _ in range(300):  # until u and v are the singular vectors
        normalised = layer.weight
    g = torch.randn(5, 7, dtype=torch.float64)
    normalised.backward(g)
    U, S, Vh = torch.linalg.svd(W)
    expected = (g - (g * W / S[0]).sum() * torch.outer(U[:, 0], Vh[0])) / S[0]
    torch.testing.assert_close(layer.parametrizations.weight.original.grad, expected, rtol=1e-6, atol=1e-9)


def test_only_training_moves_it() -> None:
    layer, _ = made("dense")
    start = copy.deepcopy(layer.state_dict())
    layer.eval()
    assert torch.equal(layer.weight, layer.weight)
    torch.testing.assert_close(layer.state_dict(), start, rtol=0, atol=0)
    layer.train()
    assert not torch.equal(layer.weight, layer.weight)


def test_under_autocast_it_is_computed_in_float32() -> None:
    torch.manual_seed(0)
    plain = nn.Linear(64, 64)
    normalise_spectrally(plain)
    under = copy.deepcopy(plain)
    for _ in range(5):
        expected = plain.weight
        with torch.autocast("cpu", torch.bfloat16):
            weight = under.weight
        assert weight.dtype == torch.float32
        assert torch.equal(weight, expected)
    torch.testing.assert_close(under.state_dict(), plain.state_dict(), rtol=0, atol=0)


def test_placing_a_network_lays_its_kernels_out_and_moves_nothing() -> None:
    D = DCGANDiscriminator((3, 8, 8), 0, "none", width=4, spectral_norm=True)
    start = copy.deepcopy(D.state_dict())
    to_device(D, torch.device("cpu"))
    torch.testing.assert_close(D.state_dict(), start, rtol=0, atol=0)
    kernels = [p for p in D.parameters() if p.dim() == 4]
    assert len(kernels) == 2
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in kernels)
    assert D.layers[0].weight.is_contiguous(memory_format=torch.channels_last)


def gradients(real: Tensor, fake: Tensor) -> tuple[list[Tensor], dict[str, Tensor]]:
    """Two forwards and a penalty before a joint backward, on this rank's rows; then the state."""
    torch.manual_seed(0)
    D = DCGANDiscriminator((1, 8, 8), 3, "projection", width=3, spectral_norm=True).double()
    network, rows = collectives.data_parallel(D), collectives.share(4)
    x, y = real[rows].clone().requires_grad_(), torch.arange(4)[rows] % 3
    on_real, on_fake = network(x, y), network(fake[rows], y)
    (slope,) = torch.autograd.grad(on_real.sum(), x, create_graph=True)
    (on_fake.mean() - on_real.mean() + slope.square().sum((1, 2, 3)).mean()).backward()
    return [p.grad.clone() for p in D.parameters() if p.grad is not None], D.state_dict()


def test_two_ranks_have_the_gradient_and_the_singular_vectors_of_one() -> None:
    real, fake = torch.randn(2, 4, 1, 8, 8, dtype=torch.float64)
    alone, state = gradients(real, fake)
    for of_rank, state_of_rank in on_ranks(2, gradients, real, fake):
        torch.testing.assert_close(of_rank, alone, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(state_of_rank, state, rtol=0, atol=0)


class TwoLayers(nn.Module):
    """A convolution whose kernels lie channels last, and a dense layer; a third layer is never asked."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last, self.spare = nn.Conv2d(3, 4, 3), nn.Linear(4, 2), nn.Linear(2, 2)
        self.double()
        self.first.weight.data = self.first.weight.data.contiguous(memory_format=torch.channels_last)
        normalise_spectrally(self)

    def forward(self, x: Tensor, fails: bool = False) -> Tensor:
        h = self.first(x).mean((2, 3))
        if fails:
            raise RuntimeError("half way")
        out: Tensor = self.last(h)
        return out


def test_weights_that_are_normalised_together_are_each_what_it_is_alone() -> None:
    together, alone = TwoLayers(), TwoLayers()
    x = torch.randn(2, 3, 5, 5, dtype=torch.float64)
    for _ in range(2):
        h = nn.functional.conv2d(x, alone.first.weight, alone.first.bias).mean((2, 3))
        expected, out = nn.functional.linear(h, alone.last.weight, alone.last.bias), together(x)
        alone.spare.weight  # noqa: B018 - every look is a power iteration
        torch.testing.assert_close(out, expected)
    torch.testing.assert_close(together.state_dict(), alone.state_dict())
    for network, result in ((together, out), (alone, expected)):
        result.square().sum().backward()
        assert network.spare.parametrizations.weight.original.grad is None
    for layer in ("first", "last"):
        one, other = (getattr(network, layer).parametrizations.weight.original.grad for network in (together, alone))
        torch.testing.assert_close(one, other)


def test_a_weight_that_is_looked_at_after_a_call_is_not_the_call_s() -> None:
    network, x = TwoLayers(), torch.randn(2, 3, 5, 5, dtype=torch.float64)
    network(x)
    with pytest.raises(RuntimeError, match="half way"):
        network(x, fails=True)
    before = network.first.weight.detach()
    network.first.parametrizations.weight.original.data *= torch.linspace(1, 2, 4).double()[:, None, None, None]
    assert not torch.allclose(network.first.weight, before)
    copied = copy.deepcopy(network)
    copied.first.parametrizations.weight.original.data.zero_()
    assert bool((network(x) != copied(x)).any())
