"""Training's events as an MLflow run shows them."""

from ganflow.tracking.runs.tracked_run import TrackedRun
from ganflow.training.events import Event, Listener, Report, Snapshot, Started, Warned
from ganflow.training.history import History

WARNINGS = "warnings.txt"


def follow(run: TrackedRun, history: History) -> Listener:
    """A listener that logs curves over images seen, the sample grids, and warnings as ``warnings.txt``.

    When training goes on, it first logs what an earlier driver did not live to log.
    """
    warnings: dict[str, None] = {}  # a set in order: what is told again is one line

    def listen(event: Event) -> None:
        if isinstance(event, Started) and event.nimg:
            for earlier in history.before(event.nimg):
                listen(earlier)
        if isinstance(event, Report | Snapshot):
            run.metrics(event.metrics, step=event.nimg)
        if isinstance(event, Snapshot):
            run.image(event.grid, f"snapshot-{event.nimg:09d}.png")
        if isinstance(event, Warned):
            warnings[f"{event.nimg:,} images: {event.message}"] = None
            run.text("".join(f"{line}\n" for line in warnings), WARNINGS)

    return listen
