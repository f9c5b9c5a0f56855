"""Before torch is loaded: one thread per process, for there are several processes and the networks are small."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support import reaper

reaper.watch()

os.environ.setdefault("OMP_NUM_THREADS", "1")
# Nothing that the tests start tells anyone outside.
os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", RAY_USAGE_STATS_ENABLED="0", DVC_NO_ANALYTICS="1")
# The same examples every time, however slow the machine is.
settings.register_profile("tests", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


# What takes longest starts first, so that no worker of pytest is left alone with it.
FIRST = ("tests/pipelines", "tests/cluster", "tests/generation/test_export", "tests/serving", "tests/tracking")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files before the others, those of :data:`FIRST` before all."""

    def place(item: pytest.Item) -> tuple[bool, int]:
        folders = [number for number, folder in enumerate(FIRST) if item.nodeid.startswith(folder)]
        return item.get_closest_marker("slow") is None, min(folders, default=len(FIRST))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """What has been imported lives on: the garbage collector need not walk through it again and again."""
    gc.freeze()


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits as a data set on disk."""
    from ganflow.config import components
    from ganflow.data.prepare import prepare

    root = tmp_path_factory.mktemp("digits") / "data"
    prepare(components.build("source", {"name": "digits"}, "data"), root)
    return root


@pytest.fixture(scope="session")
def unlabelled(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Path:
    """300 digits without labels and without a test split."""
    import numpy as np

    from ganflow.data.prepared.dataset import Dataset, Facts
    from ganflow.data.prepared.shards import SplitWriter, workplace, write_manifest

    root = tmp_path_factory.mktemp("unlabelled") / "data"
    images = Dataset.open(digits).images(np.arange(300))
    facts = Facts((1, 8, 8), 0)
    with workplace(root) as place:
        writer = SplitWriter(place.data, "train", facts, 2**20)
        writer.add(images, np.zeros(300, np.int64))
        write_manifest(place.data, facts, [], {"train": writer.close()}, {"name": "made"})
    return root


@pytest.fixture
def messages() -> Iterator[None]:
    """Messages are written to stderr, as they are in a command."""
    from ganflow.terminal.messages import shown

    with shown():
        yield


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where trained extractors are kept."""
    return tmp_path_factory.mktemp("cache")
