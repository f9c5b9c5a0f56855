"""A whole evaluation: figures with intervals and protocol, classes, and pictures for people."""

from dataclasses import dataclass, field, replace

from ganflow.distributed import collectives
from ganflow.errors import GanflowError
from ganflow.evaluation.evaluator import Evaluator
from ganflow.evaluation.evidence.inputs import MetricInputs
from ganflow.evaluation.evidence.samples import Samples
from ganflow.evaluation.metrics import intra_fid
from ganflow.evaluation.outcome import Evaluation


@dataclass(frozen=True)
class ClassRow:
    """Share of samples and of the reference that are recognised as one class, and the FID within it."""

    name: str
    generated: float
    reference: float
    fid: float | None = None


@dataclass(frozen=True)
class Measured(Evaluation):
    """The result of an evaluation."""

    classes: list[ClassRow] = field(default_factory=list)
    pictures: dict[str, bytes] = field(default_factory=dict)  # PNG by name

    @property
    def notes(self) -> list[str]:
        """Remarks that the figures do not make by themselves, a line each."""
        notes = [f"{name} is left out: {why}" for name, why in self.left_out.items()]
        repeats, n = self.protocol.reference_repeats, self.protocol.reference_samples
        counted = "; memorisation, precision, recall, density and ball_coverage count each image once"
        return notes + ([f"{repeats:,} of {n:,} reference images repeat others{counted}"] if repeats else [])


def evaluate(evaluator: Evaluator, samples: Samples, resamples: int) -> Measured | None:
    """Measure everything that the configuration names; on rank 0, None on the others.

    Raises:
        ConfigError: fewer samples are drawn than a metric needs.
        GanflowError: not one figure can be measured.
    """
    if samples.generator is not None:  # there are as many as is asked for, so it is known before the work
        evaluator.check_enough(len(samples), list(evaluator.config.metrics), "evaluation.samples")
    inputs = evaluator.inputs(samples)
    outcome = evaluator.outcome(inputs, resamples=resamples)
    if not outcome.figures:
        reasons = "; ".join(f"{name}: {why}" for name, why in outcome.left_out.items())
        raise GanflowError(f"nothing can be measured: {reasons}")
    # Rank 0 alone goes on below, so what all make together is made before, whatever the metrics asked for.
    inputs.prepare(["fake", "real", *(["neighbours"] if inputs.pairs_wanted else [])])
    if collectives.rank() > 0:
        return None
    repeats = len(inputs.real) - len(inputs.real.distinct)
    protocol = replace(evaluator.protocol(len(samples)), reference_repeats=repeats)
    left_out = {**outcome.left_out, **_single_classes(inputs)}
    return Measured(outcome.figures, left_out, protocol, class_shares(inputs), dict(evaluator.pictures(inputs)))


def alone(evaluator: Evaluator, samples: Samples) -> Measured:
    """As :func:`evaluate`, where this process is the only rank."""
    measured = evaluate(evaluator, samples, evaluator.config.resamples)
    assert measured is not None
    return measured


def _single_classes(inputs: MetricInputs) -> dict[str, str]:
    """The classes that have no FID of their own for want of a second reference image; they are not in the mean."""
    if "intra_fid" not in inputs.config.metrics or inputs.fake.labels is None:
        return {}
    names = inputs.classes
    return {
        f"intra_fid of class {names[label]}": "the reference has one image of it and not 2; the mean is without it"
        for label in intra_fid.single(inputs.real)
    }


def class_shares(inputs: MetricInputs) -> list[ClassRow]:
    """The shares of samples and reference recognised as each class; empty where the extractor knows none.

    A class has no FID where samples or reference have fewer than two images of it.
    """
    fake, real = inputs.fake, inputs.real
    if not fake.classes:
        return []
    shares = [(f.recognised.bincount(minlength=fake.classes) / len(f)).tolist() for f in (fake, real)]
    within = intra_fid.by_class(fake, real) if "intra_fid" in inputs.config.metrics else {}
    names = inputs.classes
    return [
        ClassRow(name, generated, reference, within.get(label))
        for label, (name, generated, reference) in enumerate(zip(names, *shares, strict=True))
    ]
