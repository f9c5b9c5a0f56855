"""Before torch is loaded: one thread per process, for there are several processes and the networks are small."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits as a data set on disk."""
    from ganflow import component
    from ganflow.data.prepare import prepare

    root = tmp_path_factory.mktemp("digits") / "data"
    prepare(component.build("source", {"name": "digits"}, "data"), root)
    return root
