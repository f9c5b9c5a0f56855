import pytest

from ganflow.evaluation.bars import Bars
from ganflow.evaluation.evaluator import Advanced


def test_a_bar_ends_when_its_work_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    with Bars() as bars:
        for event in (Advanced("samples", 6, 10), Advanced("train images", 3, 5), Advanced("samples", 4, 10)):
            bars(event)
        said = capsys.readouterr().err
        assert said.strip().partition(", ")[0] == "samples: 10 of 10 images"
        assert said.count("\n") == 1
        bars(Advanced("measure", 1, 2))
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(", ")[0] for line in said] == ["train images: 3 of 5 images", "measure: 1 of 2 metrics"]
