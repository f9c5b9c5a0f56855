"""`ganflow blend`: a model between two, as a folder."""

from pathlib import Path

from ganflow.errors import require
from ganflow.methods import blend as weights
from ganflow.methods import generator
from ganflow.terminal.progress import doing
from ganflow.tracking.registry.loader import load_generator, tracking_of
from ganflow.tracking.runs import run_record


def blend(a: str, b: str, alpha: float, to: str) -> str:
    """Write the model between two into a folder, and give a line to print.

    Args:
        a: where the first model is.
        b: where the second is.
        alpha: 0 is the first, 1 the second.
        to: the folder; a blend that is there is replaced.

    Raises:
        GanflowError: no such model, models that differ in more than their weights, or a folder of a training.
    """
    folder = Path(to).expanduser()
    allowed = "a training's own folder, whose weights have to stay; name another"
    require(not (folder / run_record.FILE).exists(), "to", to, allowed)
    with doing("blend: loading the models"):
        first, second = (load_generator(model, tracking_of(model)) for model in (a, b))
    blended = weights.blend(first, second, alpha)
    folder.mkdir(parents=True, exist_ok=True)
    generator.save(folder / generator.FILE, blended.network, blended.spec)
    return f"{1 - alpha:.12g} of {a} and {alpha:.12g} of {b}: {folder / generator.FILE}"
