"""The base of every task."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from ganflow.data.prepared.dataset import Dataset
from ganflow.evaluation.evidence.inputs import MetricInputs
from ganflow.evaluation.evidence.samples import Samples
from ganflow.evaluation.extractors.base import Splits
from ganflow.methods.generator import Generator, GeneratorSpec


class Task(ABC):
    """A component of the group ``task``, which a model's header chooses: no configuration has to name it."""

    @staticmethod
    @abstractmethod
    def fits(spec: GeneratorSpec) -> bool:
        """True of models that are for this task; of each, of one task."""

    @abstractmethod
    def samples(self, generator: Generator, splits: Splits, reference: Dataset, count: int) -> Samples:
        """At most ``count`` samples to measure against the reference split. All ranks call it together.

        Raises:
            GanflowError: this model cannot be measured on these data.
        """

    @abstractmethod
    def pictures(self, inputs: MetricInputs) -> Mapping[str, bytes]:
        """PNGs for the report, by name."""
