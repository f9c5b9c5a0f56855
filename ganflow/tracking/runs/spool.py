"""A run's events on local disk until MLflow has them: neither an outage nor a killed driver loses what was put.

A run's folder::

    run.json       which run this is, and on which server
    events.jsonl   one line per event, appended in the order in which they were put
    delivered      how many of its bytes have arrived
    *.content      of an artifact that has not arrived

After a kill ``delivered`` may lag behind; what is sent again then is known to the server and not logged twice. Nothing
is flushed to the device: a machine that loses power may lose seconds, which the run's history tells again.
"""

import contextlib
import dataclasses
import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from ganflow.atomic_files import write_whole
from ganflow.tracking.runs.run_events import Artifact, Event, Point

ABOUT, EVENTS, DELIVERED, CONTENT = "run.json", "events.jsonl", "delivered", ".content"
_CHUNK = 1 << 17  # bytes of events that are in memory at once: a request of the usual keys


@dataclass(frozen=True)
class About:
    """What a later driver must know to go on with a run, even while the server is away."""

    run_id: str
    fingerprint: str
    server: str  # its address without secrets
    started_ms: int
    ending: str | None = None  # the status to give the run once everything has arrived; None: it may go on


class Spool:
    """The events of one run that are on disk and not delivered. Not for several threads at once.

    Args:
        folder: of this run alone.
        about: what stands in a new ``run.json``.
    """

    def __init__(self, folder: Path, about: About) -> None:
        self.folder, self.about = folder, about
        self.left = 0  # events that are not delivered
        self._events: IO[bytes] | None = None
        self._delivered: IO[bytes] | None = None
        self._start = self._end = 0  # of what is not delivered, in bytes
        self._taken, self._taken_end, self._contents = 0, 0, list[Path]()  # by the last read

    def open(self) -> None:
        """Make the folder or take it up with what an earlier driver left; nothing to do while it is open.

        Raises:
            OSError: the disk does not take it.
            BlockingIOError: the same; another process writes here.
        """
        if self._events is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / ABOUT).exists():
            write_whole(self.folder / ABOUT, _dump(self.about))
        with contextlib.ExitStack() as opened:
            events = opened.enter_context(_read_write(self.folder / EVENTS))
            _lock(events, self.folder / EVENTS)
            delivered = opened.enter_context(_read_write(self.folder / DELIVERED))
            self._end = _after_last_newline(events)
            os.ftruncate(events.fileno(), self._end)  # a line that a kill cut off
            self._start = min(_number(delivered), self._end)
            _write_at(delivered, _mark(self._start), 0)  # takes its place on a disk that may be full later
            self.left = sum(chunk.count(b"\n") for chunk in _chunks(events, self._start, self._end))
            opened.pop_all()
        self._events, self._delivered = events, delivered

    def append(self, events: Sequence[Event]) -> None:
        """Put all of these events behind the others, or none.

        Raises:
            OSError: the disk does not take them.
        """
        self.open()
        assert self._events
        contents: list[Path] = []
        try:
            lines = b"".join(self._line(event, contents) for event in events)
            _write_at(self._events, lines, self._end)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._events.fileno(), self._end)
            for path in contents:
                path.unlink(missing_ok=True)
            raise
        self._end += len(lines)
        self.left += len(events)

    def read(self, most: int) -> list[Event]:
        """What goes out next: some points, or one artifact. A damaged line is passed over, so it may be nothing."""
        batch: list[Event] = []
        self._taken, self._taken_end, self._contents = 0, self._start, []
        for line in self._lines():
            entry = _entry(line)
            alone = "content" in entry
            if batch and (alone or len(batch) == most):
                break
            self._taken += 1
            self._taken_end += len(line)
            with contextlib.suppress(KeyError, FileNotFoundError):
                batch.append(self._event(entry))
            if batch and alone:
                break
        return batch

    def acknowledge(self) -> None:
        """What the last :meth:`read` gave has arrived."""
        assert self._delivered
        self._start = self._taken_end
        self.left -= self._taken
        with contextlib.suppress(OSError):  # then it is sent again, which does no harm
            _write_at(self._delivered, _mark(self._start), 0)
        for path in self._contents:
            path.unlink(missing_ok=True)
        self._taken, self._contents = 0, []

    def end(self, status: str) -> None:
        """Note with which status the run ends once everything has arrived; whoever delivers the rest sets it."""
        self.about = dataclasses.replace(self.about, ending=status)
        write_whole(self.folder / ABOUT, _dump(self.about))

    def close(self) -> None:
        """Let go of the files; what is left stays for a later driver."""
        for file in (self._events, self._delivered):
            if file is not None:
                file.close()
        self._events = self._delivered = None

    def remove(self) -> None:
        """Delete the folder; what says which run it is goes last."""
        with contextlib.suppress(OSError):
            for path in sorted(self.folder.iterdir(), key=lambda path: path.name == ABOUT):
                path.unlink(missing_ok=True)
            self.folder.rmdir()
        self.close()

    def _line(self, event: Event, contents: list[Path]) -> bytes:
        if isinstance(event, Point):
            entry = {"key": event.key, "value": event.value, "step": event.step, "ms": event.timestamp_ms}
        else:
            path = self.folder / f"{uuid4().hex}{CONTENT}"
            contents.append(path)
            path.write_bytes(event.content)  # before its line, so a line means that it is whole
            entry = {"path": event.path, "content": path.name}
        return json.dumps(entry).encode() + b"\n"

    def _event(self, entry: Mapping[str, Any]) -> Event:
        if "content" not in entry:
            return Point(entry["key"], entry["value"], entry["step"], entry["ms"])
        path = self.folder / entry["content"]
        self._contents.append(path)
        return Artifact(entry["path"], path.read_bytes())

    def _lines(self) -> Iterator[bytes]:
        assert self._events
        chunk = os.pread(self._events.fileno(), min(_CHUNK, self._end - self._start), self._start)
        whole, newline, _ = chunk.rpartition(b"\n")
        return (line + newline for line in whole.split(b"\n")) if newline else iter(())


