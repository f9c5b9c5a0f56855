"""Unlabelled digits, and a small extractor of each, made once."""

from pathlib import Path

import numpy as np
import pytest

from ganflow.data.dataset import Dataset, Facts
from ganflow.data.shards import SplitWriter, workplace, write_manifest
from ganflow.schema import ClassifierConfig

CLASSIFIER = ClassifierConfig(width=8, kimg=12)


@pytest.fixture(scope="session")
def unlabelled(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Path:
    """300 digits without labels and without a test split."""
    root = tmp_path_factory.mktemp("unlabelled") / "data"
    images = Dataset.open(digits).images(np.arange(300))
    facts = Facts(8, 1, 0)
    with workplace(root) as place:
        writer = SplitWriter(place.data, "train", facts, 2**20)
        writer.add(images, np.zeros(300, np.int64))
        write_manifest(place.data, facts, [], {"train": writer.close()}, {"name": "made"})
    return root


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where trained extractors are kept."""
    return tmp_path_factory.mktemp("cache")
