"""Curves are read from what a run's history writes."""

import math
from pathlib import Path

import pytest

from ganflow.errors import GanflowError
from ganflow.report.curves import read_curves
from ganflow.training.events import Report, Snapshot, Started
from ganflow.training.history import History


def test_losses_stand_together_and_each_metric_alone(tmp_path: Path) -> None:
    history = History(tmp_path)
    history(Started(0, 4000, 1, "cpu"))
    history(Report(1000, {"D/adversarial": 1.0, "G/adversarial": 2.0, "D/r1": 0.1, "images_per_second": 9.0}))
    history(Report(2000, {"D/adversarial": 1.5, "G/adversarial": 1.0, "sample_diversity": 0.5, "lr/D": 0.1}))
    history(Snapshot(2000, b"", {"fid": 9.0, "coverage": 0.5}))
    history(Report(3000, {"D/adversarial": 1.25, "lr/D": 0.1, "lr/G": 0.2, "gradient/D": 3.0}))
    history(Snapshot(4000, b"", {"fid": 0.1, "fid_low": 0.05, "coverage": 1.0}))
    curves = {curve.title: curve for curve in read_curves(history.csv())}
    assert list(curves) == [
        "Losses", "Coverage of classes", "FID", "Sample diversity", "Regularisers: D/r1", "Learning rates",
        "Gradient norms: gradient/D", "Images per second",
    ]  # fmt: skip
    losses = curves["Losses"]
    assert losses.x == (1, 2, 3)
    assert losses.series == {"D/adversarial": (1.0, 1.5, 1.25), "G/adversarial": (2.0, 1.0, None)}
    fid = curves["FID"]  # its rows alone: a line goes on where nothing was to be measured
    assert fid.x == (2, 4)
    assert fid.series == {"fid": (9.0, 0.1), "fid_low": (None, 0.05)}
    assert fid.log
    assert not curves["Coverage of classes"].log
    assert curves["Learning rates"].series == {"lr/D": (0.1, 0.1), "lr/G": (None, 0.2)}


def test_terms_of_other_players_are_losses_and_nan_stays() -> None:
    text = "kimg,vae/kl,vae/reconstruction,vae/odd\n1.5,2,nan,1\n2.5,1,3,\n"
    losses, other = read_curves(text)
    assert losses.title == "Losses"
    assert losses.series["vae/kl"] == (2.0, 1.0)
    first = losses.series["vae/reconstruction"][0]
    assert first is not None
    assert math.isnan(first)
    assert other.title == "Regularisers: vae/odd"
    assert other.x == (1.5,)


def test_no_training_no_curves() -> None:
    assert read_curves("") == []
    assert read_curves("kimg\n") == []


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "kimg,fid\n1,many\n", "kimg,fid\n1,2,3\n"])
def test_another_table_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(GanflowError, match=r"^no table of training figures over kimg: [^\n]*$"):
        read_curves(text)
