import csv
import io
from pathlib import Path

from ganflow.training.events import Report, Saving, Snapshot, Started, Warned
from ganflow.training.history import History
from ganflow.training.model_folder import export_reports


def test_reports_hold_the_grids_of_this_run_alone(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    for name, last in (("long", 4000), ("short", 2000)):
        history = History(tmp_path / name)
        fill(history, 0, last)
        export_reports(history, reports)
        assert (reports / "samples/final.png").read_bytes() == f"png {last}".encode()
    assert [p.name for p in sorted((reports / "samples").iterdir())] == ["final.png", "snapshot-000002000.png"]


def fill(history: History, first: int, last: int) -> None:
    history(Started(first, 4000, 2, "cpu"))
    for nimg in range(first + 1000, last + 1, 1000):
        history(Report(nimg, {"D/adversarial": nimg / 10}))
        if nimg % 2000 == 0:
            history(Snapshot(nimg, f"png {nimg}".encode(), {"fid": 1.0}))
    history(Saving(last))


def test_one_row_per_image_count(tmp_path: Path) -> None:
    history = History(tmp_path / "run")
    fill(history, 0, 4000)
    rows = list(csv.DictReader(io.StringIO(history.csv())))
    assert [row["kimg"] for row in rows] == ["1.0", "2.0", "3.0", "4.0"]
    assert [row["fid"] for row in rows] == ["", "1.0", "", "1.0"]
    assert list(history.snapshots().values()) == [b"png 2000", b"png 4000"]


def test_what_came_after_the_checkpoint_is_taken_back(tmp_path: Path) -> None:
    whole, cut = History(tmp_path / "whole"), History(tmp_path / "cut")
    fill(whole, 0, 4000)
    fill(cut, 0, 3000)
    again = History(tmp_path / "cut")
    fill(again, 1000, 4000)
    assert again.csv() == whole.csv()
    assert again.snapshots() == whole.snapshots()


def test_warnings_are_told_again_but_are_no_figures(tmp_path: Path) -> None:
    history = History(tmp_path)
    fill(history, 0, 2000)
    told = [Warned(2000, "collapse"), Warned(2000, "D/r1 not finite"), Warned(2500, "later")]
    for event in told:
        history(event)
    assert history.csv().splitlines()[0] == "kimg,D/adversarial,fid"
    assert len(history.rows()) == 2
    assert [event for event in history.before(2000) if isinstance(event, Warned)] == told[:2]
