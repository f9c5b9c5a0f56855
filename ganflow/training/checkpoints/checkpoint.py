"""Checkpoints of one run in one place: written whole or not at all, and checked when they are read."""

import hashlib
import io
import logging
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganflow.storage.base import MissingError, Storage
from ganflow.storage.locate import open_storage

logger = logging.getLogger(__name__)

_NAME = re.compile(r"checkpoint-(\d{12})-([0-9a-f]{32})\.pt")
FINISHED = ".finished"


class CheckpointStore:
    """``checkpoint-<images seen>-<sha256>.pt`` files. The name carries the checksum, so one write commits both.

    Args:
        place: a folder or a storage of this run alone.
        keep: how many checkpoints stay.
    """

    def __init__(self, place: Path | Storage, keep: int = 2) -> None:
        self.storage, self.keep = open_storage(place), keep

    def save(self, state: dict[str, Any], nimg: int) -> str:
        """Write a state that is made of tensors and plain values; older checkpoints go once it is safe. Its name."""
        content = io.BytesIO()
        torch.save(state, content)
        sha = hashlib.sha256(content.getbuffer()).hexdigest()[:32]
        name = f"checkpoint-{nimg:012d}-{sha}.pt"
        self.storage.write(name, content.getvalue())
        for old in self._names()[self.keep :]:
            self.storage.remove(old)
        return name

    def newest(self) -> bytes | None:
        """The newest checkpoint that is whole and holds a state alone, or None; a warning for others."""
        for name in self._names():
            match = _NAME.fullmatch(name)
            assert match
            try:
                content = self.storage.read(name)
            except MissingError:  # another process has just written a newer one
                continue
            wrong = "is damaged (its checksum does not hold)"
            if hashlib.sha256(content).hexdigest()[:32] == match[2]:
                if _is_state(content):
                    return content
                wrong = "holds more than tensors and plain values (code in it is not run)"
            logger.warning(f"{self.storage}/{name} {wrong}; passing it over")
        return None

    def latest(self, device: torch.device | str = "cpu") -> dict[str, Any] | None:
        """The state of :meth:`newest`."""
        content = self.newest()
        return None if content is None else load(content, device)

    def retire(self) -> Storage:
        """Set a finished run aside, so that the next run of this name starts anew. Where it is then."""
        aside = open_storage(f"{self.storage}{FINISHED}")
        self.storage.move(aside)
        return aside

    def _names(self) -> list[str]:
        """Newest first."""
        return sorted((name for name in self.storage.names("checkpoint-") if _NAME.fullmatch(name)), reverse=True)


def load(content: bytes, device: torch.device | str) -> dict[str, Any]:
    """A state out of a checkpoint's bytes. No code in it is run."""
    state: dict[str, Any] = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
    return state


def _is_state(content: bytes) -> bool:
    """True where :func:`load` gives a state; "meta" spares the copy of its tensors."""
    try:
        return isinstance(load(content, "meta"), dict)
    except Exception:  # what a pickle of something else raises has no common base
        return False


def copied(node: Any) -> Any:
    """A state's values as they are now, on the CPU: training goes on while the copy is written."""
    if isinstance(node, Tensor):
        return node.detach().to("cpu", copy=True)
    if isinstance(node, dict):
        return {key: copied(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return type(node)(map(copied, node))
    return node
