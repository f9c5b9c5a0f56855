"""The extractor of the data set's own: a small classifier that is trained on its train split.

Its features say how far samples are from *this* data, where an Inception network trained on photographs says little
of 8×8 digits. Data without labels get a classifier of four rotations instead (Gidaris et al., 2018).
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ganflow import draws
from ganflow.data.dataset import Dataset
from ganflow.evaluation.stacked import Channels
from ganflow.metrics.features import Features
from ganflow.schema import ClassifierConfig

Data = Dataset | Channels

BATCH = 64
ROTATIONS = 4


class Network(nn.Module):
    """Three convolutions with batch normalisation, strided down to 4×4 or so, then the mean of each map."""

    def __init__(self, channels: int, resolution: int, classes: int, width: int) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        before, side = channels, resolution
        for after in (width, 2 * width, 2 * width):
            stride = 2 if side > 4 else 1
            blocks += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
            before, side = after, -(-side // stride)
        self.features = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(before, classes)


@dataclass(frozen=True)
class Classifier:
    """A trained classifier as an extractor."""

    network: Network
    name: str  # says what it was trained on, and how
    accuracy: float  # on the test split; on the train split where there is none
    supervised: bool  # by the data's own classes

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Features:
        """Features of uint8 images (N, C, R, R)."""
        device = next(self.network.parameters()).device
        embeddings = self.network.features(_normalise(images.to(device)))
        logits: Tensor = self.network.head(embeddings)
        return Features(embeddings, logits if self.supervised else logits[:, :0])


def load_or_train(train: Data, test: Data | None, config: ClassifierConfig, cache: Path) -> Classifier:
    """The extractor of a data set, trained once per (data, options, this file) and kept under ``cache``."""
    own = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    key = hashlib.sha256(f"{train.digest}/{config.width}/{config.kimg}/{own}/{torch.__version__}".encode()).hexdigest()[
        :12
    ]
    path = cache / f"classifier-{key}.pt"
    network = _fresh(train, config)
    if path.exists():
        saved = torch.load(path, weights_only=True)
        network.load_state_dict(saved["weights"])
        accuracy = float(saved["accuracy"])
    else:
        _fit(network, train, config)
        accuracy = _accuracy(network, test or train)
        _write_whole({"weights": network.state_dict(), "accuracy": accuracy}, path)
    network.eval().requires_grad_(False)
    return Classifier(network, f"classifier-{key}", accuracy, train.facts.num_classes > 1)


def _write_whole(saved: dict[str, object], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.partial")
    torch.save(saved, unfinished)
    unfinished.rename(path)


def _fresh(data: Data, config: ClassifierConfig) -> Network:
    facts = data.facts
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(draws.derive("classifier"))
        return Network(facts.channels, facts.resolution, _classes(data), config.width)


def _classes(data: Data) -> int:
    return data.facts.num_classes if data.facts.num_classes > 1 else ROTATIONS


def _fit(network: Network, data: Data, config: ClassifierConfig) -> None:
    steps = max(1, round(config.kimg * 1000 / BATCH))
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps)
    network.train()
    for step in range(steps):
        images, labels = _batch(data, draws.sample_order(0, step * BATCH, BATCH, len(data)), step * BATCH)
        loss = cross_entropy(network.head(network.features(images)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def _accuracy(network: Network, data: Data) -> float:
    network.eval()
    right = 0
    with torch.inference_mode():
        for rows in np.array_split(np.arange(len(data)), -(-len(data) // 500)):
            images, labels = _batch(data, rows, int(rows[0]))
            right += int((network.head(network.features(images)).argmax(1) == labels).sum())
    return right / len(data)


def _batch(data: Data, rows: draws.Indices, first: int) -> tuple[Tensor, Tensor]:
    images = _normalise(torch.from_numpy(data.images(rows)))
    if data.facts.num_classes > 1:
        return images, torch.from_numpy(data.labels[rows])
    turns = torch.from_numpy(draws.integers(0, "rotation", first, len(rows), ROTATIONS))
    rotated = [torch.rot90(image, int(k), (1, 2)) for image, k in zip(images, turns, strict=True)]
    return torch.stack(rotated), turns


def _normalise(images: Tensor) -> Tensor:
    return images.float() / 127.5 - 1.0
