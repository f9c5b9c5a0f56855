"""The file's names and their order, which DVC, MLflow and plots of earlier versions know."""

from ganflow.evaluation.metrics.base import Measurement
from ganflow.evaluation.outcome import Evaluation, Protocol
from ganflow.report.metrics_file import flat, parse, text, without_bounds

FILE = """{
  "fid": 2.5,
  "fid_low": 2.25,
  "fid_high": 2.75,
  "kid": 0.01,
  "kid_std": 0.002,
  "kid_low": 0.0,
  "kid_high": 0.02,
  "coverage": 0.9,
  "class_reverse_kl": 0.1,
  "coverage_low": 0.8,
  "coverage_high": 1.0,
  "samples": 300,
  "reference": "test",
  "reference_samples": 100,
  "extractor": "classifier-1",
  "extractor_accuracy": null,
  "seed": 0,
  "reference_repeats": 3,
  "left_out": {
    "recall": "needs more"
  }
}
"""
EVALUATION = Evaluation(
    {
        "fid": Measurement(2.5, 2.25, 2.75),
        "kid": Measurement(0.01, 0.0, 0.02, 0.002),
        "coverage": Measurement(0.9, 0.8, 1.0),
        "class_reverse_kl": Measurement(0.1),
    },
    {"recall": "needs more"},
    Protocol(300, "test", 100, "classifier-1", None, 0, 3),
)


def test_it_is_written_and_read_by_the_same_names() -> None:
    assert text(EVALUATION) == FILE
    old = {"fid": 12.5, "samples": 200, "reference": "train", "note": "x", "odd": None, "flag": True}
    assert parse(old) == Evaluation({"fid": Measurement(12.5)}, {}, Protocol(samples=200, reference="train"))


def test_bounds_without_a_figure_are_figures() -> None:
    assert parse({"loss_low": 1.0}).figures == {"loss_low": Measurement(1.0)}
    assert flat(parse({"mine": 1.0, "mine_high": 2.0}).figures) == {"mine": 1.0, "mine_high": 2.0}


def test_without_bounds_deviations_stay() -> None:
    names = ["fid", "kid", "kid_std", "coverage", "class_reverse_kl"]
    assert list(without_bounds(EVALUATION.figures)) == names
