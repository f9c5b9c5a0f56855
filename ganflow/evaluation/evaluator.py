"""The protocol: which samples, which reference, which extractor; the figures never go without it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganflow import component, distributed, draws
from ganflow.data.dataset import Dataset
from ganflow.evaluation.extractor import Extractor
from ganflow.generator import Generator
from ganflow.metrics.features import Features
from ganflow.schema import EvaluationConfig

SEED = 0  # of the samples: every model is measured on the same latents


@dataclass(frozen=True)
class ClassShare:
    """Share of images that the extractor recognises as one class."""

    name: str
    generated: float
    reference: float


@dataclass
class Evaluator:
    """Measures generators against one reference. All ranks call it together; each makes its share of the samples."""

    config: EvaluationConfig
    reference: Dataset
    extractor: Extractor

    def __post_init__(self) -> None:
        self._real: Features | None = None

    def measure(self, generator: Generator, samples: int, names: Sequence[str] | None = None) -> dict[str, float]:
        """Figures of the chosen metrics (all of the configuration's by default), by name, on every rank."""
        return self.figures(self.features(generator, samples), names)

    def figures(self, fake: Features, names: Sequence[str] | None = None) -> dict[str, float]:
        """Figures of samples whose features are known."""
        real = self.reference_features()
        figures: dict[str, float] = {}
        for name, node in self.config.metrics.items():
            if names is None or name in names:
                metric = component.build("metric", node, f"evaluation.metrics.{name}")
                figures |= metric(fake, real)
        return figures

    def protocol(self, samples: int) -> dict[str, Any]:
        """What stands beside every figure."""
        return {
            "samples": samples,
            "reference": self.config.reference,
            "reference_samples": len(self.reference),
            "extractor": self.extractor.name,
            "extractor_accuracy": self.extractor.accuracy,
            "seed": SEED,
        }

    def class_shares(self, fake: Features) -> list[ClassShare]:
        """How often samples and reference are recognised as each class; empty where the extractor knows none."""
        if not fake.classes:
            return []
        both = (fake, self.reference_features())
        shares = [(f.recognised.bincount(minlength=fake.classes) / len(f)).tolist() for f in both]
        return [ClassShare(*row) for row in zip(self.reference.classes, *shares, strict=True)]

    def features(self, generator: Generator, samples: int) -> Features:
        """Features of samples 0 … samples − 1, with the reference's own mix of classes."""
        labels = self._labels(generator, samples)
        part = distributed.share(samples)
        batches = []
        # A rank without a sample of its own still has to say what shape nothing has.
        for first in range(part.start, part.stop, self.config.batch) or [part.start]:
            count = min(self.config.batch, part.stop - first)
            chosen = None if labels is None else labels[first : first + count]
            batches.append(self.extractor(generator.images(SEED, first, count, chosen)))
        return _gather(batches)

    def reference_features(self) -> Features:
        """Features of the whole reference split, once."""
        if self._real is None:
            part = distributed.share(len(self.reference))
            rows = np.arange(part.start, part.stop)
            chunks = np.array_split(rows, max(1, -(-len(rows) // self.config.batch)))
            self._real = _gather([self.extractor(torch.from_numpy(self.reference.images(c))) for c in chunks])
        return self._real

    def _labels(self, generator: Generator, samples: int) -> Tensor | None:
        if not generator.spec.num_classes:
            return None
        rows = draws.integers(SEED, "evaluation-label", 0, samples, len(self.reference))
        return torch.from_numpy(self.reference.labels[rows])


def _gather(batches: list[Features]) -> Features:
    def whole(parts: list[Tensor]) -> Tensor:
        return distributed.gather_rows(torch.cat(parts))

    distances = [b.distances for b in batches if b.distances is not None]
    return Features(
        whole([b.embeddings for b in batches]),
        whole([b.logits for b in batches]),
        whole(distances) if distances else None,
    )
