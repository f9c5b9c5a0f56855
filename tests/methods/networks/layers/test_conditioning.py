import pytest
import torch
from torch.nn.functional import linear

from ganflow.methods.networks.layers.conditioning import ConditionalBatchNorm2d, Head, LatentInput, VectorBatchNorm2d


@pytest.mark.parametrize(("spectral_norm", "scale"), [(False, 6**0.5), (True, 1.0)])
def test_the_projection_is_that_of_the_paper(spectral_norm: bool, scale: float) -> None:
    """Miyato & Koyama (2018), eq. 3, with an unbounded inner product scaled by the square root of its length."""
    head = Head(6, 3, "projection", spectral_norm).double()
    h, y = torch.randn(4, 6, dtype=torch.float64), torch.tensor([0, 2, 1, 2])
    weight, bias, embed = head.linear.weight[0], head.linear.bias[0], head.embedding.weight
    expected = [h[i] @ weight + bias + (embed[y[i]] @ h[i]) / scale for i in range(4)]
    torch.testing.assert_close(head(h, y), torch.stack(expected))


def test_without_classes_the_head_is_linear() -> None:
    head, h = Head(6, 0, "none"), torch.randn(4, 6)
    assert [tuple(p.shape) for p in head.parameters()] == [(1, 6), (1,)]
    torch.testing.assert_close(head(h, None), linear(h, head.linear.weight, head.linear.bias)[:, 0])


def test_an_auxiliary_classifier_s_logits_come_after_the_adversarial_one() -> None:
    head, h = Head(6, 3, "auxiliary"), torch.randn(4, 6)
    logits = head(h, torch.tensor([0, 1, 2, 0]))
    torch.testing.assert_close(logits[:, :1], linear(h, head.linear.weight, head.linear.bias))
    torch.testing.assert_close(logits[:, 1:], linear(h, head.classes.weight, head.classes.bias))


def test_the_latent_is_joined_by_the_class_s_embedding() -> None:
    latent, z = LatentInput(3, 5), torch.randn(2, 3)
    joined = latent(z, torch.tensor([4, 0]))
    assert latent.features == 6
    assert torch.equal(joined[:, :3], z)
    assert torch.equal(joined[:, 3:], latent.embedding.weight[[4, 0]])
    assert torch.equal(LatentInput(3, 0)(z, None), z)


def normal(h: torch.Tensor) -> torch.Tensor:
    """Batch normalisation without gain and bias (Ioffe & Szegedy, 2015, algorithm 1)."""
    mean, variance = h.mean((0, 2, 3), keepdim=True), h.var((0, 2, 3), keepdim=True, correction=0)
    return (h - mean) / (variance + 1e-5).sqrt()


MAPS = torch.randn(4, 3, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 3 + 1
LABELS = torch.tensor([1, 0, 1, 2])


def test_each_class_has_its_own_gain_and_bias() -> None:
    norm = ConditionalBatchNorm2d(3, 3).double()
    torch.testing.assert_close(norm(MAPS, LABELS), normal(MAPS))  # as it starts
    for parameter in norm.parameters():
        torch.nn.init.normal_(parameter)
    expected = normal(MAPS)
    for i, y in enumerate(LABELS):
        for c in range(3):
            expected[i, c] = norm.gain.weight[y, c] * expected[i, c] + norm.bias.weight[y, c]
    torch.testing.assert_close(norm(MAPS, LABELS), expected)


def test_without_classes_it_is_batch_normalisation() -> None:
    norm = ConditionalBatchNorm2d(3, 0).double()
    torch.testing.assert_close(norm(MAPS, None), normal(MAPS))
    assert sorted(tuple(p.shape) for p in norm.parameters()) == [(3,), (3,)]


def test_gain_and_bias_are_linear_in_a_vector() -> None:
    norm, v = VectorBatchNorm2d(3, 2).double(), torch.randn(4, 2, dtype=torch.float64)
    gain, bias = 1 + v @ norm.gain.weight.T, v @ norm.bias.weight.T
    torch.testing.assert_close(norm(MAPS, v), gain[..., None, None] * normal(MAPS) + bias[..., None, None])


@pytest.mark.parametrize("conditional", [True, False])
def test_statistics_of_training_are_used_afterwards(conditional: bool) -> None:
    norm = ConditionalBatchNorm2d(3, 3 if conditional else 0).double()
    for _ in range(200):
        norm(MAPS, LABELS)
    n = MAPS.numel() / 3
    rescaled = normal(MAPS) * ((n - 1) / n) ** 0.5  # the running variance is the unbiased one
    torch.testing.assert_close(norm.eval()(MAPS, LABELS), rescaled, rtol=1e-5, atol=1e-5)
