"""Training's events as an MLflow run shows them."""

from ganflow.tracking.runs import TrackedRun
from ganflow.training.events import Event, Listener, Report, Snapshot, Started
from ganflow.training.history import History


def follow(run: TrackedRun, history: History) -> Listener:
    """A listener that logs curves over images seen, and the sample grids.

    When training goes on, it first logs what an earlier driver did not live to log.
    """

    def listen(event: Event) -> None:
        if isinstance(event, Started) and event.nimg:
            for earlier in history.before(event.nimg):
                listen(earlier)
        if isinstance(event, Report | Snapshot):
            run.metrics(event.metrics, step=event.nimg)
        if isinstance(event, Snapshot):
            run.image(event.grid, f"snapshot-{event.nimg:09d}.png")

    return listen
