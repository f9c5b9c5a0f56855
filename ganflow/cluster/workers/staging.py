"""The files that workers need, put where they find them: the data set, the run's files, trained extractors.

Without a cluster that is named, all of it lies on this machine and is read there. On a cluster it lies in
``cluster.storage``, which every node reaches, and a node keeps what it has fetched under ``cluster.cache``.
"""

import hashlib
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock

from ganflow.cluster.session.cluster_address import address_of
from ganflow.config import project_folder
from ganflow.config.schema import ClusterConfig
from ganflow.data.prepared.dataset import MANIFEST, files_of, read_manifest
from ganflow.errors import GanflowError, require
from ganflow.methods.start import Start
from ganflow.storage.base import Storage
from ganflow.storage.local_folder import LocalFolder
from ganflow.storage.locate import open_storage
from ganflow.storage.retries import Patient
from ganflow.terminal.progress import progress

AT_A_TIME = 8  # transfers
RUNS, DATA, EXTRACTORS, STARTS = "runs", "data", "extractors", "starts"


def storage_of(cluster: ClusterConfig, named: bool) -> Storage:
    """``cluster.storage``, of which all nodes see the same where a cluster is ``named``.

    Raises:
        GanflowError: the storage of a named cluster would be a folder of this checkout.
    """
    shared = "://" in cluster.storage or Path(cluster.storage).expanduser().is_absolute()
    hint = "s3://bucket/prefix, or the path of a folder that all nodes share, as the cluster's nodes must reach it"
    require(shared or not named, "cluster.storage", cluster.storage, hint)
    return open_storage(cluster.storage if "://" in cluster.storage else project_folder.place(cluster.storage))


@dataclass(frozen=True)
class RunStaging:
    """Travels to the workers.

    ``shared`` says that they are on machines of their own; ``data`` is a folder, or the data set's digest then;
    ``start`` is the digest of the weights to begin with, empty without.
    """

    storage: Storage
    shared: bool
    data: str
    cache: Path
    patience_s: float
    start: str = ""

    def run(self, name: str) -> Storage:
        """The place of one run, waited for when it is away."""
        return self._there(f"{RUNS}/{name}")

    def _there(self, name: str) -> Storage:
        return Patient(self.storage.below(name), self.patience_s)

    def data_here(self) -> Path:
        """The data set's folder on this machine; a node fetches it once and checks every file.

        Raises:
            GanflowError: it cannot be fetched, or is not what the driver has.
        """
        if not self.shared:
            return Path(self.data)
        local = self.cache.expanduser() / DATA / self.data
        source = self._there(f"{DATA}/{self.data}")
        with _one_at_a_time(local):
            if not (local / MANIFEST).is_file():
                _fetch(source, local)
        return local

    def with_start(self, start: Start | None) -> "RunStaging":
        """The same with the weights to begin with, which are put into the storage; None: fresh ones."""
        if start is None:
            return self
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "start.safetensors")
            digest = start.write(file)
            target = self._there(STARTS)
            if digest not in target.names():
                target.upload(file, digest)
        return replace(self, start=digest)

    def start_here(self, source: str) -> Start | None:
        """The weights to begin with; None: fresh ones.

        Raises:
            GanflowError: they cannot be fetched, or are not what the driver had.
        """
        if not self.start:
            return None
        with tempfile.TemporaryDirectory() as folder:
            _fetch_file(self._there(STARTS), Path(folder), self.start, self.start)
            return Start.read(source, Path(folder, self.start))

    def extractors_here(self) -> Path:
        """The folder of trained extractors on this machine, with those that the storage has."""
        if not self.shared and isinstance(self.storage, LocalFolder):
            return self.storage.root / EXTRACTORS
        cache, source = self.cache.expanduser() / EXTRACTORS, self._there(EXTRACTORS)
        with _one_at_a_time(cache):
            for name in source.names():
                if not (cache / name).is_file():
                    source.download(name, cache / name)
        return cache

    def keep_extractors(self, folder: Path) -> None:
        """Hand on what is new in :meth:`extractors_here`."""
        if self.shared or not isinstance(self.storage, LocalFolder):
            target = self._there(EXTRACTORS)
            present = set(target.names())
            for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")):
                if path.relative_to(folder).as_posix() not in present:
                    target.upload(path, path.relative_to(folder).as_posix())


def supply(cluster: ClusterConfig, data: Path) -> RunStaging:
    """Bring a data set to where the workers find it, unless it is there.

    Raises:
        GanflowError: no data set, or storage that does not take it.
    """
    shared = address_of(cluster.address) is not None
    storage = storage_of(cluster, shared)
    where = str(data.absolute())
    if shared:
        where = _publish(data, Patient(storage, cluster.patience_s))
    return RunStaging(storage, shared, where, project_folder.place(cluster.cache), cluster.patience_s)


def _publish(data: Path, storage: Storage) -> str:
    manifest = read_manifest(data)
    digest: str = manifest["digest"]
    target = storage.below(f"{DATA}/{digest}")
    present = set(target.names())
    missing = [name for name in files_of(manifest) if name not in present]
    if MANIFEST in present and not missing:
        return digest
    sizes = [(data / name).stat().st_size for name in missing]
    with progress(sum(sizes), f"upload to {target}", "B") as advance, ThreadPoolExecutor(AT_A_TIME) as pool:
        uploads = pool.map(lambda name: target.upload(data / name, name), missing)
        for size, _ in zip(sizes, uploads, strict=True):
            advance(size)
    target.upload(data / MANIFEST, MANIFEST)
    return digest


def _fetch(source: Storage, target: Path) -> None:
    """The manifest comes last: it says that all is here and right."""
    unfinished = target.with_name(f".{target.name}.partial")
    source.download(MANIFEST, unfinished / MANIFEST)
    files = files_of(read_manifest(unfinished))
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(lambda item: _fetch_file(source, unfinished, *item), files.items()))
    shutil.rmtree(target, ignore_errors=True)
    unfinished.rename(target)


def _fetch_file(source: Storage, folder: Path, name: str, sha256: str) -> None:
    path = folder / name
    if path.is_file() and _sha256(path) == sha256:
        return  # an earlier attempt, cut off
    source.download(name, path)
    if _sha256(path) != sha256:
        path.unlink()
        raise GanflowError(
            f"{source}/{name} does not match its checksum; remove {source} and run the same command again"
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _one_at_a_time(folder: Path) -> FileLock:
    folder.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(folder.with_name(f".{folder.name}.lock"))
