"""The protocol: which samples, which reference, which extractor; the figures never go without it."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from ganflow.config import components
from ganflow.config.schema import EvaluationConfig
from ganflow.data.prepared.dataset import Dataset
from ganflow.distributed import collectives
from ganflow.errors import ConfigError, GanflowError
from ganflow.evaluation.evidence.feature_store import FeatureStore
from ganflow.evaluation.evidence.inputs import MetricInputs
from ganflow.evaluation.evidence.samples import SEED, Samples
from ganflow.evaluation.extractors.base import Extractor, Splits
from ganflow.evaluation.metrics.base import Measurement, Metric
from ganflow.evaluation.outcome import Outcome, Protocol, lacking, outcome_of
from ganflow.evaluation.tasks.chosen import task_of
from ganflow.methods.generator import Generator
from ganflow.terminal.progress import Advanced, unheard

logger = logging.getLogger(__name__)


@dataclass
class Evaluator:
    """Measures samples against one reference. All ranks call it together; each does its share."""

    config: EvaluationConfig
    splits: Splits
    extractor: Extractor
    cache: Path  # where the reference's features are kept
    device: torch.device
    listener: Callable[[Advanced], None] = unheard
    _told: set[str] = field(default_factory=set)  # figures that were said to be left out

    def __post_init__(self) -> None:
        self.features = FeatureStore(
            self.splits, self.extractor, self.cache, self.config.batch, self.device, self.listener
        )

    def inputs(self, samples: Samples) -> MetricInputs:
        """The inputs of metrics, of these samples."""
        return MetricInputs(self.config, self.features, samples)

    @property
    def reference(self) -> Dataset:
        """The split that samples are held against."""
        return self.features.dataset(self.config.reference)

    def measure(
        self, generator: Generator, samples: int, names: Sequence[str] | None = None
    ) -> Mapping[str, Measurement]:
        """Figures of the chosen metrics (all of the configuration's by default), by name, on every rank.

        The first time that a figure cannot be measured, rank 0 logs why.
        """
        outcome = self.outcome(self.inputs(self.drawn(generator, samples)), names)
        for figure in [figure for figure in outcome.left_out if figure not in self._told]:
            self._told.add(figure)
            if collectives.rank() == 0:
                logger.warning(f"{figure} is not measured: {outcome.left_out[figure]}")
        return outcome.figures

    def measure_one(self, figure: str, generator: Generator, samples: int, name: str) -> Mapping[str, Measurement]:
        """The figures of one metric, among them ``figure``.

        Raises:
            GanflowError: it cannot be measured, with the reason.
        """
        outcome = self.outcome(self.inputs(self.drawn(generator, samples)), [name])
        if figure not in outcome.figures:
            raise GanflowError(f"{figure} cannot be measured: {outcome.left_out[figure]}")
        return outcome.figures

    def drawn(self, generator: Generator, samples: int) -> Samples:
        """Samples of a model, by its task: all ranks make them together.

        Raises:
            GanflowError: this model cannot be measured on these data.
        """
        return task_of(generator).samples(generator, self.splits, self.reference, samples)

    def pictures(self, inputs: MetricInputs) -> Mapping[str, bytes]:
        """PNGs of what was measured, by name and by the model's task; on one rank."""
        return task_of(inputs.samples.model).pictures(inputs)

    def outcome(self, inputs: MetricInputs, names: Sequence[str] | None = None, resamples: int = 0) -> Outcome:
        """Figures of the chosen metrics, and why others are left out; each metric is computed by one rank.

        Args:
            inputs: the samples and what they are held against.
            names: of metrics; all of the configuration's by default.
            resamples: of the bootstrap, for the bounds of 95 % intervals; 0 gives none.

        Raises:
            GanflowError: images that cannot be read.
        """
        metrics = self._metrics(names)
        lacks = lacking(inputs, metrics.values())
        inputs.prepare(name for metric in metrics.values() if not lacks & {*metric.needs} for name in metric.needs)
        mine = list(metrics)[collectives.rank() :: collectives.world_size()]
        outcomes: dict[str, Outcome] = {}
        refused = None
        try:
            for name in mine:
                self.listener(Advanced("measure", 0, len(metrics), "metrics", name))
                outcomes[name] = outcome_of(name, metrics[name], inputs, resamples)
                self.listener(Advanced("measure", 1, len(metrics), "metrics", ""))
        except GanflowError as error:
            refused = str(error)
        by_rank = collectives.gather_objects((outcomes, refused))
        for _, line in by_rank:  # on every rank, for one that went on alone would wait for the others
            if line is not None:
                raise GanflowError(line)
        by_name = {name: outcome for outcomes, _ in by_rank for name, outcome in outcomes.items()}
        return Outcome.of_all(by_name[name] for name in metrics)

    def check_enough(self, samples: int, names: Sequence[str], key: str) -> None:
        """Refuse a number of samples that a metric can make nothing of, before the work.

        Raises:
            ConfigError: with ``key``, where the number stands.
        """
        width = self.extractor(torch.from_numpy(self.reference.images(np.arange(1)))).embeddings.shape[1]
        for name, metric in self._metrics(names).items():
            fewest = metric.fewest(width)
            if samples < fewest:
                why = f"must be at least {fewest} for {name} of the {width} features of {self.extractor.name}"
                raise ConfigError(key, samples, why)

    def protocol(self, samples: int) -> Protocol:
        """The protocol beside every figure, but for the reference's repeats."""
        return Protocol(
            samples=samples,
            reference=self.config.reference,
            reference_samples=len(self.reference),
            extractor=self.extractor.name,
            extractor_accuracy=self.extractor.accuracy,
            seed=SEED,
        )

    def _metrics(self, names: Sequence[str] | None) -> dict[str, Metric]:
        return {
            name: components.build("metric", node, f"evaluation.metrics.{name}")
            for name, node in self.config.metrics.items()
            if names is None or name in names
        }
