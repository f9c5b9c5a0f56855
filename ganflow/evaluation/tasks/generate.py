"""The task of making samples like the data of noise alone."""

import torch
from torch import Tensor

from ganflow.config.components import component
from ganflow.data.prepared.dataset import Dataset
from ganflow.distributed import rng
from ganflow.errors import GanflowError
from ganflow.evaluation.evidence.inputs import MetricInputs
from ganflow.evaluation.evidence.samples import SEED, GeneratorSamples
from ganflow.evaluation.extractors.base import Splits
from ganflow.evaluation.tasks import pictures
from ganflow.evaluation.tasks.base import Task
from ganflow.methods.generator import Generator, GeneratorSpec

PAIRS = 16  # in the picture


@component("task", "generate")
class Generate(Task):
    """Samples 0, 1, … of the generator, with the reference's own mix of classes."""

    @staticmethod
    def fits(spec: GeneratorSpec) -> bool:
        return not spec.restores

    def samples(self, generator: Generator, splits: Splits, reference: Dataset, count: int) -> GeneratorSamples:
        """As many as are asked for.

        Raises:
            GanflowError: it makes images of another size, other channels or other classes than the reference has.
        """
        spec, facts = generator.spec, reference.facts
        fits = (spec.shape, spec.signal.family) == (facts.shape, facts.signal.family)
        if not fits or spec.num_classes not in (0, facts.num_classes):
            makes, has = f"{spec}, {spec.num_classes} classes", f"{facts}, {facts.num_classes} classes"
            raise GanflowError(f"the generator makes {makes}; the reference has {has}")
        return GeneratorSamples(generator, SEED, count, _labels(generator, reference, count))

    def pictures(self, inputs: MetricInputs) -> dict[str, bytes]:
        """Samples; those nearest to train images beside these; ways between latents."""
        train, samples = inputs.features.splits.train, inputs.samples
        signal = train.facts.signal
        some = signal.rows(samples.images(0, min(signal.shown, len(samples))))
        centres = train.facts.mixture.centres if train.facts.mixture else ()
        drawn = {"samples": signal.preview(some, centres=centres)}
        if inputs.pairs_wanted:
            ratios, neighbours = inputs.neighbours
            closest = ratios.argsort()[:PAIRS].tolist()
            images = signal.rows(torch.cat([samples.images(i, 1) for i in closest]))
            originals = signal.rows(torch.from_numpy(train.images(neighbours[closest].cpu().numpy())))
            drawn["pairs"] = pictures.closest_pairs(images, originals)
        ways = pictures.interpolation(inputs.generator) if inputs.generator is not None else None
        return drawn if ways is None else drawn | {"interpolation": ways}


def _labels(generator: Generator, reference: Dataset, count: int) -> Tensor | None:
    if not generator.spec.num_classes:
        return None
    rows = rng.integers(SEED, "evaluation-label", 0, count, len(reference))
    return torch.from_numpy(reference.labels[rows])
