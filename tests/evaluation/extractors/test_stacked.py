"""A stacked image is recognised channel by channel."""

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from ganflow.config import components
from ganflow.config.schema import EvaluationConfig
from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset, Facts
from ganflow.evaluation.build import build_evaluator
from ganflow.evaluation.evaluation_result import class_shares
from ganflow.evaluation.extractors.stacked import Channels
from ganflow.report.metrics_file import flat
from tests.support.replay import Replay
from tests.support.small import CLASSIFIER, EXTRACTOR


@pytest.fixture(scope="module")
def stacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Triples of scikit-learn's digits, which are small enough to be learned in seconds."""
    folder = tmp_path_factory.mktemp("stacked")
    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    for split, rows in (("train", slice(0, 1400)), ("t10k", slice(1400, None))):
        pixels, labels = images[rows], digits.target[rows].astype(np.uint8)
        head = struct.pack(">4I", 0x803, len(pixels), 8, 8)
        (folder / f"{split}-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, len(labels)) + labels.tobytes())
    node = {"name": "stacked_mnist", "path": str(folder), "count": 3000, "test_count": 500}
    prepare(components.build("source", node, "data"), folder / "data")
    return folder / "data"


def test_channels_are_grey_images_of_their_own_class(stacked: Path) -> None:
    data = Dataset.open(stacked)
    single = Channels(data)
    assert len(single) == 9000
    assert single.facts == Facts((1, 8, 8), 10)
    rows = np.array([0, 1, 2, 8999, 4, 4])
    expected = data.images(np.arange(3000)).reshape(9000, 1, 8, 8)[rows]
    np.testing.assert_array_equal(single.images(rows), expected)
    digits = [[int(digit) for digit in data.classes[label]] for label in np.asarray(data.labels)]
    np.testing.assert_array_equal(single.labels.reshape(-1, 3), digits)
    assert single.digest != data.digest


def test_samples_are_recognised_digit_by_digit(stacked: Path, tmp_path: Path) -> None:
    metrics = {"modes": {"name": "modes"}, "fid": {"name": "fid"}}
    config = EvaluationConfig(extractor={**EXTRACTOR, "kimg": 20}, metrics=metrics, reference="test")
    measured = build_evaluator(config, stacked, tmp_path, torch.device("cpu"))
    assert measured.extractor.accuracy > 0.9
    test = measured.reference
    everything = Replay(test, np.arange(500))
    inputs = measured.inputs(everything)
    fake = inputs.fake
    assert fake.logits.shape == (500, 3, 10)
    assert fake.embeddings.shape == (500, 3 * 2 * CLASSIFIER.width)
    agree = (fake.recognised.numpy() == test.labels).mean()
    assert agree > 0.9**3
    figures = flat(measured.outcome(inputs).figures)
    assert figures["fid"] == pytest.approx(0.0, abs=1e-9)
    counts = np.bincount(fake.recognised, minlength=1000)
    assert figures["modes"] == (counts > 0).sum() > 300
    assert "high_quality" not in figures
    assert len(class_shares(inputs)) == 1000
    assert measured.extractor.name.endswith(" per channel")
