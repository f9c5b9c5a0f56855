"""Training as a person sees it in a terminal."""

import sys
import time
from types import TracebackType
from typing import Self

from ganflow.training.events import Event, Paused, Report, Snapshot, Started, Warned

QUIET_S = 10.0  # between lines where there is no terminal


class Progress:
    """A listener that draws a bar: images seen, images/s, losses and time left; plain lines without a terminal."""

    def __init__(self, title: str) -> None:
        from tqdm import tqdm

        self._bar = tqdm(
            total=None, desc=title, unit="img", unit_scale=True, dynamic_ncols=True, smoothing=0.1, mininterval=0.2,
            file=sys.stderr, disable=not sys.stderr.isatty(),
        )  # fmt: skip
        self._title, self._total, self._figures, self._spoke = title, 0, "", 0.0

    def __call__(self, event: Event) -> None:
        if isinstance(event, Started):
            self._start(event)
        elif isinstance(event, Report):
            terms = {name: value for name, value in event.metrics.items() if name.startswith(("D/", "G/"))}
            losses = " ".join(f"{name}={value:.3f}" for name, value in terms.items())
            speed = event.metrics.get("images_per_second", 0.0)
            self._show(event.nimg, losses, speed)
        elif isinstance(event, Snapshot):
            self._figures = " ".join(f"{name}={value:.3g}" for name, value in event.metrics.items())
        elif isinstance(event, Paused):
            self._say(f"{self._title} paused after {event.nimg:,} images, all saved: {event.why}")
        elif isinstance(event, Warned):
            seen = f" {event.nimg:,}/{self._total:,} images," if self._total else ""  # resuming may warn, too
            self._say(f"{self._title}{seen} warning: {event.message}")

    def _start(self, event: Started) -> None:
        self._total = event.total
        self._bar.reset(total=event.total)
        self._bar.initial = self._bar.n = event.nimg
        where = f"{event.workers} worker{'s' if event.workers > 1 else ''} on {event.device}"
        verb = f"goes on after {event.nimg:,} images" if event.nimg else "starts"
        self._say(f"{self._title} {verb}: {event.total:,} images, {where}")

    def _show(self, nimg: int, losses: str, speed: float) -> None:
        if not self._bar.disable:
            self._bar.set_postfix_str(f"{losses} {self._figures}", refresh=False)
            self._bar.update(nimg - self._bar.n)
        elif time.monotonic() - self._spoke > QUIET_S or nimg >= self._total:
            left = (self._total - nimg) / speed if speed else 0.0
            seen = f"{nimg:,}/{self._total:,} images, {speed:,.0f}/s, {left:.0f} s left"
            self._say(f"{self._title} {seen}, {losses} {self._figures}")

    def _say(self, line: str) -> None:
        self._spoke = time.monotonic()
        self._bar.write(line, file=sys.stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.close()
