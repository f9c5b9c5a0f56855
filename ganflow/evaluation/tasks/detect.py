"""The task of telling anomalies from normal images."""

import numpy as np
import torch
from numpy.typing import NDArray

from ganflow.config.components import component
from ganflow.data.prepared.dataset import Dataset
from ganflow.errors import GanflowError
from ganflow.evaluation.evidence.detected_samples import DetectedSamples
from ganflow.evaluation.evidence.inputs import MetricInputs
from ganflow.evaluation.extractors.base import Splits
from ganflow.evaluation.tasks import pictures
from ganflow.evaluation.tasks.base import Task
from ganflow.methods.generator import Generator, GeneratorSpec

SHOWN = 14  # images beside each other


@component("task", "detect")
class Detect(Task):
    """Images of the test split by how much of them a model that has seen normal ones alone cannot make again."""

    @staticmethod
    def fits(spec: GeneratorSpec) -> bool:
        return spec.detects

    def samples(self, generator: Generator, splits: Splits, reference: Dataset, count: int) -> DetectedSamples:
        """At most ``count`` of the test split, evenly over it.

        Raises:
            GanflowError: there is no test split, or its images have another shape.
        """
        spec, test = generator.spec, splits.test
        if test is None or not test.facts.normal:
            raise GanflowError("anomalies are told on a test split that says what is normal; set data.normal")
        if spec.shape != test.facts.shape:
            raise GanflowError(f"the model makes {spec}; the data are {test.facts}")
        return DetectedSamples(generator, splits, count)

    def pictures(self, inputs: MetricInputs) -> dict[str, bytes]:
        """Some images of every kind: the image, its reconstruction, the map, and the mask where there is one."""
        samples, test = inputs.samples, inputs.features.splits.test
        assert isinstance(samples, DetectedSamples)
        assert test is not None
        places = _of_every_kind(test.labels[samples.rows])
        signal, detection = test.facts.signal, samples.detection
        images = signal.rows(torch.from_numpy(test.images(samples.rows[places])))
        again = signal.rows(torch.cat([samples.images(place, 1) for place in places.tolist()]))
        masks = None if detection.masks is None else detection.masks[places].numpy()
        return {"detected": pictures.detected(images, again, detection.maps[places].numpy(), masks)}


def _of_every_kind(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places of the first images of every label, as many of each as there is room for."""
    kinds = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    each = max(1, SHOWN // len(kinds))
    return np.concatenate([places[:each] for places in kinds])[: max(SHOWN, len(kinds))]
