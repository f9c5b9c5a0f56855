import torch

from ganflow.networks.conditioning import LatentInput, ProjectionHead


def test_the_projection_is_that_of_the_paper() -> None:
    """Miyato & Koyama (2018), eq. 3, with the inner product scaled by the square root of its length."""
    head = ProjectionHead(6, 3).double()
    h, y = torch.randn(4, 6, dtype=torch.float64), torch.tensor([0, 2, 1, 2])
    weight, bias, embed = head.linear.weight[0], head.linear.bias[0], head.embedding.weight
    expected = [h[i] @ weight + bias + (embed[y[i]] @ h[i]) / 6**0.5 for i in range(4)]
    torch.testing.assert_close(head(h, y), torch.stack(expected))


def test_without_classes_the_head_is_linear() -> None:
    head = ProjectionHead(6, 0)
    assert head.embedding is None
    h = torch.randn(4, 6)
    torch.testing.assert_close(head(h, None), torch.nn.functional.linear(h, head.linear.weight, head.linear.bias)[:, 0])


def test_the_latent_is_joined_by_the_class_s_embedding() -> None:
    latent, z = LatentInput(3, 5), torch.randn(2, 3)
    joined = latent(z, torch.tensor([4, 0]))
    assert latent.features == 6
    assert torch.equal(joined[:, :3], z)
    assert torch.equal(joined[:, 3:], latent.embedding.weight[[4, 0]])
    assert torch.equal(LatentInput(3, 0)(z, None), z)
