"""Checkpoints of one run in one folder: written whole or not at all, and checked when they are read."""

import hashlib
import os
import re
import shutil
import warnings
from pathlib import Path
from typing import IO, Any, cast

import torch

from ganflow.files import HashingFile, sync_folder

_NAME = re.compile(r"checkpoint-(\d{12})-([0-9a-f]{32})\.pt")


class CheckpointStore:
    """``checkpoint-<images seen>-<sha256>.pt`` files. The name carries the checksum, so one rename commits both.

    Args:
        folder: of this run alone.
        keep: how many checkpoints stay.
    """

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.folder, self.keep = folder, keep

    def save(self, state: dict[str, Any], nimg: int) -> Path:
        """Write a state that is made of tensors and plain values; older checkpoints go once it is safe."""
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder / f".checkpoint-{os.getpid()}.partial"
        with unfinished.open("wb") as file:
            hashing = HashingFile(file)
            torch.save(state, cast(IO[bytes], hashing))
            file.flush()
            os.fsync(file.fileno())
        path = self.folder / f"checkpoint-{nimg:012d}-{hashing.sha256.hexdigest()[:32]}.pt"
        unfinished.rename(path)
        sync_folder(self.folder)
        for old in self._files()[self.keep :]:
            old.unlink(missing_ok=True)
        return path

    def latest(self, device: torch.device | str = "cpu") -> dict[str, Any] | None:
        """The newest state whose checksum holds, or None. A torn or changed file is passed over with a warning."""
        for path in self._files():
            match = _NAME.fullmatch(path.name)
            assert match
            with path.open("rb") as file:
                sha = hashlib.file_digest(file, "sha256").hexdigest()[:32]
            if sha == match[2]:
                state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
                return state
            warnings.warn(f"{path} is damaged (its checksum does not hold); passing it over", stacklevel=2)
        return None

    def retire(self) -> Path:
        """Set a finished run's folder aside, so that the next run of this name starts anew."""
        aside = self.folder.with_name(self.folder.name + ".finished")
        shutil.rmtree(aside, ignore_errors=True)
        self.folder.rename(aside)
        return aside

    def _files(self) -> list[Path]:
        """Newest first."""
        if not self.folder.is_dir():
            return []
        return sorted((p for p in self.folder.iterdir() if _NAME.fullmatch(p.name)), reverse=True)
