"""A pickle that tells when it was read: what somebody may plant wherever ganflow reads what others wrote."""

import hashlib
import io
import pickle
from pathlib import Path
from typing import Any

import torch


class Poison:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self.trace,)


def saved(trace: Path) -> bytes:
    """As ``torch.save`` writes it."""
    stream = io.BytesIO()
    torch.save({"nimg": 1, "weights": Poison(trace)}, stream)
    return stream.getvalue()


def pickled(trace: Path) -> bytes:
    """As ``pickle.dump`` writes it."""
    return pickle.dumps(Poison(trace), protocol=2)  # which torch reads without a warning


def sha256(content: bytes) -> str:
    """In hex."""
    return hashlib.sha256(content).hexdigest()


def assert_deadly(content: bytes, trace: Path) -> None:
    """It would have told: a trap that does not work proves nothing."""
    assert not trace.exists()
    torch.load(io.BytesIO(content), weights_only=False)
    assert trace.exists()
