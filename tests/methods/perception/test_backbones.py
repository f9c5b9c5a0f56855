"""The networks layer by layer, as torchvision's source lists them."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, max_pool2d, relu

from ganflow.errors import ConfigError
from ganflow.methods.perception.backbones import Backbone, Frozen, alexnet, index_of, standardised, vgg
from tests.support.backbones import random_backbone

# torchvision/models/vgg.py, configurations D and E; a number is a convolution, M a pooling.
VGG16 = "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M"
VGG19 = "64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512 M"
# The last convolution of each block, in torchvision's numbers: SRGAN's layer conv5_4 of VGG19 is features.34.
LAST = {"vgg16": {"conv1_2": 2, "conv2_2": 7, "conv3_3": 14, "conv4_3": 21, "conv5_3": 28},
        "vgg19": {"conv1_2": 2, "conv2_2": 7, "conv3_4": 16, "conv4_4": 25, "conv5_4": 34}}  # fmt: skip


def images(channels: int = 3) -> Tensor:
    return torch.rand(2, channels, 40, 35, generator=torch.Generator().manual_seed(channels)) * 2 - 1


@pytest.mark.parametrize(("name", "plan"), [("vgg16", VGG16), ("vgg19", VGG19)])
def test_vgg_is_torchvision_s_configuration(name: str, plan: str) -> None:
    with torch.device("meta"):
        network = vgg(name)
    layers = iter(network.features)
    before = 3
    for step in plan.split():
        layer = next(layers)
        if step == "M":
            assert isinstance(layer, nn.MaxPool2d)
            assert (layer.kernel_size, layer.stride, layer.padding) == (2, 2, 0)
            continue
        assert isinstance(layer, nn.Conv2d)
        assert (layer.in_channels, layer.out_channels, layer.kernel_size, layer.padding) == (
            before,
            int(step),
            (3, 3),
            (1, 1),
        )
        assert isinstance(next(layers), nn.ReLU)
        before = int(step)
    assert next(layers, None) is None
    for layer_name, index in LAST[name].items():
        assert index_of(name, layer_name, before_activation=True) == index
        assert isinstance(network.features[index], nn.Conv2d)
        assert isinstance(network.features[index_of(name, layer_name, before_activation=False)], nn.ReLU)


def test_the_number_of_weights_is_that_of_the_published_files() -> None:
    """Of torchvision's models without the layers of their classes."""
    with torch.device("meta"):
        made = {"vgg16": vgg("vgg16"), "vgg19": vgg("vgg19"), "alexnet": alexnet()}
    counts = {name: sum(p.numel() for p in network.parameters()) for name, network in made.items()}
    assert counts == {"vgg16": 14_714_688, "vgg19": 20_024_384, "alexnet": 2_469_696}


def test_alexnet_is_its_convolutions_by_hand() -> None:
    network, x = random_backbone(alexnet()), images()
    w = network.state_dict()
    h = standardised(x)
    outputs = {}
    for index, stride, padding in ((0, 4, 2), (3, 1, 2), (6, 1, 1), (8, 1, 1), (10, 1, 1)):
        h = relu(conv2d(h, w[f"features.{index}.weight"], w[f"features.{index}.bias"], stride, padding))
        outputs[index + 1] = h
        h = max_pool2d(h, 3, 2) if index < 6 else h
    for made, index in zip(network(x, list(outputs)), outputs, strict=True):
        torch.testing.assert_close(made, outputs[index], rtol=1e-5, atol=1e-5)


def test_outputs_are_those_asked_for_and_no_layer_runs_after_the_last() -> None:
    network, ran = random_backbone(vgg("vgg16")), []
    for index, layer in enumerate(network.features):
        layer.register_forward_hook(lambda _, __, ___, index=index: ran.append(index))
    before, after = network(images(), [2, 3])
    assert ran == [0, 1, 2, 3]
    assert before.min() < 0
    assert torch.equal(after, before.relu())


def test_images_are_standardised_by_imagenet_s_colours() -> None:
    mean, deviation = (torch.tensor(of)[:, None, None] for of in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    torch.testing.assert_close(standardised(images()), ((images() + 1) / 2 - mean) / deviation, rtol=1e-5, atol=1e-5)
    grey = images(1)
    assert torch.equal(standardised(grey), standardised(grey.repeat(1, 3, 1, 1)))


def test_a_layer_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"layers=conv5_4: vgg16 has conv1_1, conv1_2, .*, conv5_3"):
        index_of("vgg16", "conv5_4", True)


def test_frozen_has_no_gradient_of_its_own_and_computes_in_float32() -> None:
    frozen = Frozen(random_backbone(Backbone([nn.Conv2d(3, 4, 3), nn.ReLU()])))
    assert not isinstance(frozen, nn.Module)
    x = images().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        (made,) = frozen(x, [1])
    assert made.dtype == torch.float32
    torch.testing.assert_close(made, frozen(x, [1])[0], rtol=0, atol=0)
    made.sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in frozen.network.parameters())
