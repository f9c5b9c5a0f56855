"""The gate between a challenger and the champion: better by more than noise, and nothing much worse.

It judges evaluations that were measured by one protocol, and knows no registry. Without a champion, thresholds take its
place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ganflow.config.schema import EvaluationConfig, PromotionConfig
from ganflow.config.validation import LATENCY, figures_of
from ganflow.errors import ConfigError
from ganflow.evaluation.metrics.base import HIGHER, LOWER, known
from ganflow.evaluation.outcome import Evaluation
from ganflow.evaluation.significance import Difference, compare

BETTER, LIMIT, FIRST, MOVED = "better", "limit", "first", "moved"
WAYS_OUT = {
    BETTER: "promotion.metric may be another",
    LIMIT: "promotion.limits.{}=null does without",
    FIRST: "promotion.first.{}=null does without",
}


@dataclass(frozen=True)
class Contender(Evaluation):
    """A model's evaluation, with what else the gate and its record tell of it."""

    data: str = ""  # the begin of the data set's digest
    latency_ms: float | None = None  # per batch
    latency_batch: int | None = None


@dataclass(frozen=True)
class Check:
    """One condition of the gate."""

    kind: str  # BETTER, LIMIT, FIRST or MOVED
    figure: str
    challenger: float | None
    champion: float | None  # None: there is none yet
    limit: float | None  # noise of BETTER, the most loss or the highest ratio of LIMIT, the worst value of FIRST
    holds: bool
    why: str  # one line


@dataclass(frozen=True)
class Decision:
    """The gate's verdict, and its reasons."""

    checks: Sequence[Check]

    @property
    def promoted(self) -> bool:
        """True if every condition holds."""
        return all(check.holds for check in self.checks)

    @property
    def reasons(self) -> list[str]:
        """Of a refusal: the conditions that do not hold; of a promotion: all of them."""
        return [check.why for check in self.checks if self.promoted or not check.holds]


def check_measured(config: PromotionConfig, evaluation: EvaluationConfig, *, first: bool) -> None:
    """Refuse a gate that asks for what the evaluation does not measure, before the work.

    Raises:
        ConfigError: with the key of the gate that asks for it.
    """
    measured = [*figures_of(list(evaluation.metrics)), LATENCY]
    if not first:
        _require(config.metric in measured, "metric", config.metric, measured)
        if not evaluation.resamples:
            why = "has no interval, for evaluation.resamples is 0; set evaluation.resamples=200"
            raise ConfigError("promotion.metric", config.metric, why)
    part, asked = ("first", config.first) if first else ("limits", config.limits)
    for figure, value in asked.items():
        _require(value is None or figure in measured, f"{part}.{figure}", value, measured)


def judge(config: PromotionConfig, challenger: Contender, champion: Contender | None, ratio: float | None) -> Decision:
    """Hold a challenger against the champion, or against the thresholds of a first model.

    Args:
        config: the gate.
        challenger: its evaluation and latency.
        champion: the same of the champion; None where there is none.
        ratio: the challenger's time per batch over the champion's.

    Raises:
        ConfigError: the gate asks for a figure that was not to be measured, or that has no interval.
        GanflowError: the two were not measured by one protocol.
    """
    if champion is None:
        sides = {"challenger": challenger}
        return Decision(
            [_left_out(FIRST, f, worst, sides) or _first(f, worst, challenger) for f, worst in _asked(config.first)]
        )
    differences = {d.figure: d for d in compare(challenger, champion)}
    sides = {"challenger": challenger, "champion": champion}
    checks = [_left_out(BETTER, config.metric, None, sides) or _better(config.metric, differences)]
    checks += [_left_out(LIMIT, f, most, sides) or _limit(f, most, differences) for f, most in _asked(config.limits)]
    if config.latency is not None and ratio is not None:
        checks.append(_latency(config.latency, ratio, challenger.latency_ms, champion.latency_ms))
    return Decision(checks)


def _left_out(kind: str, figure: str, limit: float | None, sides: Mapping[str, Contender]) -> Check | None:
    """A condition that fails, because an evaluation that was to measure its figure could not; None where it did."""
    for side, contender in sides.items():
        if figure in contender.left_out:
            why = contender.left_out[figure]
            line = f"{figure} of the {side} was not measured: {why}; {WAYS_OUT[kind].format(figure)}"
            return Check(kind, figure, None, None, limit, False, line)
    return None


def _better(figure: str, differences: Mapping[str, Difference]) -> Check:
    bounded = [d.figure for d in differences.values() if d.by is not None]
    d = differences.get(figure)
    if d is None or d.by is None or d.margin is None:
        why = "was not measured of both" if d is None else "has no interval"
        raise ConfigError("promotion.metric", figure, f"{why}; with an interval there is {_list(bounded)}")
    gain = -d.by if d.better == LOWER else d.by
    holds = d.winner == "A"
    verdict = "is better by more than noise" if holds else "is not better by more than noise"
    why = f"{figure} {verdict}: {d.a:.4g} against {d.b:.4g}, a gain of {gain:.4g} ± {d.margin:.2g}"
    return Check(BETTER, figure, d.a, d.b, d.margin, holds, why)


def _limit(figure: str, most: float, differences: Mapping[str, Difference]) -> Check:
    d = differences.get(figure)
    if d is None:
        _require(False, f"limits.{figure}", most, list(differences))
    assert d is not None
    loss = d.a - d.b if d.better == LOWER else d.b - d.a
    holds = loss <= most + 1e-9  # 0.92 − 0.9 is a little more than 0.02
    verdict = f"is worse by {loss:.4g}" if loss > 0 else "is no worse"
    why = f"{figure} {verdict}: {d.a:.4g} against {d.b:.4g}; at most {most:.4g} is allowed"
    return Check(LIMIT, figure, d.a, d.b, most, holds, why)


def _latency(most: float, ratio: float, challenger_ms: float | None, champion_ms: float | None) -> Check:
    why = f"a batch takes {ratio:.3g} × the champion's time; at most {most:.4g} × is allowed"
    return Check(LIMIT, LATENCY, challenger_ms, champion_ms, most, ratio <= most, why)


def _first(figure: str, worst: float, contender: Contender) -> Check:
    values = {name: measurement.value for name, measurement in contender.figures.items()}
    if contender.latency_ms is not None:
        values[LATENCY] = contender.latency_ms
    ways = {name: f.better for name, f in known().items() if f.better} | {LATENCY: LOWER}
    _require(figure in values and figure in ways, f"first.{figure}", worst, [name for name in values if name in ways])
    value, higher = values[figure], ways[figure] == HIGHER
    holds = value >= worst if higher else value <= worst
    needs = f"at {'least' if higher else 'most'} {worst:.4g}"
    return Check(FIRST, figure, value, None, worst, holds, f"{figure} is {value:.4g}; a first champion needs {needs}")


def _asked(worst: Mapping[str, float | None]) -> list[tuple[str, float]]:
    return [(figure, value) for figure, value in worst.items() if value is not None]


def _require(holds: bool, key: str, value: object, names: Sequence[str]) -> None:
    if not holds:
        why = f"is not measured; there is {_list(names)}. Measure it with evaluation/metrics"
        raise ConfigError(f"promotion.{key}", value, why if key == "metric" else f"{why}, or set null")


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
