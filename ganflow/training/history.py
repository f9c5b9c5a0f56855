"""A run's curves and grids, beside its checkpoints: rank 0 writes them, so they reach as far as the checkpoints do."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from ganflow.files import write_whole
from ganflow.training.events import Event, Report, Snapshot, Started, Warned

WARNING = "warning"  # the one record that is no figure


class History:
    """A listener that appends to ``history.jsonl`` and writes ``samples/snapshot-<images seen>.png``.

    When training goes on from a checkpoint, what came after it is taken back: it will be reported again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lines = folder / "history.jsonl"
        self._samples = folder / "samples"

    def __call__(self, event: Event) -> None:
        if isinstance(event, Started):
            self._take_back(event.nimg)
        elif isinstance(event, Snapshot):
            write_whole(self._picture(event.nimg), event.grid)
        if isinstance(event, Report | Snapshot) and event.metrics:
            self._append({"nimg": event.nimg, **event.metrics})
        elif isinstance(event, Warned):
            self._append({"nimg": event.nimg, WARNING: event.message})

    def rows(self) -> list[dict[str, Any]]:
        """One row per image count, with all that was reported there, in order."""
        rows: dict[int, dict[str, Any]] = {}
        for record in self._records():
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

    def snapshots(self) -> list[Path]:
        """The grids, oldest first."""
        return sorted(self._samples.glob("snapshot-*.png"))

    def before(self, nimg: int) -> list[Event]:
        """What was told of the first ``nimg`` images, to tell it again to a listener that may have missed some."""
        told: list[Event] = []
        for row in self.rows():
            if row["nimg"] <= nimg:
                told.append(Report(row["nimg"], {k: v for k, v in row.items() if k != "nimg"}))
        warned = [r for r in self._records() if WARNING in r and r["nimg"] <= nimg]
        told += [Warned(r["nimg"], r[WARNING]) for r in warned]
        pictures = {int(path.stem.removeprefix("snapshot-")): path for path in self.snapshots()}
        return told + [Snapshot(at, path.read_bytes()) for at, path in pictures.items() if at <= nimg]

    def _append(self, record: dict[str, Any]) -> None:
        with self._lines.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def _picture(self, nimg: int) -> Path:
        return self._samples / f"snapshot-{nimg:09d}.png"

    def _take_back(self, nimg: int) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = [record for record in self._records() if record["nimg"] <= nimg]
        write_whole(self._lines, "".join(json.dumps(record) + "\n" for record in kept))
        for picture in self.snapshots():
            if picture.name > self._picture(nimg).name:
                picture.unlink()

    def _records(self) -> list[dict[str, Any]]:
        if not self._lines.exists():
            return []
        records = []
        for line in self._lines.read_text(encoding="utf-8").splitlines():
            try:
                records.append(json.loads(line))
            except ValueError:  # the last line of a killed driver
                continue
        return records
