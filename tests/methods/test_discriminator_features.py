"""An output of a discriminator depends on the image by its features alone."""

from itertools import product

import pytest
import torch
from torch import Tensor, nn

from ganflow.methods.discriminator_features import features, kept_features
from ganflow.methods.networks.base import Discriminator
from tests.methods.networks.test_every_network import ALONE, CLASSES, DISCRIMINATORS, build, labels, moved, sides

KINDS = list(product(DISCRIMINATORS, CLASSES))
DENSE_AT_LAST = ("r3gan", "stylegan2")  # and the class is matched with its outputs


def made(name: str, conditioning: str) -> Discriminator:
    D = moved(build("discriminator", name, sides(name)[0], 3, conditioning, **ALONE.get(name, {})))
    assert isinstance(D, Discriminator)
    return D.eval()


def images(name: str) -> Tensor:
    return torch.randn(4, 3, sides(name)[0], sides(name)[0])


@pytest.mark.parametrize(("name", "conditioning"), KINDS)
def test_heads_make_the_output_of_the_features(name: str, conditioning: str) -> None:
    D, y = made(name, conditioning), labels(4, conditioning)
    output, of_heads = features(D, images(name), y)
    assert len(of_heads) == len(D.heads) == (2 if name == "multi_scale" else 1)
    replaced = [
        head.register_forward_pre_hook(lambda _, inputs, h=h: (h, *inputs[1:]))
        for head, h in zip(D.heads, of_heads, strict=True)
    ]
    others = images(name)
    assert torch.equal(D(others, y), output)
    for hook in replaced:
        hook.remove()
    assert not torch.equal(D(others, y), output)


@pytest.mark.parametrize(("name", "conditioning"), [kind for kind in KINDS if kind[0] not in DENSE_AT_LAST])
def test_a_head_of_the_features_is_the_output(name: str, conditioning: str) -> None:
    D, y = made(name, conditioning), labels(4, conditioning)
    output, of_heads = features(D, images(name), y)
    logits = [head(h, y) for head, h in zip(D.heads, of_heads, strict=True)]
    whole = torch.cat([part.flatten(2) for part in logits], 2) if name == "multi_scale" else logits[0]
    torch.testing.assert_close(whole, output)


@pytest.mark.parametrize("name", DENSE_AT_LAST)
def test_a_dense_layer_of_the_features_is_the_output(name: str) -> None:
    D = made(name, "none")
    output, of_heads = features(D, images(name), None)
    logits = [head(h).squeeze(1) for head, h in zip(D.heads, of_heads, strict=True)]
    torch.testing.assert_close(logits, [output])


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_gradients_pass_through_features(name: str) -> None:
    D, x = made(name, "none"), images(name).requires_grad_()
    _, of_heads = features(D, x, None)
    sum(h.square().sum() for h in of_heads).backward()  # type: ignore[union-attr]
    assert x.grad is not None
    assert (x.grad.flatten(1).abs().sum(1) > 0).all()


def test_every_forward_in_the_block_is_kept_and_none_after_it() -> None:
    D, x = made("dcgan", "none"), images("dcgan")
    with kept_features(nn.Sequential(D)) as of_heads:
        D(x)
        D(x[:2])
    D(x)
    assert [len(h) for h in of_heads] == [4, 2]
    with pytest.raises(ZeroDivisionError), kept_features(D):
        raise ZeroDivisionError
    assert not D.heads[0]._forward_pre_hooks


def test_something_else_is_refused() -> None:
    with pytest.raises(TypeError, match="Linear is not a Discriminator"), kept_features(nn.Linear(2, 1)):
        pass
