"""The inputs of metrics: a metric's ``needs`` are names of properties here."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ganflow.config import components
from ganflow.config.schema import EvaluationConfig
from ganflow.data.prepared.dataset import Dataset, Images, Labels
from ganflow.distributed import collectives
from ganflow.evaluation.evidence.feature_store import FeatureStore
from ganflow.evaluation.evidence.samples import Samples
from ganflow.evaluation.extractors.classifier import ClassifierChoice, accuracy_of
from ganflow.evaluation.metrics import memorisation
from ganflow.evaluation.metrics.detection.scored import Detection
from ganflow.evaluation.metrics.features import Features
from ganflow.evaluation.metrics.restoration.pairs import Pairs
from ganflow.methods.generator import Generator

COLLECTIVE = ("fake", "real", "train", "test", "neighbours")  # all ranks make these together, so in one order


class MetricInputs:
    """Samples and what they are held against; each is made when it is first asked for."""

    def __init__(self, config: EvaluationConfig, features: FeatureStore, samples: Samples) -> None:
        self.config, self.features, self.samples = config, features, samples

    @cached_property
    def fake(self) -> Features:
        """Features of the samples, labelled with the classes asked for."""
        return self.features.samples(self.samples)

    @cached_property
    def real(self) -> Features:
        """Features of the reference split, labelled with the classes of the data."""
        return self.features.split(self.config.reference)

    @cached_property
    def train(self) -> Features:
        """Features of the split that generators are trained on."""
        return self.features.split("train")

    @cached_property
    def test(self) -> Features | None:
        """Features of the split held out from training; None where the data have none."""
        return self.features.split("test") if self.features.splits.test else None

    @cached_property
    def neighbours(self) -> tuple[Tensor, Tensor]:
        """Each sample's distance to the train split, and the nearest image; each rank looks for its share."""
        part = collectives.share(len(self.fake))
        mine = replace(self.fake, embeddings=self.fake.embeddings[part])
        ratios, rows = memorisation.nearest(mine, self.train)
        return collectives.gather_rows(ratios), collectives.gather_rows(rows)

    @property
    def pairs_wanted(self) -> bool:
        """True where samples beside the nearest train images are something to see, and cost no features of their own.

        Some samples alone are nothing to see; and features of the train split may be costly where nothing else asks.
        """
        asked_for = self.config.reference == "train" or "memorisation" in self.config.metrics
        return asked_for and self.features.splits.train.facts.signal.alone

    @property
    def classes(self) -> list[str]:
        """Names of the reference's classes."""
        return self.features.dataset(self.config.reference).classes

    @property
    def generator(self) -> Generator | None:
        """The generator of the samples; a metric that asks for it is left out where it is not known."""
        return self.samples.generator

    @property
    def pairs(self) -> Pairs | None:
        """Restored images beside the true ones; a metric that asks for it is left out where there are none."""
        return self.samples.pairs

    @property
    def detection(self) -> Detection | None:
        """Anomaly scores beside the truth; a metric that asks for it is left out where nothing was scored."""
        return self.samples.detection

    @property
    def extract(self) -> Callable[[Tensor], Features]:
        """Images (N, C, R, R), 0 to 255, to features."""
        return self.features.extractor

    @property
    def accuracy_of(self) -> Callable[..., float] | None:
        """Test accuracy of a classifier of its own, trained on ``"generated"`` images, ``"real"`` ones or both.

        None where images have no classes, or samples none that they were asked to be.
        """
        splits, labels = self.features.splits, self.samples.labels
        if labels is None or splits.test is None or splits.train.facts.num_classes < 2:
            return None
        return self._accuracy_of

    def _accuracy_of(self, *kinds: str) -> float:
        splits, node = self.features.splits, self.config.extractor
        assert splits.test is not None
        classifier = (
            components.build("extractor", node, "evaluation.extractor") if node["name"] == "classifier" else None
        )
        pool = Pool([self._images(kind) for kind in kinds], splits.train)
        return accuracy_of(pool, splits.test, classifier or ClassifierChoice(), self.features.device)

    def _images(self, kind: str) -> tuple[Images, Labels]:
        train = self.features.splits.train
        if kind == "real":
            return train.images(np.arange(len(train))), np.asarray(train.labels)
        assert self.samples.labels is not None
        return self._generated, self.samples.labels.numpy()

    @cached_property
    def _generated(self) -> Images:
        batch, n = self.config.batch, len(self.samples)
        return np.concatenate([self.samples.images(at, min(batch, n - at)).cpu().numpy() for at in range(0, n, batch)])

    def prepare(self, names: Iterable[str]) -> None:
        """Make the inputs of these names as far as all ranks have to make them together."""
        needed = set(names)
        for name in COLLECTIVE:
            if name in needed:
                getattr(self, name)


class Pool:
    """Labelled images of several origins as one training set."""

    def __init__(self, parts: list[tuple[Images, Labels]], like: Dataset) -> None:
        self._images = np.concatenate([images for images, _ in parts])
        self.labels = np.concatenate([labels for _, labels in parts])
        self.facts, self.digest = like.facts, ""

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, indices: NDArray[np.int64]) -> Images:
        """uint8 (B, C, R, R)."""
        return self._images[indices]
