"""Features of a split are made once and kept; what is damaged or of another kind is made anew."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ganflow.data.prepared.dataset import Dataset
from ganflow.evaluation.evidence.feature_store import split_features
from ganflow.evaluation.metrics.features import Features
from tests.support.ranks import on_ranks


class Counting:
    """Pixels as features; knows how many images it saw."""

    accuracy = None

    def __init__(self, name: str = "counting") -> None:
        self.name, self.seen = name, 0

    def __call__(self, images: Tensor) -> Features:
        self.seen += len(images)
        flat = images.flatten(1).float()
        return Features(flat, flat[:, :3], own_classes=False)


def no_bar(_: int) -> None:
    """Nobody looks."""


def same(a: Features, b: Features) -> bool:
    fields: list[Any] = ["embeddings", "logits", "labels"]
    return a.own_classes == b.own_classes and all(torch.equal(getattr(a, f), getattr(b, f)) for f in fields)


def test_images_pass_the_extractor_once(digits: Path, tmp_path: Path) -> None:
    data, extractor = Dataset.open(digits, "test"), Counting()
    first = split_features(data, extractor, 50, tmp_path, no_bar)
    assert extractor.seen == len(data)
    np.testing.assert_array_equal(first.embeddings, data.images(np.arange(len(data))).reshape(len(data), -1))
    np.testing.assert_array_equal(first.labels, data.labels)
    again = split_features(data, extractor, 50, tmp_path, no_bar)
    assert extractor.seen == len(data)
    assert same(first, again)


@pytest.mark.parametrize("change", ["split", "extractor"])
def test_another_split_or_extractor_is_not_taken_for_it(change: str, digits: Path, tmp_path: Path) -> None:
    split_features(Dataset.open(digits, "test"), Counting(), 50, tmp_path, no_bar)
    other = Counting("other" if change == "extractor" else "counting")
    data = Dataset.open(digits, "train" if change == "split" else "test")
    assert len(split_features(data, other, 50, tmp_path, no_bar)) == other.seen == len(data)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_damaged_file_is_made_anew(digits: Path, tmp_path: Path) -> None:
    data = Dataset.open(digits, "test")
    first = split_features(data, Counting(), 50, tmp_path, no_bar)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:1000])
    extractor = Counting()
    assert same(split_features(data, extractor, 50, tmp_path, no_bar), first)
    assert extractor.seen == len(data)
    assert same(split_features(data, Counting(), 50, tmp_path, no_bar), first)


def on_rank(root: Path, cache: Path) -> tuple[int, Features]:
    from ganflow.distributed import collectives

    extractor = Counting()
    mine = cache if collectives.rank() == 0 else cache / "of-another-machine"
    first = split_features(Dataset.open(root, "test"), extractor, 50, cache, no_bar)
    seen = extractor.seen
    split_features(Dataset.open(root, "test"), extractor, 50, mine, no_bar)
    assert extractor.seen == 2 * seen, "who does not see the file cannot be left alone with the work"
    return seen, first


def test_ranks_share_the_work(digits: Path, tmp_path: Path) -> None:
    data = Dataset.open(digits, "test")
    alone = split_features(data, Counting(), 50, tmp_path / "alone", no_bar)
    several = on_ranks(2, on_rank, digits, tmp_path / "several")
    assert sum(seen for seen, _ in several) == len(data)
    assert all(same(found, alone) for _, found in several)
