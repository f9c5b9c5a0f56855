from pathlib import Path

import numpy as np
import torch

from ganflow.config import components
from ganflow.data.prepare import prepare
from ganflow.data.prepared.dataset import Dataset
from ganflow.distributed import rng
from ganflow.training.batches import BatchSource


def test_points_are_fed_as_they_are(tmp_path: Path) -> None:
    prepare(components.build("source", {"name": "grid25", "count": 500, "test_count": 0}, "data"), tmp_path / "data")
    data = Dataset.open(tmp_path / "data")
    points, labels, *_ = BatchSource(data, 3, 2, True, False, torch.device("cpu"), 50, {}).real(450, 100)
    rows = rng.sample_order(3, 450, 100, 500)
    assert points.dtype == torch.float32
    np.testing.assert_array_equal(points, data.images(rows))
    np.testing.assert_array_equal(labels, data.labels[rows])
