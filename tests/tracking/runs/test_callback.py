from pathlib import Path
from typing import Any, cast

from ganflow.tracking.runs.callback import follow
from ganflow.tracking.runs.tracked_run import TrackedRun
from ganflow.training.events import Report, Started, Warned
from ganflow.training.history import History


class Files:
    """The part of a run that keeps text."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.points: list[tuple[int, dict[str, float]]] = []

    def text(self, content: str, path: str) -> None:
        self.texts[path] = content

    def metrics(self, values: dict[str, float], step: int) -> None:
        self.points.append((step, values))


def test_warnings_of_an_earlier_driver_and_of_this_one_stand_in_one_file_once(tmp_path: Path) -> None:
    history, run = History(tmp_path), Files()
    history(Started(0, 4000, 1, "cpu"))
    for event in (Report(1000, {"D/adversarial": 1.0}), Warned(1000, "D/r1 not finite"), Warned(3000, "later")):
        history(event)
    listen = follow(cast(TrackedRun, cast(Any, run)), history)
    for event in (Started(2000, 4000, 1, "cpu"), Warned(2500, "collapse"), Started(2000, 4000, 1, "cpu")):
        listen(event)
    assert run.texts == {"warnings.txt": "1,000 images: D/r1 not finite\n2,500 images: collapse\n"}
    assert run.points == [(1000, {"D/adversarial": 1.0})] * 2
