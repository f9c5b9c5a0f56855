"""The load of the driver's machine as curves of a run.

MLflow's own monitor stops for good at the first request that fails; this one hands its samples to the run, which
keeps them over an outage. The collectors are MLflow's, so names and units are those that its page knows.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.system_metrics.metrics.base_metrics_monitor import BaseMetricsMonitor

FIRST_S = 1.0  # a run of seconds still gets a few points
LONGEST_S = 15.0


class SystemSampler:
    """Samples CPU, memory, disk, network and GPUs at growing intervals until stopped.

    Args:
        started_ms: when the run began; the step of a sample is the seconds since then, so that a continued run goes on.
        sink: takes the values and their step.
    """

    def __init__(self, started_ms: int, sink: Callable[[Mapping[str, float], int], None]) -> None:
        self._started_ms, self._sink = started_ms, sink
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="mlflow-system", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End sampling."""
        self._stop.set()
        self._thread.join(LONGEST_S)

    def _work(self) -> None:
        collectors, wait = _collectors(), FIRST_S
        _sample(collectors)  # psutil's first CPU figure is always 0
        while not self._stop.wait(wait):
            step = int(time.time() - self._started_ms / 1000)
            self._sink({f"system/{name}": value for name, value in _sample(collectors).items()}, step)
            wait = min(2 * wait, LONGEST_S)


def _collectors() -> "list[BaseMetricsMonitor]":
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
    from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

    collectors: list[BaseMetricsMonitor] = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
    with contextlib.suppress(Exception):  # no NVIDIA library, or a driver that does not answer
        collectors.append(GPUMonitor())
    return collectors


def _sample(collectors: "list[BaseMetricsMonitor]") -> dict[str, float]:
    values: dict[str, float] = {}
    for collector in collectors:
        collector.collect_metrics()
        values.update(collector.aggregate_metrics())
        collector.clear_metrics()
    return values
