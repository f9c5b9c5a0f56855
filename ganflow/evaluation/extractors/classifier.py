"""The data set's own extractor: a small classifier that is trained on its train split.

Its features say how far samples are from *this* data, where an Inception network trained on photographs says little
of 8×8 digits. Data without labels get a classifier of four rotations instead (Gidaris et al., 2018).
"""

import contextlib
import hashlib
import io
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ganflow.atomic_files import write_whole
from ganflow.config.components import component
from ganflow.data.prepared.dataset import Facts, Images, Labels
from ganflow.data.prepared.row_array import Rows
from ganflow.distributed import collectives, rng
from ganflow.errors import require
from ganflow.evaluation.extractors.base import Extractor, Splits
from ganflow.evaluation.extractors.stacked import Channels, PerChannel
from ganflow.evaluation.metrics.features import Features
from ganflow.terminal.progress import Advanced, unheard

CPU = torch.device("cpu")
BATCH = 64
ROTATIONS = 4
TOLD_EVERY = 20  # batches of training


class Data(Protocol):
    """Images with labels, by index: a split, its channels, or samples."""

    facts: Facts
    digest: str

    @property
    def labels(self) -> Labels | Rows:
        """int64 (N,)."""

    def __len__(self) -> int: ...

    def images(self, indices: NDArray[np.int64]) -> Images:
        """uint8 (B, C, H, W)."""


@component("extractor", "classifier")
@dataclass(frozen=True)
class ClassifierChoice:
    """Trained for ``kimg`` thousand images, with ``width`` to twice as many maps; once, then it is kept."""

    signals: ClassVar[tuple[str, ...]] = ("image",)

    width: int = 32
    kimg: float = 30.0

    def __post_init__(self) -> None:
        require(self.width > 0, "width", self.width, "must be more than 0")
        require(self.kimg > 0, "kimg", self.kimg, "must be more than 0")

    def build(
        self, splits: Splits, cache: Path, device: torch.device, listener: Callable[[Advanced], None] = unheard
    ) -> Extractor:
        """A classifier of the images, of stacked images one of single channels; rank 0 trains it if it is not kept."""
        train, test = splits.train, splits.test
        if train.facts.signal.separate_channels:
            return PerChannel(self._ready(Channels(train), test and Channels(test), cache, device, listener))
        return self._ready(train, test, cache, device, listener)

    def _ready(
        self, train: Data, test: Data | None, cache: Path, device: torch.device, listener: Callable[[Advanced], None]
    ) -> "Classifier":
        path = _kept(train, self, cache)

        def of_rank_0() -> bytes:
            load_or_train(train, test, self, cache, device, listener)
            return path.read_bytes()

        made = collectives.from_rank_0(of_rank_0)  # on another machine one might be kept that was trained there
        if not path.is_file() or path.read_bytes() != made:
            write_whole(path, made)
        return load_or_train(train, test, self, cache, device)


class Network(nn.Module):
    """Three convolutions with batch normalisation, the shorter side strided to 4 or so, then the mean of each map."""

    def __init__(self, channels: int, side: int, classes: int, width: int) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        before = channels
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
        """Features of images (N, C, H, W), 0 to 255."""
        embeddings = self.network.features(_normalise(images.to(_device(self.network))))
        logits: Tensor = self.network.head(embeddings)
        return Features(embeddings, logits if self.supervised else logits[:, :0])


def _kept(train: Data, choice: ClassifierChoice, cache: Path) -> Path:
    code = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    what = f"{train.digest}/{choice.width}/{choice.kimg}/{code}/{torch.__version__}"
    return cache / f"classifier-{hashlib.sha256(what.encode()).hexdigest()[:12]}.pt"


