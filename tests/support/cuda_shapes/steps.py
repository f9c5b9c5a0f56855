"""Steps of recipes on the device that only has shapes: what each costs the host, or the error that a GPU would give.

    python -m tests.support.cuda_shapes.steps [--streamed] RECIPE... [KEY=VALUE...]

prints a line of JSON for each recipe. Networks, batch and precision are the recipe's own; data are sparse files, which
stay on the device unless they are streamed.
"""

import json
import math
import sys
import tempfile
import traceback
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    from tests.support.cuda_shapes import device

    device.load()

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ganflow.config import components, composition
from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset
from ganflow.evaluation.extractors import classifier
from ganflow.methods.gan import GAN
from ganflow.methods.generator import Generator
from ganflow.training import batches
from ganflow.training.build import build_trainer
from ganflow.training.checkpoints.checkpoint import copied
from ganflow.training.trainer import Trainer
from tests.config.composition.test_recipes import NEED_PATH, POINTS, facts
from tests.support.cuda_shapes.device import only_shapes, values_made_up
from tests.support.sparse import write_sparse

CUDA = torch.device("cuda", 0)
# What launches no kernel: other looks at the same memory.
VIEWS = {
    "view", "_unsafe_view", "detach", "expand", "t", "transpose", "permute", "slice", "select", "unsqueeze", "squeeze",
    "reshape", "as_strided", "alias", "split", "split_with_sizes", "unbind", "unfold", "chunk", "lift_fresh", "view_as",
    "device", "empty", "empty_like", "empty_strided", "new_empty", "set_data",
}  # fmt: skip


@dataclass
class Cost:
    """Of one step, to the host."""

    kernels: int = 0
    copies: int = 0  # of arrays to the device
    waits: int = 0  # for what the device has computed


class Counting(TorchDispatchMode):
    """Counts what is asked of the device in its block."""

    def __init__(self) -> None:
        super().__init__()
        self.cost = Cost()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name in ("_to_copy", "copy_"):
            source = args[1] if name == "copy_" else args[0]
            target = args[0] if name == "copy_" else out
            self.cost.copies += source.device.type == "cpu" and target.device.type == "cuda"
            self.cost.waits += source.device.type == "cuda" and target.device.type == "cpu"
        self.cost.kernels += name not in VIEWS and _on_device(out, args)
        return out


def _on_device(*values: Any) -> bool:
    """True where any tensor among them is on the device."""
    return any(
        value.device.type == "cuda" if isinstance(value, torch.Tensor) else _on_device(*value)
        for value in values
        if isinstance(value, torch.Tensor | list | tuple)
    )


def costs(recipe: str, *overrides: str) -> dict[str, Cost]:
    """What a step costs, and one in which every penalty is due that is not due each time."""
    path = ["data.path=somewhere"] if recipe in NEED_PATH else []
    config = composition.compose([f"experiment={recipe}", *path, *overrides])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if recipe in POINTS:
            prepare(components.build("source", config.data, "data"), folder)
        else:
            write_sparse(folder, facts(recipe), 1000, 1)
        with only_shapes():
            dataset = Dataset.open(folder, verify=False)
            trainer = build_trainer(config, dataset, CUDA)
            trainer._begin()
            trainer.step()
            images, interval = trainer.state.nimg, _interval(trainer)
            generator = _save_and_load(trainer)
            if recipe not in POINTS:
                _features(generator, dataset)
            if interval == 1:
                return {"step": _counted(trainer)}
            measured = []
            for number in (interval, interval + 1, 2 * interval):  # what comes rarely is expected once it came twice
                trainer.state.nimg = number * images
                measured.append(_counted(trainer))
    return {"step": measured[1], "with every penalty": measured[2]}


def _interval(trainer: Trainer) -> int:
    """Turns after which all penalties are due at once again."""
    of = trainer.method.regularizers.values() if isinstance(trainer.method, GAN) else ()
    return math.lcm(*(regularizer.interval for regularizer in of))


def _counted(trainer: Trainer) -> Cost:
    with Counting() as counting:
        trainer.step()
    return counting.cost


def _save_and_load(trainer: Trainer) -> Generator:
    """A checkpoint on the CPU and back, and samples of the generator that is kept."""
    with values_made_up():
        trainer._report()
        state: Any = copied(trainer.state.state_dict())
    assert {tensor.device.type for tensor in _tensors(state)} == {"cpu"}
    trainer.state.load_state_dict(state)
    generator = Generator(trainer.state.ema.network, trainer.spec)
    assert _made(generator, 4).device == CUDA
    return generator


def _made(generator: Generator, count: int) -> torch.Tensor:
    """The first images of the generator; of one that restores, those of black images."""
    labels, shape = generator.labels(0, count, None), generator.spec.given_shape
    with values_made_up():
        if shape is not None:
            return generator.restored(torch.zeros(count, *shape, device=CUDA), labels)
        return generator.draw(generator.latents(0, 0, count), labels, noise=generator.noise(0, 0, count))


def _features(generator: Generator, dataset: Dataset) -> None:
    """Features of samples, as metrics take them, by a network of the data's own."""
    choice = classifier.ClassifierChoice(width=4)
    extract = classifier.Classifier(classifier._fresh(dataset, choice).to(CUDA).eval(), "untrained", 0.0, True)
    with values_made_up():
        found = extract(generator.spec.signal.stored(_made(generator, 8)))
    assert {found.embeddings.device, found.logits.device} == {CUDA}
    assert len(found.embeddings) == len(found.logits) == 8


def _tensors(node: Any) -> list[torch.Tensor]:
    if isinstance(node, torch.Tensor):
        return [node]
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list | tuple) else ()
    return [tensor for child in children for tensor in _tensors(child)]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    words = [word for word in sys.argv[1:] if word != "--streamed"]
    if "--streamed" in sys.argv:
        batches.RESIDENT_SHARE = 0.0
    for recipe in (word for word in words if "=" not in word):
        try:
            made = costs(recipe, *(word for word in words if "=" in word))
            print(json.dumps({"recipe": recipe, **{when: asdict(cost) for when, cost in made.items()}}), flush=True)
        except Exception as error:
            traceback.print_exc()
            print(json.dumps({"recipe": recipe, "error": f"{type(error).__name__}: {error}"[:300]}), flush=True)
