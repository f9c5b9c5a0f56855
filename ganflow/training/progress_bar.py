"""Training as a person sees it in a terminal."""

from types import TracebackType
from typing import Self

from ganflow.terminal.progress import Bar
from ganflow.terminal.screen import SCREEN
from ganflow.training.events import Event, Paused, Progressed, Report, Snapshot, Started, Warned


class Progress:
    """A listener that shows a bar: images seen, images/s, losses and time left."""

    def __init__(self, title: str) -> None:
        self._title, self._total, self._losses, self._figures = title, 0, "", ""
        self._terms: tuple[str, ...] = ()  # what the names of the players' terms begin with
        self._bar: Bar | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, Started):
            self._start(event)
        elif isinstance(event, Progressed):
            self._show(event.nimg)
        elif isinstance(event, Report):
            terms = {name: value for name, value in event.metrics.items() if name.startswith(self._terms)}
            self._losses = " ".join(f"{name}={value:.3f}" for name, value in terms.items())
            self._show(event.nimg)
        elif isinstance(event, Snapshot):
            self._figures = " ".join(f"{name}={value:.3g}" for name, value in event.metrics.items())
            self._show(event.nimg)
        elif isinstance(event, Paused):
            self._say(f"paused after {event.nimg:,} images, all saved: {event.why}")
        elif isinstance(event, Warned):
            progress = f"{event.nimg:,} of {self._total:,} images, " if self._total else ""  # resuming may warn, too
            self._say(f"{progress}warning: {event.message}")

    def _start(self, event: Started) -> None:
        self._total, self._terms = event.total, tuple(f"{player}/" for player in event.players)
        where = f"{event.workers} worker{'s' if event.workers > 1 else ''} on {event.device}"
        verb = f"goes on after {event.nimg:,} images" if event.nimg else "starts"
        self._say(f"{verb}: {event.total:,} images, {where}")
        if self._bar is None:
            self._bar = Bar(self._title, event.total, done=event.nimg)
        else:
            self._bar.begin(event.total, event.nimg)

    def _show(self, nimg: int) -> None:
        if self._bar is not None:
            self._bar.reach(nimg, " ".join(filter(None, [self._losses, self._figures])))

    def _say(self, line: str) -> None:
        SCREEN.write(f"{self._title} {line}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close(kind is None)
