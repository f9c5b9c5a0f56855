"""Backbones without their weights: random ones that keep activations sane, in files by torchvision's names."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ganflow.methods.perception.backbones import Backbone


def random_backbone(network: Backbone) -> Backbone:
    """The same with weights as He et al. (2015) scale them, and biases around 0."""
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for layer in network.features:
            if isinstance(layer, nn.Conv2d):
                deviation = (2 / layer.weight[0].numel()) ** 0.5
                layer.weight.copy_(deviation * torch.randn(layer.weight.shape, generator=random))
                layer.bias.copy_(0.1 * torch.randn(layer.bias.shape, generator=random))  # type: ignore[union-attr]
    return network.eval().requires_grad_(False)


def weights_file(network: Backbone, path: Path) -> Path:
    """A file as torchvision's, with the classes' layers that come after the convolutions."""
    classes: dict[str, Tensor] = {"classifier.0.weight": torch.zeros(2, 3), "classifier.0.bias": torch.zeros(2)}
    state = {**network.state_dict(), **classes}
    save_file(state, path) if path.suffix == ".safetensors" else torch.save(state, path)
    return path
