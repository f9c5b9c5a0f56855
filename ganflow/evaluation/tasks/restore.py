"""The task of making an image of what is given of it: restoration."""

from ganflow.config.components import component
from ganflow.data.prepared.dataset import Dataset
from ganflow.errors import GanflowError
from ganflow.evaluation.evidence.inputs import MetricInputs
from ganflow.evaluation.evidence.restored_samples import RestoredSamples
from ganflow.evaluation.extractors.base import Splits
from ganflow.evaluation.tasks.base import Task
from ganflow.generation import restoration
from ganflow.methods.generator import Generator, GeneratorSpec


@component("task", "restore")
class Restore(Task):
    """Images of the test split, made of what is always given of them."""

    @staticmethod
    def fits(spec: GeneratorSpec) -> bool:
        return spec.restores and not spec.detects

    def samples(self, generator: Generator, splits: Splits, reference: Dataset, count: int) -> RestoredSamples:
        """The first ``count`` of the test split, or all that there are.

        Raises:
            GanflowError: there is no test split, or its images have another shape.
        """
        spec, test = generator.spec, splits.test
        if test is None:
            raise GanflowError("a model that restores images is measured on a test split, and these data have none")
        if spec.shape != test.facts.shape or spec.num_classes not in (0, test.facts.num_classes):
            raise GanflowError(f"the model makes {spec}; the data are {test.facts}")
        return RestoredSamples(generator, test, min(count, len(test)))

    def pictures(self, inputs: MetricInputs) -> dict[str, bytes]:
        """The first images: what is given, by a simple method, restored, true."""
        samples = inputs.samples
        assert isinstance(samples, RestoredSamples)
        shown = min(restoration.SHOWN, len(samples))
        some = restoration.restore(samples.model, samples.data, 0, shown)
        return {"restored": restoration.picture(some, samples.model.spec)}
