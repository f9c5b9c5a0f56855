"""A run's curves and grids, beside its checkpoints: rank 0 writes them, so they reach as far as the checkpoints do."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ganflow.storage.base import MissingError, Storage
from ganflow.storage.locate import open_storage
from ganflow.training.events import Event, Report, Saving, Snapshot, Started, Warned

WARNING = "warning"  # the one record that is not a figure
LINES, SAMPLES = "history.jsonl", "samples/"

Put = Callable[[Callable[[], None]], None]


def _at_once(write: Callable[[], None]) -> None:
    write()


class History:
    """A listener that keeps ``history.jsonl``, written before every checkpoint, and ``samples/snapshot-<nimg>.png``.

    When training goes on from a checkpoint, what came after it is taken back: it will be reported again.

    Args:
        place: the run's folder or storage.
        put: takes what is to be written, in order; without it, it is written at once.
    """

    def __init__(self, place: Path | Storage, put: Put = _at_once) -> None:
        self.storage, self._put = open_storage(place), put
        self._kept: list[dict[str, Any]] | None = None  # since Started; a reader's is None, because others write it

    def __call__(self, event: Event) -> None:
        if isinstance(event, Started):
            self._take_back(event.nimg)
        elif isinstance(event, Snapshot):
            name, grid = _picture(event.nimg), event.grid
            self._put(lambda: self.storage.write(name, grid))
        if isinstance(event, Report | Snapshot) and event.metrics:
            assert self._kept is not None, "a history begins with Started"
            self._kept.append({"nimg": event.nimg, **event.metrics})
        elif isinstance(event, Warned) and self._kept is not None:
            self._kept.append({"nimg": event.nimg, WARNING: event.message})
        elif isinstance(event, Saving):
            content = "".join(json.dumps(record) + "\n" for record in self._records).encode()
            self._put(lambda: self.storage.write(LINES, content))

    def rows(self) -> list[dict[str, Any]]:
        """One row per image count, with all that was reported there, in order."""
        rows: dict[int, dict[str, Any]] = {}
        for record in self._records:
            if WARNING in record:
                continue
            rows.setdefault(record["nimg"], {}).update(record)
        return [rows[nimg] for nimg in sorted(rows)]

    def csv(self) -> str:
        """The rows as CSV: ``kimg`` and one column per figure, empty where it was not measured."""
        rows = self.rows()
        names = sorted({name for row in rows for name in row} - {"nimg"})
        stream = io.StringIO()
        writer = csv.DictWriter(stream, ["kimg", *names], restval="", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({"kimg": row["nimg"] / 1000} | {k: v for k, v in row.items() if k != "nimg"})
        return stream.getvalue()

    def snapshots(self) -> dict[str, bytes]:
        """The grids by file name, oldest first."""
        return {name.removeprefix(SAMPLES): self.storage.read(name) for name in self._pictures()}

    def before(self, nimg: int) -> list[Event]:
        """The events of the first ``nimg`` images, for a listener that may have missed some."""
        events: list[Event] = []
        for row in self.rows():
            if row["nimg"] <= nimg:
                events.append(Report(row["nimg"], {k: v for k, v in row.items() if k != "nimg"}))
        warned = [r for r in self._records if WARNING in r and r["nimg"] <= nimg]
        events += [Warned(r["nimg"], r[WARNING]) for r in warned]
        events += [Snapshot(_nimg(name), self.storage.read(name)) for name in self._pictures() if _nimg(name) <= nimg]
        return events

    @property
    def _records(self) -> list[dict[str, Any]]:
        if self._kept is not None:
            return self._kept
        try:
            lines = self.storage.read(LINES).decode().splitlines()
        except MissingError:
            return []
        return [json.loads(line) for line in lines]

    def _pictures(self) -> list[str]:
        return self.storage.names(f"{SAMPLES}snapshot-")

    def _take_back(self, nimg: int) -> None:
        self._kept = None
        self._kept = [record for record in self._records if record["nimg"] <= nimg]
        for name in self._pictures():
            if _nimg(name) > nimg:
                self.storage.remove(name)


def _picture(nimg: int) -> str:
    return f"{SAMPLES}snapshot-{nimg:09d}.png"


def _nimg(name: str) -> int:
    return int(Path(name).stem.removeprefix("snapshot-"))
