"""Points through the pipeline: prepare, train, evaluate, register, each stage real, in the small."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.project import Project

pytestmark = pytest.mark.slow

SHORT = (
    "training.schedule.warmup_kimg=0",
    "experiment=ring8", "data.count=2000", "data.test_count=0", "training.batch=128", "training.kimg=2",
    "training.snapshot_kimg=1", "training.checkpoint_kimg=1", "training.report_kimg=1", "evaluation.samples=300",
    "gan.generator.widths=[16]", "gan.discriminator.widths=[16]", "cluster.workers=1", "register.exports=[]",
)  # fmt: skip


def test_points_go_from_the_source_to_the_registry(tmp_path: Path) -> None:
    project = Project(tmp_path, *SHORT, extractor=())
    for stage in ("prepare", "tune", "train", "evaluate", "register"):
        project.stage(stage)
    metrics = json.loads(project.read("reports/metrics.json"))
    assert (metrics["samples"], metrics["reference_samples"], metrics["extractor"]) == (300, 2000, "nearest-mode")
    assert 0 <= metrics["modes"] <= 8
    assert 0 <= metrics["high_quality"] <= 1
    assert 0 <= metrics["reverse_kl"] <= np.log(8) + 1e-9
    assert "modes" in project.read("reports/training.csv").decode().splitlines()[0].split(",")
    assert len(project.read("reports/classes.csv").decode().splitlines()) == 1 + 8
    assert Image.open(io.BytesIO(project.read("reports/samples/final.png"))).size == (480, 480)
    project.run("ganflow", "generate", "--model", "models:/ganflow-ring8@challenger", "-n", "9", "--out", "x.npz")
    assert np.load(tmp_path / "x.npz")["points"].shape == (9, 2)
