"""What workers on other machines need travels through the storage, checked, once per node."""

import multiprocessing
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ganflow.cluster.workers.staging import RunStaging, storage_of, supply
from ganflow.config.schema import ClusterConfig
from ganflow.data.prepared.dataset import MANIFEST, Dataset
from ganflow.errors import ConfigError, GanflowError
from ganflow.methods.start import Start
from ganflow.storage.base import StorageError
from ganflow.storage.local_folder import LocalFolder
from tests.support.patience import patience


def cluster(folder: Path) -> ClusterConfig:
    return ClusterConfig(address="10.0.0.1:6379", storage=str(folder / "storage"), cache=str(folder / "cache"))


@pytest.fixture(autouse=True)
def _silent(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing is said that a test does not look at, and then clear."""
    yield
    assert not [r for r in caplog.get_records("call") if r.name.startswith("ganflow")]


def test_without_a_cluster_nothing_travels(digits: Path, tmp_path: Path) -> None:
    made = supply(ClusterConfig(storage=str(tmp_path / "s")), digits)
    assert made.data_here() == digits.absolute()
    assert made.extractors_here() == tmp_path / "s/extractors"
    made.keep_extractors(made.extractors_here())
    assert not (tmp_path / "s").exists()


def test_a_data_set_is_published_once_and_fetched_once(digits: Path, tmp_path: Path) -> None:
    made = supply(cluster(tmp_path), digits)
    published = {path: path.stat().st_mtime_ns for path in (tmp_path / "storage").rglob("*") if path.is_file()}
    assert supply(cluster(tmp_path), digits).data == made.data
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "storage").rglob("*") if path.is_file()} == published
    here = made.data_here()
    assert here.is_relative_to(tmp_path / "cache")
    assert Dataset.open(here).digest == Dataset.open(digits).digest == made.data
    shutil.rmtree(tmp_path / "storage")
    assert made.data_here() == here


def fetch(made: RunStaging, results: "multiprocessing.Queue[str]") -> None:
    results.put(str(made.data_here()))


def test_workers_of_one_node_do_not_disturb_each_other(digits: Path, tmp_path: Path) -> None:
    made = supply(cluster(tmp_path), digits)
    context = multiprocessing.get_context("forkserver")
    results: multiprocessing.Queue[str] = context.Queue()
    workers = [context.Process(target=fetch, args=(made, results)) for _ in range(3)]
    for worker in workers:
        worker.start()
    found = {results.get(timeout=patience(120)) for _ in workers}
    for worker in workers:
        worker.join()
    assert len(found) == 1
    Dataset.open(Path(found.pop()))


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_damaged_file_is_never_trained_on(digits: Path, tmp_path: Path, damage: str) -> None:
    made = supply(cluster(tmp_path), digits)
    victim = next((tmp_path / "storage").rglob("images-00000.npy"))
    if damage == "changed":
        victim.write_bytes(victim.read_bytes()[:-1] + b"x")
    else:
        victim.unlink()
    with pytest.raises(GanflowError, match=r"does not match its checksum; remove|is not there"):
        made.data_here()
    assert not (tmp_path / "cache/data" / made.data).exists()
    shutil.rmtree(tmp_path / "storage")
    supply(cluster(tmp_path), digits).data_here()


def test_a_fetch_that_was_cut_off_goes_on(digits: Path, tmp_path: Path) -> None:
    made = supply(cluster(tmp_path), digits)
    unfinished = tmp_path / "cache/data" / f".{made.data}.partial"
    (unfinished / "train").mkdir(parents=True)
    (unfinished / "train/images-00000.npy").write_bytes(b"half of it")
    Dataset.open(made.data_here())
    assert not unfinished.exists()


def test_extractors_go_to_the_storage_and_come_from_it(digits: Path, tmp_path: Path) -> None:
    made = supply(cluster(tmp_path), digits)
    here = made.extractors_here()
    here.mkdir(parents=True, exist_ok=True)
    (here / "classifier-1.pt").write_bytes(b"weights")
    made.keep_extractors(here)
    other = RunStaging(made.storage, True, made.data, tmp_path / "other", 1)
    assert (other.extractors_here() / "classifier-1.pt").read_bytes() == b"weights"


def test_weights_to_begin_with_go_to_the_storage_once_and_are_checked(digits: Path, tmp_path: Path) -> None:
    start = Start("a model", {"a": torch.ones(3)}, {"D": {"b": torch.zeros(2)}})
    made = supply(cluster(tmp_path), digits)
    assert made.with_start(None) == made
    assert made.start_here("a model") is None
    given = made.with_start(start)
    assert given == made.with_start(start)
    assert made.storage.below("starts").names() == [given.start]
    here = given.start_here("a model")
    assert here is not None
    assert torch.equal(here.average["a"], torch.ones(3))
    assert torch.equal(here.players["D"]["b"], torch.zeros(2))
    made.storage.below("starts").write(given.start, b"damaged")
    with pytest.raises(GanflowError, match="does not match its checksum"):
        given.start_here("a model")


def test_a_folder_of_the_checkout_is_no_storage_of_a_cluster() -> None:
    with pytest.raises(ConfigError, match=r"^cluster\.storage=\.ganflow: s3://bucket/prefix, or the path of a folder"):
        storage_of(ClusterConfig(), named=True)
    assert storage_of(ClusterConfig(), named=False).uri.endswith("/.ganflow")


class Away(LocalFolder):
    """Does not answer at first."""

    calls = 0

    def names(self, prefix: str = "") -> list[str]:
        if Away.calls:
            Away.calls -= 1
            raise StorageError("away", passing=True)
        return super().names(prefix)

    def below(self, name: str) -> LocalFolder:
        return Away(self.root / name)


def test_a_storage_that_is_away_when_a_worker_starts_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Away, "calls", 2)
    made = RunStaging(Away(tmp_path / "s"), True, "digest", tmp_path / "c", 60)
    made.extractors_here()
    assert len(caplog.messages) == 2
    caplog.clear()


def test_a_storage_that_is_away_when_the_data_set_is_published_is_waited_for(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Away, "calls", 2)
    monkeypatch.setattr(
        "ganflow.cluster.workers.staging.storage_of", lambda cluster, shared: Away(Path(cluster.storage))
    )
    made = supply(cluster(tmp_path), digits)
    assert (tmp_path / "storage/data" / made.data / MANIFEST).is_file()
    assert "waiting for it" in caplog.messages[0]
    caplog.clear()


def test_one_machine_may_keep_its_runs_on_s3(tmp_path: Path, digits: Path) -> None:
    made = supply(ClusterConfig(storage="s3://bucket/x", cache=str(tmp_path)), digits)
    assert made.data_here() == digits.absolute()
    assert made.run("name").uri == "s3://bucket/x/runs/name"
