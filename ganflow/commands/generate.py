"""`ganflow generate`: samples of a model in any form that :mod:`ganflow.generation.writers` has."""

from collections.abc import Mapping

import torch

from ganflow.generation.sampling import Sampling, classes_of
from ganflow.generation.writers import Place, choose
from ganflow.terminal.progress import doing
from ganflow.tracking.registry.loader import load_generator, tracking_of


def generate(
    model: str,
    out: str,
    *,
    n: int,
    seed: int,
    label: str | None,
    truncation: float | None,
    batch: int | None,
    patience_s: float,
    options: Mapping[str, object],
) -> None:
    """Draw ``n`` samples and write them; what was cut off goes on.

    Args:
        model: where the generator is.
        out: where samples go; its ending says in which form.
        n: how many.
        seed: of the draws.
        label: classes by number or name, with commas between.
        truncation: of w or z; None: none.
        batch: how many are made at once; None: by their size.
        patience_s: how long an outage of S3 is waited for.
        options: of the form, those that were given.

    Raises:
        GanflowError: no such model, an ``out`` of another form, or one that other samples lie in.
    """
    sink, target = choose(out, options), Place.of(out, patience_s)
    with doing("generate: loading the model"):
        generator = load_generator(model, tracking_of(model), "cuda" if torch.cuda.is_available() else "cpu")
    classes = None if label is None else classes_of(label.split(","), generator.spec)
    sink.write(Sampling(generator, n, seed, classes, truncation, batch), target)
