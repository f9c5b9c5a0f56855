"""How a class label enters a network."""

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


class ProjectionHead(nn.Module):
    """The projection discriminator's last layer, ``ψ(h) + ⟨embed(y), h⟩`` (Miyato & Koyama, 2018, eq. 3).

    Without classes it is the linear layer ψ alone: (N, features) → (N,).
    """

    def __init__(self, features: int, num_classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1)
        self.embedding = nn.Embedding(num_classes, features) if num_classes else None

    def forward(self, h: Tensor, labels: Tensor | None) -> Tensor:
        logits: Tensor = self.linear(h).squeeze(1)
        if self.embedding is None:
            return logits
        matched: Tensor = (self.embedding(labels) * h).sum(1)
        return logits + matched / math.sqrt(h.shape[1])
