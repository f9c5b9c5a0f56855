"""An image each, in a folder or below an S3 prefix; the same command goes on where an earlier one was cut off.

Names tell the sample: the folder is listed once, what is there is not drawn again. ``samples.json`` says what is drawn.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

from ganflow.errors import require
from ganflow.generation.sampling import Sampling
from ganflow.generation.writers import manifest
from ganflow.generation.writers.base import FOLDER, Sink, sink
from ganflow.generation.writers.target import Place
from ganflow.methods.generator import GeneratorSpec
from ganflow.signals import image_grid
from ganflow.signals.base import Samples
from ganflow.storage import Storage
from ganflow.terminal.progress import progress

TOGETHER = 10_000  # files in one folder; more than that lie in folders of so many
AT_A_TIME = 16  # writes
SUFFIX = ".png"

There = npt.NDArray[np.bool_]


@sink(FOLDER, says="a folder with a PNG each")
@dataclass(frozen=True)
class FolderWriter(Sink):
    """A PNG per sample, named by its index; ``by_class``: in a folder per class."""

    by_class: bool = False

    def write(self, sampling: Sampling, place: Place) -> None:
        spec = sampling.spec
        hint = f"{spec.signal.plural} are not images; name a .png (all in one plot) or .npz"
        require(spec.signal.alone, "out", place.out, hint)
        require(not self.by_class or spec.num_classes > 0, "by_class", True, "this generator is unconditional")
        with place.alone():
            self._write(sampling, place, Names(sampling, self.by_class))

    def _write(self, sampling: Sampling, place: Place, names: "Names") -> None:
        note = {**sampling.record(), "by_class": self.by_class}
        begun = manifest.begun(place.storage, note, place.out)
        present = names.there(place.storage)
        hint = f"has such files and no {manifest.RECORD} to say of which model; name another folder"
        require(begun or not present.any(), "out", place.out, hint)
        if begun:
            place.storage.tidy()
        else:
            manifest.begin(place.storage, note)
        with progress(sampling.n, "generate", done=int(present.sum())) as advance, Writes(place.storage) as writes:
            for first in sampling.starts:
                missing = first + np.flatnonzero(~present[first : first + sampling.count(first)])
                if len(missing):
                    samples = sampling.draw(first)[missing - first]
                    advance(writes.finish())
                    writes.begin(map(names.of, missing.tolist()), samples)
                    del samples
            advance(writes.finish())


class Writes:
    """Writes one batch, many files at a time, while the next is drawn."""

    def __init__(self, storage: Storage) -> None:
        self._storage, self._pool = storage, ThreadPoolExecutor(AT_A_TIME, "ganflow-write")
        self._running: list[Future[None]] = []
        self._batch = np.empty(0, np.uint8)  # always the same memory: batches that outlive others fragment the heap

    def begin(self, names: Iterable[str], samples: Samples) -> None:
        """Have a batch written."""
        if len(self._batch) < len(samples):
            self._batch = np.empty_like(samples, np.uint8)
        batch = self._batch[: len(samples)]
        batch[:] = samples
        self._running = [self._pool.submit(self._write, *pair) for pair in zip(names, batch, strict=True)]

    def _write(self, name: str, sample: image_grid.Images) -> None:
        self._storage.write(name, image_grid.png(sample))

    def finish(self) -> int:
        """Wait until it is there; how many files that were.

        Raises:
            StorageError: one cannot be written.
        """
        running, self._running = self._running, []
        for future in running:
            future.result()
        return len(running)

    def __enter__(self) -> "Writes":
        return self

    def __exit__(self, *raised: object) -> None:
        self._pool.shutdown(cancel_futures=True)


class Names:
    """The layout of samples by index: ``[class/][folder of 10,000/]i.png``."""

    def __init__(self, sampling: Sampling, by_class: bool) -> None:
        self.n = sampling.n
        self._classes = [_folder_of(k, sampling.spec) for k in sampling.turn] if by_class else [""]
        self._digits = max(6, len(str(self.n - 1)))
        self._split = -(-self.n // len(self._classes)) > TOGETHER

    def of(self, index: int) -> str:
        """A sample's name."""
        return (PurePosixPath(self._folder(index)) / f"{index:0{self._digits}d}{SUFFIX}").as_posix()

    def _folder(self, index: int) -> str:
        turn, position = divmod(index, len(self._classes))
        part = f"{turn // TOGETHER:03d}" if self._split else ""
        return "/".join(filter(None, (self._classes[position], part)))

    def _folders(self) -> Iterator[str]:
        """Each once, unless a class takes several turns."""
        for start in range(0, self.n, TOGETHER * len(self._classes)):
            for index in range(start, min(start + len(self._classes), self.n)):
                yield self._folder(index)

    def there(self, storage: Storage) -> There:
        """The indices of the samples that are there, from one look into every folder."""
        present = np.zeros(self.n, np.bool_)
        for folder in dict.fromkeys(self._folders()):
            for name in (storage.below(folder) if folder else storage).names():
                stem = name.removesuffix(SUFFIX)
                index = int(stem) if stem.isdecimal() else self.n
                if index < self.n and self.of(index) == "/".join(filter(None, (folder, name))):
                    present[index] = True
        return present


def _folder_of(number: int, spec: GeneratorSpec) -> str:
    """The class's name if it can be one of a folder, else its number: a stranger's model must not name any path."""
    name = spec.classes[number] if number < len(spec.classes) else ""
    usable = name.isprintable() and not name.startswith(".") and not set(name) & set("/\\:")
    return name if name and usable and spec.classes.count(name) == 1 else str(number)
