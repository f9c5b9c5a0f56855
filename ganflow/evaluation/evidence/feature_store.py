"""Features of samples and of splits; those of a split are kept for every later evaluation."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganflow.atomic_files import write_whole
from ganflow.data.prepared.dataset import Dataset
from ganflow.distributed import collectives
from ganflow.evaluation.evidence.samples import Samples
from ganflow.evaluation.extractors.base import Extractor, Splits
from ganflow.evaluation.metrics.features import Features
from ganflow.terminal.progress import Advanced, unheard

FORMAT = 1  # of the kept files


@dataclass
class FeatureStore:
    """The features of images by one extractor. All ranks call it together; each passes on its share."""

    splits: Splits
    extractor: Extractor
    cache: Path  # where the splits' features are kept
    batch: int
    device: torch.device
    listener: Callable[[Advanced], None] = unheard
    _splits: dict[str, Features] = field(default_factory=dict)

    def samples(self, samples: Samples) -> Features:
        """Features of all samples on every rank; each draws its share."""
        part, size = collectives.share(len(samples)), self.batch
        batches = []
        # A rank without a sample of its own still has to say what shape nothing has.
        for first in range(part.start, part.stop, size) or [part.start]:
            count = min(size, part.stop - first)
            batches.append(self.extractor(samples.images(first, count).to(self.device)))
            self.listener(Advanced("samples", count, len(samples)))
        return gathered(batches, samples.labels)

    def dataset(self, split: str) -> Dataset:
        """The images of a split, ``train`` or ``test``, which the data must have."""
        data = self.splits.train if split == "train" else self.splits.test
        assert data is not None
        return data

    def split(self, split: str) -> Features:
        """Features of a whole split, once; of an earlier evaluation where they were kept."""
        if split not in self._splits:
            data = self.dataset(split)

            def advance(count: int) -> None:
                self.listener(Advanced(f"{split} images", count, len(data)))

            features = split_features(data, self.extractor, self.batch, self.cache, advance)
            self._splits[split] = features.to(self.device)
        return self._splits[split]


def split_features(
    data: Dataset, extractor: Extractor, batch: int, cache: Path, advance: Callable[[int], None]
) -> Features:
    """Features of a whole split in its order, on every rank; all ranks call it together.

    They are kept under ``cache`` by the data's digest, split, extractor and versions. A damaged file is made anew.
    """
    features = _read(_path(data, extractor, cache))
    if not all(collectives.gather_objects(features is not None)):  # another machine may not see rank 0's cache
        features = extract(data, extractor, batch, advance)
        if collectives.rank() == 0:
            _write(features, _path(data, extractor, cache))
    assert features is not None
    return features


def extract(data: Dataset, extractor: Extractor, batch: int, advance: Callable[[int], None]) -> Features:
    """Each rank's share of the split through the extractor, gathered."""
    part = collectives.share(len(data))
    rows = np.arange(part.start, part.stop)
    batches = []
    for chunk in np.array_split(rows, max(1, -(-len(rows) // batch))):
        batches.append(extractor(torch.from_numpy(data.images(chunk))))
        advance(len(chunk))
    return gathered(batches, torch.from_numpy(np.asarray(data.labels)) if data.facts.num_classes > 1 else None)


def gathered(batches: list[Features], labels: Tensor | None) -> Features:
    """This rank's batches after those of the ranks before it; the labels are those of all."""

    def whole(parts: list[Tensor]) -> Tensor:
        return collectives.gather_rows(torch.cat(parts))

    distances = [b.distances for b in batches if b.distances is not None]
    embeddings = whole([b.embeddings for b in batches])
    return Features(
        embeddings,
        whole([b.logits for b in batches]),
        whole(distances) if distances else None,
        None if labels is None else labels.to(embeddings.device),
        batches[0].own_classes,
    )


def _path(data: Dataset, extractor: Extractor, cache: Path) -> Path:
    what = f"{FORMAT}/{data.digest}/{data.split}/{extractor.name}/{torch.__version__}"
    return cache / f"reference-{hashlib.sha256(what.encode()).hexdigest()[:12]}.safetensors"


def _read(path: Path) -> Features | None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError):
        return None
    own_classes = bool(tensors.pop("own_classes"))
    return Features(**tensors, own_classes=own_classes)


def _write(features: Features, path: Path) -> None:
    from safetensors.torch import save

    values = {field.name: getattr(features, field.name) for field in fields(features)}
    tensors = {name: value.cpu().contiguous() for name, value in values.items() if isinstance(value, Tensor)}
    tensors["own_classes"] = torch.tensor(features.own_classes)
    write_whole(path, save(tensors))
