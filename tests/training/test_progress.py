import pytest

from ganflow.training.events import Report, Snapshot, Started, Warned
from ganflow.training.progress import Progress


def test_without_a_terminal_it_speaks_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("train") as progress:
        progress(Started(1000, 4000, 2, "cpu"))
        progress(Snapshot(2000, b"", {"fid": 12.34}))
        progress(Warned(3000, "D/r1 not finite"))
        progress(Report(4000, {"D/adversarial": 1.25, "lr/D": 1e-4, "images_per_second": 500.0}))
    shown = capsys.readouterr().err
    assert "train goes on after 1,000 images: 4,000 images, 2 workers on cpu" in shown
    assert "train 3,000/4,000 images, warning: D/r1 not finite\n" in shown
    assert "4,000/4,000 images, 500/s, 0 s left, D/adversarial=1.250 fid=12.3" in shown
