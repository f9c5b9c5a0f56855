"""Class labels on their way into a network."""

import math

import torch
from torch import Tensor, nn


class LatentInput(nn.Module):
    """z, joined by a learned embedding of the class (Mirza & Osindero, 2014): (N, latent_dim) → (N, features)."""

    def __init__(self, latent_dim: int, num_classes: int) -> None:
        super().__init__()
        self.features = latent_dim * (2 if num_classes else 1)
        self.embedding = nn.Embedding(num_classes, latent_dim) if num_classes else None

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        return z if self.embedding is None else torch.cat([z, self.embedding(labels)], dim=1)


class Head(nn.Module):
    """A discriminator's last layer, from features (N, features) to logits by ``conditioning``.

    - ``none``: a linear layer ψ, (N,).
    - ``projection``: ``ψ(h) + ⟨embed(y), h⟩`` (Miyato & Koyama, 2018, eq. 3), (N,). The inner product is scaled by the
      square root of its length, unless spectral normalisation is to bound the embedding, which does the same.
    - ``auxiliary``: beside ψ in column 0 the logits of a classifier (Odena et al., 2017), (N, 1 + num_classes).
    """

    def __init__(
        self, features: int, num_classes: int, conditioning: str, spectral_norm: bool = False, bias: bool = True
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1, bias=bias)
        self.embedding = nn.Embedding(num_classes, features) if conditioning == "projection" else None
        self.classes = nn.Linear(features, num_classes) if conditioning == "auxiliary" else None
        self.scale = 1.0 if spectral_norm else math.sqrt(features)

    def forward(self, h: Tensor, labels: Tensor | None) -> Tensor:
        logits: Tensor = self.linear(h)
        if self.classes is not None:
            return torch.cat([logits, self.classes(h)], dim=1)
        logits = logits.squeeze(1)
        if self.embedding is None:
            return logits
        matched: Tensor = (self.embedding(labels) * h).sum(1)
        return logits + matched / self.scale


class MapHead(nn.Module):
    """The last layer of a discriminator of an image's parts, from a map (N, features, H, W) to maps of logits.

    As :class:`Head` by ``conditioning``: ``none`` and ``projection`` give (N, 1, H', W'), ``auxiliary`` has
    those of the classes beside it, (N, 1 + num_classes, H', W'). A class is matched with the mean of the
    features that a logit sees.
    """

    def __init__(
        self, features: int, num_classes: int, conditioning: str, kernel: int, spectral_norm: bool = False
    ) -> None:
        super().__init__()
        self.linear = nn.Conv2d(features, 1, kernel, 1, 1)
        self.embedding = nn.Embedding(num_classes, features) if conditioning == "projection" else None
        self.classes = nn.Conv2d(features, num_classes, kernel, 1, 1) if conditioning == "auxiliary" else None
        self.seen = nn.AvgPool2d(kernel, 1, 1)
        self.scale = 1.0 if spectral_norm else math.sqrt(features)

    def forward(self, h: Tensor, labels: Tensor | None) -> Tensor:
        logits: Tensor = self.linear(h)
        if self.classes is not None:
            return torch.cat([logits, self.classes(h)], dim=1)
        if self.embedding is None:
            return logits
        matched: Tensor = self.seen((self.embedding(labels)[:, :, None, None] * h).sum(1, keepdim=True))
        return logits + matched / self.scale


class ConditionalBatchNorm2d(nn.Module):
    """Batch normalisation with a gain and a bias of each class (Dumoulin et al., 2017): (N, features, H, W), labels.

    Without classes it is batch normalisation with one gain and one bias.
    """

    def __init__(self, features: int, num_classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(features, affine=num_classes == 0)
        self.gain = nn.Embedding(num_classes, features) if num_classes else None
        self.bias = nn.Embedding(num_classes, features) if num_classes else None
        if self.gain is not None and self.bias is not None:
            nn.init.ones_(self.gain.weight)
            nn.init.zeros_(self.bias.weight)

    def forward(self, h: Tensor, labels: Tensor | None) -> Tensor:
        normal: Tensor = self.norm(h)
        if self.gain is None or self.bias is None:
            return normal
        gain, bias = self.gain(labels), self.bias(labels)
        modulated: Tensor = gain[:, :, None, None] * normal + bias[:, :, None, None]
        return modulated


class VectorBatchNorm2d(nn.Module):
    """Batch normalisation of gain ``1 + Av`` and bias ``Bv`` (Brock et al., 2019): (N, features, H, W), v (N, size)."""

    def __init__(self, features: int, size: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(features, affine=False)
        self.gain = nn.Linear(size, features, bias=False)
        self.bias = nn.Linear(size, features, bias=False)

    def forward(self, h: Tensor, vector: Tensor) -> Tensor:
        gain, bias = 1 + self.gain(vector), self.bias(vector)
        modulated: Tensor = gain[:, :, None, None] * self.norm(h) + bias[:, :, None, None]
        return modulated