def spools(outbox: Path) -> list[Spool]:
    """What earlier drivers left below ``outbox``, the latest first."""
    found = []
    for path in outbox.glob(f"*/{ABOUT}"):
        with contextlib.suppress(OSError, ValueError, TypeError):
            found.append((path.stat().st_mtime_ns, Spool(path.parent, About(**json.loads(path.read_bytes())))))
    return [spool for _, spool in sorted(found, key=lambda entry: entry[0], reverse=True)]


def _entry(line: bytes) -> Mapping[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _dump(about: About) -> str:
    return json.dumps(dataclasses.asdict(about), indent=2) + "\n"


def _read_write(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b", buffering=0)


def _lock(file: IO[bytes], path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # a file system without locks
        return
    if not path.exists() or not os.path.samestat(path.stat(), os.fstat(file.fileno())):
        raise BlockingIOError(f"{path} was being removed")


def _write_at(file: IO[bytes], data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file.fileno(), view, offset)
        view, offset = view[written:], offset + written


def _mark(offset: int) -> bytes:
    return b"%020d\n" % offset  # of one length: it is written in place


def _number(file: IO[bytes]) -> int:
    try:
        return int(os.pread(file.fileno(), 64, 0))
    except ValueError:
        return 0


def _chunks(file: IO[bytes], start: int, end: int) -> Iterator[bytes]:
    for offset in range(start, end, _CHUNK):
        yield os.pread(file.fileno(), min(_CHUNK, end - offset), offset)


def _after_last_newline(file: IO[bytes]) -> int:
    end = os.fstat(file.fileno()).st_size
    while end > 0:
        start = max(0, end - _CHUNK)
        newline = os.pread(file.fileno(), end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
