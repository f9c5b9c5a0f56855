"""Files held against their checksums: all on the machine's cores, and those of a large data set once per machine.

A file counts as the one that was read when its size, inode and both times are what they were: whatever writes to it
changes the time of its change, which no program can set back. What the disk itself loses is not seen again then.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ganflow import records
from ganflow.atomic_files import write_whole
from ganflow.errors import GanflowError
from ganflow.terminal.progress import progress

LARGE = 1 << 30  # bytes from which on it is remembered
THREADS = 16
Seen = list[int | str]  # size, inode, time of its last write, time of its last change, sha256
_SETTLED_S = 2.0  # a younger file could change once more within one tick of the file system's clock


def verify(root: Path, files: Mapping[str, str], refuse: Callable[[Path], GanflowError]) -> None:
    """Hold files against their checksums.

    Args:
        root: the folder of the data set.
        files: name below ``root`` → sha256 (hex).
        refuse: the error to raise for a file that does not hold.

    Raises:
        GanflowError: of the first file that does not hold.
    """
    stats = {name: (root / name).stat() for name in files}
    if sum(stat.st_size for stat in stats.values()) < LARGE:
        for _ in _held(root, files, refuse):
            pass
        return
    verified_before = _read(_record(root))
    todo = {name: sha for name, sha in files.items() if verified_before.get(name) != _as_seen(stats[name], sha)}
    if not todo:
        return
    verified: dict[str, Seen] = {}
    try:
        with progress(sum(stats[name].st_size for name in todo), "verify", "B") as advance:
            for name in _held(root, todo, refuse):
                advance(stats[name].st_size)
                if time.time() - stats[name].st_ctime > _SETTLED_S:
                    verified[name] = _as_seen(stats[name], files[name])
    finally:  # hours of reading are not lost to an interrupt
        _write(_record(root), verified)


def _held(root: Path, files: Mapping[str, str], refuse: Callable[[Path], GanflowError]) -> Iterator[str]:
    """The names, each once its file was read and holds."""

    def digest(name: str) -> str:
        with (root / name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1)) as pool:
        try:
            for (name, sha), actual in zip(files.items(), pool.map(digest, files), strict=True):
                if actual != sha:
                    raise refuse(root / name)
                yield name
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _as_seen(stat: os.stat_result, sha: str) -> Seen:
    return [stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns, sha]


def _record(root: Path) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "ganflow" / "verified" / f"{hashlib.sha256(str(root).encode()).hexdigest()[:16]}.json"


def _read(record: Path) -> dict[str, Seen]:
    return records.noted(record, dict) or {}


def _write(record: Path, verified: dict[str, Seen]) -> None:
    """Add to the record; without a place for it the next start reads everything again."""
    try:
        write_whole(record, json.dumps(_read(record) | verified))
    except OSError:
        return