def load_or_train(
    train: Data,
    test: Data | None,
    choice: ClassifierChoice,
    cache: Path,
    device: torch.device = CPU,
    listener: Callable[[Advanced], None] = unheard,
) -> Classifier:
    """The extractor of a data set, trained once per (data, options, this file) and kept under ``cache``.

    Its name is of its weights: those that another machine trains may differ, and then figures do not compare.
    """
    path = _kept(train, choice, cache)
    network = _fresh(train, choice).to(device)
    accuracy = _recall(network, path) if path.exists() else None
    if accuracy is None:
        network = _fresh(train, choice).to(device)
        _fit(network, train, choice, listener)
        accuracy = _accuracy(network, test or train)
        stream = io.BytesIO()
        torch.save({"weights": network.state_dict(), "accuracy": accuracy}, stream)
        write_whole(path, stream.getvalue())
    network.eval().requires_grad_(False)
    return Classifier(network, f"classifier-{_digest(network)}", accuracy, train.facts.num_classes > 1)


def _recall(network: nn.Module, path: Path) -> float | None:
    """Give a network the weights that are kept; its accuracy. None: the file is damaged, or holds something else."""
    try:
        saved = torch.load(path, map_location=_device(network), weights_only=True)
        network.load_state_dict(saved["weights"])
        return float(saved["accuracy"])
    except Exception as error:  # what a damaged file raises has no common base
        warnings.warn(f"{path} is not a valid extractor ({type(error).__name__}); training it anew", stacklevel=2)
        return None


def _digest(network: nn.Module) -> str:
    sha = hashlib.sha256()
    for tensor in network.state_dict().values():
        sha.update(tensor.cpu().numpy().tobytes())
    return sha.hexdigest()[:12]


def accuracy_of(train: Data, test: Data, choice: ClassifierChoice, device: torch.device = CPU) -> float:
    """Share of a test split that a new classifier of these training images recognises."""
    network = _fresh(train, choice).to(device)
    _fit(network, train, choice)
    return _accuracy(network, test)


def _fresh(data: Data, choice: ClassifierChoice) -> Network:
    facts = data.facts
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rng.derive("classifier"))
        return Network(facts.channels, min(facts.shape[1:]), _classes(data), choice.width)


def _classes(data: Data) -> int:
    return data.facts.num_classes if data.facts.num_classes > 1 else ROTATIONS


def _fit(
    network: Network, data: Data, choice: ClassifierChoice, listener: Callable[[Advanced], None] = unheard
) -> None:
    steps = max(1, round(choice.kimg * 1000 / BATCH))
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps)
    device = _device(network)
    network.train()
    with _one_thread():
        for step in range(steps):
            images, labels = _batch(data, rng.sample_order(0, step * BATCH, BATCH, len(data)), step * BATCH)
            loss = cross_entropy(network.head(network.features(images.to(device))), labels.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if (step + 1) % TOLD_EVERY == 0 or step + 1 == steps:
                listener(Advanced("extractor", (step % TOLD_EVERY + 1) * BATCH, steps * BATCH))


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Several add in another order, and the same data would get other features wherever the threads are not as many."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device


def _accuracy(network: Network, data: Data) -> float:
    network.eval()
    device, right = _device(network), 0
    with torch.inference_mode():
        for rows in np.array_split(np.arange(len(data)), -(-len(data) // 500)):
            images, labels = _batch(data, rows, int(rows[0]))
            right += int((network.head(network.features(images.to(device))).argmax(1).cpu() == labels).sum())
    return right / len(data)


def _batch(data: Data, rows: rng.Indices, first: int) -> tuple[Tensor, Tensor]:
    images = _normalise(torch.from_numpy(data.images(rows)))
    if data.facts.num_classes > 1:
        return images, torch.from_numpy(data.labels[rows])
    turns = torch.from_numpy(rng.integers(0, "rotation", first, len(rows), ROTATIONS))
    squares = _centre_squares(images)
    rotated = [torch.rot90(image, int(k), (1, 2)) for image, k in zip(squares, turns, strict=True)]
    return torch.stack(rotated), turns


def _centre_squares(images: Tensor) -> Tensor:
    """The parts of images that stay within them, however they are turned."""
    height, width = images.shape[2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return images[:, :, top : top + side, left : left + side]


def _normalise(images: Tensor) -> Tensor:
    return images.float() / 127.5 - 1.0
