"""A search as a person sees it: a bar over its trials with the best figure so far, and a line for each that ends."""

import logging
import math
from typing import Any

from ganflow.cluster.jobs import trial_values
from ganflow.config.schema import Config
from ganflow.terminal.progress import Bar

logger = logging.LoggerAdapter(logging.getLogger(__name__), {"who": "tune"})


class TrialBar:
    """Hears what trials report. They have the numbers of ``trials.csv``."""

    def __init__(self, config: Config) -> None:
        self._tune = config.tune
        self._reports: dict[int, tuple[int, float]] = {}  # the last one of each trial: images, figure
        self._ended: set[int] = set()
        self._bar = Bar("tune", config.tune.trials, "trials")

    def reported(self, trial: int, nimg: int, value: float) -> None:
        """A trial's figure after so many images."""
        self._reports[trial] = nimg, value
        self._show()

    def ended(self, trial: int, overrides: list[str], failure: str | None = None) -> None:
        """A trial came to its end, was stopped because others are better, or failed."""
        self._ended.add(trial)
        nimg, value = self._reports.get(trial, (0, math.nan))
        early = "" if nimg >= self._longest else ", stopped early"
        worth = failure or f"{self._tune.metric} {value:.4g} after {nimg / 1000:.4g} kimg{early}"
        logger.info(f"trial {trial}: {worth}, with {' '.join(overrides) or 'params.yaml as it stands'}")
        self._show()

    def close(self) -> None:
        """The search is over."""
        self._bar.close()

    @property
    def _longest(self) -> int:
        return round(self._tune.kimg * 1000)

    def _show(self) -> None:
        under_way = [nimg / self._longest for trial, (nimg, _) in self._reports.items() if trial not in self._ended]
        self._bar.reach(len(self._ended) + sum(under_way), self._best())

    def _best(self) -> str:
        """The best of the trials that went furthest: figures of shorter trainings do not compare."""
        worth = {trial: report for trial, report in self._reports.items() if math.isfinite(report[1])}
        if not worth:
            return ""
        sign, furthest = 1 if self._tune.mode == "min" else -1, max(nimg for nimg, _ in worth.values())
        best = min((t for t, (nimg, _) in worth.items() if nimg == furthest), key=lambda t: sign * worth[t][1])
        return f"best {self._tune.metric} {worth[best][1]:.4g} after {furthest / 1000:.4g} kimg (trial {best})"


def callback(config: Config, broke_down: str) -> Any:
    """A callback that hands Ray Tune's events to a :class:`TrialBar`; ``broke_down`` is a report key that says why."""
    from ray.tune import Callback
    from ray.tune.experiment import Trial

    class Listener(Callback):
        def __init__(self) -> None:
            self._bar = TrialBar(config)

        def __reduce__(self) -> tuple[object, ...]:
            return Callback, ()  # Ray Tune stores its callbacks, and tracking.uri may hold a password

        def on_trial_result(
            self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: object
        ) -> None:
            self._bar.reported(trials.index(trial), result["nimg"], result[config.tune.metric])

        def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: object) -> None:
            self._end(trials, trial, trial.last_result.get(broke_down))

        def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: object) -> None:
            self._end(trials, trial, "failed")

        def on_experiment_end(self, trials: list[Trial], **info: object) -> None:
            self._bar.close()

        def _end(self, trials: list[Trial], trial: Trial, failure: str | None) -> None:
            self._bar.ended(trials.index(trial), trial_values.overrides(trial.config, config), failure)

    return Listener()
