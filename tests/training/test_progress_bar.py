import pytest

from ganflow.training.events import Paused, Progressed, Report, Snapshot, Started, Warned
from ganflow.training.progress_bar import Progress


def test_without_a_terminal_it_speaks_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("train") as progress:
        progress(Started(1000, 4000, 2, "cpu"))
        progress(Snapshot(2000, b"", {"fid": 12.34}))
        progress(Warned(3000, "D/r1 not finite"))
        progress(Paused(3500, "node a is going away"))
        progress(Started(3500, 4000, 1, "cpu", ("G", "D")))
        progress(Report(4000, {"D/adversarial": 1.25, "lr/D": 1e-4, "images_per_second": 500.0}))
    goes_on, warned, paused, again, last = capsys.readouterr().err.splitlines()
    assert goes_on == "train goes on after 1,000 images: 4,000 images, 2 workers on cpu"
    assert warned == "train 3,000 of 4,000 images, warning: D/r1 not finite"
    assert paused == "train paused after 3,500 images, all saved: node a is going away"
    assert again == "train goes on after 3,500 images: 4,000 images, 1 worker on cpu"
    assert last.startswith("train: 4,000 of 4,000 images, ")
    assert last.endswith("D/adversarial=1.250 fid=12.3")


def test_it_moves_between_reports_and_keeps_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("train") as progress:
        progress(Started(0, 4000, 1, "cpu", ("D",)))
        progress(Report(1000, {"D/adversarial": 1.25}))
        progress(Progressed(3500))
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("train: 3,500 of 4,000 images, ")
    assert last.endswith("D/adversarial=1.250")
