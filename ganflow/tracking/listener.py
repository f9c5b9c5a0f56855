"""Training's events as an MLflow run shows them."""

from ganflow.tracking.runs import TrackedRun
from ganflow.training.events import Event, Listener, Report, Snapshot


def follow(run: TrackedRun) -> Listener:
    """A listener that logs curves over images seen, and the sample grids."""

    def listen(event: Event) -> None:
        if isinstance(event, Report | Snapshot):
            run.metrics(event.metrics, step=event.nimg)
        if isinstance(event, Snapshot):
            run.image(event.grid, f"snapshot-{event.nimg:09d}.png")

    return listen
