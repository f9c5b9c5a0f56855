"""∇D: what the penalties on a discriminator's slope share."""

import torch
from torch import Tensor

from ganflow.methods.regularizers.base import Discriminator


def gradient(logits: Tensor, images: Tensor) -> Tensor:
    """``∇D`` at each image, one row per image (N, C·H·W); its own graph reaches D's weights."""
    (slope,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return slope.flatten(1)


def norms(D: Discriminator, images: Tensor, labels: Tensor | None) -> Tensor:
    """``‖∇D‖₂`` at each of these images (N,), which get a graph of their own."""
    at = images.detach().requires_grad_()
    # Not the root of a sum of squares: its derivative is infinite where D is flat.
    lengths: Tensor = torch.linalg.vector_norm(gradient(D(at, labels), at), dim=1)
    return lengths
