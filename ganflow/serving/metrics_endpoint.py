"""Figures of the service for Prometheus."""

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from ganflow.serving.model import Model

MEDIA_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)


class Meters:
    """Counters of one service."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "ganflow_requests", "Requests for samples by HTTP status", ["status"], registry=self._registry
        )
        self.samples = Counter("ganflow_samples", "Samples drawn", registry=self._registry)
        self.seconds = Histogram(
            "ganflow_request_seconds", "From request to answer", buckets=_SECONDS, registry=self._registry
        )
        self.waiting = Gauge("ganflow_requests_waiting", "Requests that are not answered yet", registry=self._registry)
        self._model = Gauge(
            "ganflow_model", "1 for the model that is served", ["address", "digest"], registry=self._registry
        )

    def now_serves(self, model: Model) -> None:
        """Say which model it is."""
        self._model.clear()
        self._model.labels(model.address, model.digest).set(1)

    def text(self) -> bytes:
        """All of them in Prometheus's format."""
        return generate_latest(self._registry)
