"""From a source to a data set on disk. Knows no S3: the caller hands it in."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ganflow.data.decoding.source_statistics import Tally
from ganflow.data.prepared.dataset import Facts, Labels
from ganflow.data.prepared.shards import SHARD_BYTES, SplitWriter, Workplace, workplace, write_manifest
from ganflow.data.source import Bad, Content, Decode, Decoded, Items, Source
from ganflow.data.summary import warnings
from ganflow.errors import ConfigError, GanflowError
from ganflow.terminal.progress import Progress, progress

PARALLEL_ABOVE = 1024  # images that need decoding; fewer are done before processes are up
BATCH_IMAGES = 256
BATCH_BYTES = 16 * 2**20
NAMED = 20  # bad files in one error line


@dataclass(frozen=True)
class DecodeJob:
    """A batch of items to decode; picklable."""

    split: str
    items: Items  # (B,)
    labels: Labels  # (B,)
    decode: Decode

    def run(self) -> Decoded:
        """Decode the batch."""
        return self.decode(self.items)


Mapper = Callable[[Sequence[DecodeJob]], Iterator[Decoded]]


def serial_map(jobs: Sequence[DecodeJob]) -> Iterator[Decoded]:
    """Run the jobs here, one after the other. Any other mapper gives the same results in the same order."""
    return (job.run() for job in jobs)


def local(uri: str, scratch: Path) -> Path:
    """The place of a source that is on this machine already."""
    return Path(uri)


def accept(facts: Facts) -> None:
    """Take any data."""


def cold() -> None:
    """Warm nothing up."""


def prepare(
    source: Source,
    out: Path,
    *,
    locate: Callable[[str, Path], Path] = local,
    check: Callable[[Facts], None] = accept,
    mapper: Mapper = serial_map,
    warm_up: Callable[[], None] = cold,
    show: Progress = progress,
    shard_bytes: int = SHARD_BYTES,
) -> dict[str, Any]:
    """Write a source as a data set; ``out`` appears whole or not at all, and replaces what was there.

    Args:
        source: where the images come from.
        out: the folder to write.
        locate: brings the source's path to this machine, given a scratch folder.
        check: refuses facts that will not do, before any work starts.
        mapper: runs the jobs when more than ``PARALLEL_ABOVE`` images need decoding.
        warm_up: called before a costly source is read, so that the mapper then starts at once.
        show: the progress bar.
        shard_bytes: the size of a full shard; memory is bounded by one.

    Returns:
        The report: facts, classes, counts per split and class, skipped and ignored files, how the source was
        read, what its pixels were, warnings, digest, seconds.

    Raises:
        GanflowError: the source is empty, damaged or contradicts itself, or holds unreadable images.
    """
    start = time.monotonic()
    with workplace(out) as work:
        path = locate(source.path, work.scratch)
        if source.costly:
            warm_up()
        content = source.read(path, work.scratch)
        _check(content, check)
        many = source.costly and _count(content) > PARALLEL_ABOVE
        how = mapper if many else serial_map
        written = _write(content, work, how, show, shard_bytes)
        if again := _by_other_ranges(content, written.tally):
            content = again
            _clear(work.data)
            written = _write(content, work, how, show, shard_bytes)
        manifest = write_manifest(work.data, content.facts, content.classes, written.splits, content.recipe)
    report = _report(source, content, written, str(manifest["digest"]))
    return report | {"seconds": round(time.monotonic() - start, 2), "warnings": warnings(report)}


def _by_other_ranges(content: Content, tally: Tally) -> Content | None:
    """The content decoded by the ranges that its values ask for; None where it was."""
    ranges = content.ranges.settle(tally.seen)
    if content.with_ranges is None or ranges.agrees(content.ranges, tally.seen):
        return None
    return content.with_ranges(ranges)


def _clear(folder: Path) -> None:
    for inner in folder.iterdir():
        shutil.rmtree(inner)


def _check(content: Content, check: Callable[[Facts], None]) -> None:
    """Refuse facts; a refusal because of labels says why there are none."""
    try:
        check(content.facts)
    except ConfigError as error:
        why = "; ".join(filter(None, [content.understood.labels, *content.understood.warnings]))
        if error.key != "gan.conditioning" or content.facts.num_classes or not why:
            raise
        raise ConfigError(error.key, error.value, f"{error.allowed} ({why})") from None


def _count(content: Content) -> int:
    return sum(len(split.items) for split in content.splits.values())


def _counts(split: dict[str, Any], classes: list[str]) -> dict[str, object]:
    per_class = dict(zip(classes, split["per_class"], strict=False))
    return {"count": split["count"], "shards": len(split["shards"]), "per_class": per_class}


def jobs_of(content: Content) -> list[DecodeJob]:
    """Cut every split into batches, in order; a batch is small enough that several fit into memory."""
    sizes = {name: max(1, min(BATCH_IMAGES, BATCH_BYTES // content.facts.size(name))) for name in content.splits}
    return [
        DecodeJob(name, split.items[i : i + sizes[name]], split.labels[i : i + sizes[name]], split.decode)
        for name, split in content.splits.items()
        for i in range(0, len(split.items), sizes[name])
    ]


@dataclass(frozen=True)
class _Written:
    splits: dict[str, dict[str, Any]]  # of the manifest
    bad: list[Bad]
    tally: Tally


def _report(source: Source, content: Content, written: _Written, digest: str) -> dict[str, Any]:
    return {
        "source": {**content.recipe, "path": source.path},
        "facts": content.facts.stated(),
        "splits": {name: _counts(split, content.classes) for name, split in written.splits.items()},
        "skipped": [asdict(b) for b in written.bad],
        "ignored": content.ignored,
        "understood": asdict(content.understood),
        "pixels": written.tally.report(content.ranges),
        "digest": digest,
    }


def _write(content: Content, place: Workplace, mapper: Mapper, show: Progress, shard_bytes: int) -> _Written:
    writers = {name: SplitWriter(place.data, name, content.facts, shard_bytes) for name in content.splits}
    jobs, bad, tally = jobs_of(content), list[Bad](), Tally()
    with show(_count(content)) as advance:
        for job, decoded in zip(jobs, mapper(jobs), strict=True):
            bad += decoded.bad
            tally += decoded.tally
            if content.skip_bad or not bad:
                writers[job.split].add(decoded.images, np.asarray(job.labels)[decoded.kept], decoded.further)
            advance(len(job.items))
    bad.sort(key=lambda b: b.file)
    if bad and not content.skip_bad:
        raise GanflowError(f"{_name(bad)}; data.on_bad_image=skip leaves them out")
    splits = {name: writer.close() for name, writer in writers.items()}
    empty = [name for name, split in splits.items() if not split["count"]]
    if empty:
        raise GanflowError(f"no image is left in split {empty[0]}: {_name(bad)}")
    return _Written(splits, bad, tally)


def _name(bad: list[Bad]) -> str:
    named = ", ".join(f"{b.file} ({b.why})" for b in bad[:NAMED])
    more = f" and {len(bad) - NAMED:,} more" if len(bad) > NAMED else ""
    return f"{len(bad):,} unreadable image{'s' if len(bad) != 1 else ''}: {named}{more}"
