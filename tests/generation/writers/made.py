"""Small generators, and a process that dies in the middle of its work."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ganflow.generation.sampling import Sampling
from ganflow.generation.writers import Place, choose
from ganflow.methods.generator import Generator, GeneratorSpec

CLASSES = ["cat", "dog", "owl"]
SPEC = GeneratorSpec({"name": "mlp", "widths": [16]}, 4, (3, 8, 8), 3, CLASSES)
PLAIN = GeneratorSpec({"name": "mlp", "widths": [16]}, 4, (1, 8, 8), 0)
POINTS = GeneratorSpec({"name": "mlp", "widths": [16], "output": "linear"}, 4, (2, 1, 1), 0, kind="points")


def model(spec: GeneratorSpec = SPEC, seed: int = 0) -> Generator:
    """Fresh weights, large enough for samples that differ."""
    torch.manual_seed(seed)
    network = spec.build()
    for parameter in network.parameters():
        parameter.data.mul_(3)
    return Generator(network, spec)


def write(out: str, sampling: Sampling, **options: Any) -> None:
    """As the command does."""
    choose(out, options).write(sampling, Place.of(out, 10.0))


def die_at(call: int, owner: Any, name: str, action: Callable[[], None]) -> None:
    """Carry out the action in a process that kills itself in the given call of a function."""
    child = os.fork()
    if child == 0:
        _count_down(call, owner, name)
        try:
            action()
        finally:
            os._exit(1)  # it was not called so often
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the process ended before it was killed"
    assert os.WTERMSIG(status) == signal.SIGKILL


def _count_down(call: int, owner: Any, name: str) -> None:
    original, left = getattr(owner, name), iter(range(call))

    def counted(*arguments: Any, **named: Any) -> Any:
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **named)

    pytest.MonkeyPatch().setattr(owner, name, counted)


def below(folder: Path) -> dict[str, bytes]:
    """All files, hidden ones too."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
