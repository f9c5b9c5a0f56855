"""Rules between several values of ``params.yaml``; those of a single one stand in its schema."""

from collections.abc import Sequence
from typing import Any

from ganflow.config import catalogue, constraints
from ganflow.config.scheduled_options import moving, schedulable, value_at
from ganflow.config.schema import Config
from ganflow.config.similar_names import nearest
from ganflow.distributed.batch_split import check_workers
from ganflow.errors import require

LATENCY = "latency_ms"  # of a batch of images: a figure of the gate's alone


def check_values(config: Config) -> None:
    """Refuse values that are impossible, or impossible together.

    Raises:
        ConfigError: the first one.
    """
    methods = catalogue.entries("method")
    hint = f"one of {', '.join(methods)}{nearest(config.method, methods)}"
    require(config.method in methods, "method", config.method, hint)
    constraints.check(config)
    _check_figures(config)
    _check_schedule(config)
    _check_promotion(config)
    _check_batch(config)
    frozen = config.gan.freeze_discriminator
    hint = "0, or set training.start: fresh layers that do not learn are noise"
    require(not frozen or bool(config.training.start), "gan.freeze_discriminator", frozen, hint)


def figures_of(metrics: Sequence[str]) -> dict[str, str]:
    """Figure → the one of these metrics that gives it."""
    entries = catalogue.entries("metric")
    return {figure: name for name in metrics for figure in entries[name].declares["figures"]}


def _check_figures(config: Config) -> None:
    e, tune = config.evaluation, config.tune
    unknown = [name for name in e.snapshot_metrics if name not in e.metrics]
    has = f"one of evaluation.metrics: {', '.join(e.metrics)}"
    require(not unknown, "evaluation.snapshot_metrics", ", ".join(unknown), has)
    figures = figures_of(e.snapshot_metrics)
    one_of_them = f"one of what evaluation.snapshot_metrics measure: {', '.join(figures)}"
    require(tune.metric in figures, "tune.metric", tune.metric, one_of_them)


def _check_batch(config: Config) -> None:
    batch, micro = config.training.batch, config.training.microbatch
    whole = f"null (a worker's share), or a divisor of training.batch={batch}"
    require(micro is None or (micro > 0 and batch % micro == 0), "training.microbatch", micro, whole)
    check_workers(batch, config.cluster.workers, micro)


def _check_schedule(config: Config) -> None:
    s, key = config.training.schedule, "training.schedule."
    lengths = {"training.kimg": config.training.kimg} | ({"tune.kimg": config.tune.kimg} if config.tune.trials else {})
    lengths |= {key + "kimg": s.kimg} if s.kimg is not None else {}
    for name, kimg in lengths.items():
        require(s.warmup_kimg < kimg, key + "warmup_kimg", s.warmup_kimg, f"must be less than {name}={kimg}")
    for name, end in moving(config).items():
        _check_move(config, name, end)


def _check_move(config: Config, name: str, end: Any) -> None:
    s, key = config.training.schedule, f"training.schedule.to.{name}"
    require(s.decay != "constant", key, end, "follows the decay; set training.schedule.decay=cosine or linear")
    movable = schedulable(config)
    below = any(name == section or name.startswith(f"{section}.") for section in movable)
    require(below, key, end, f"with method={config.method} what may move is in {', '.join(movable)}")
    option = name.rpartition(".")[2]
    require(option != "lr", key, end, "learning rates follow training.schedule.floor")
    now = value_at(config, name)
    require(now is not None, key, end, f"no such key in params.yaml; ~{key} drops it")
    numbers = now if isinstance(now, list | tuple) else [now]
    require(all(type(n) is float for n in numbers), key, end, f"only decimal numbers can be scheduled; it is {now}")


def _check_promotion(config: Config) -> None:
    p, key = config.promotion, "promotion."
    metrics = [entry.declares for entry in catalogue.entries("metric").values()]
    bounded = sorted(metric["bounded"] for metric in metrics if metric["bounded"])
    require(p.metric in bounded, key + "metric", p.metric, f"one that has an interval: {', '.join(bounded)}")
    directed = [name for metric in metrics for name, figure in metric["figures"].items() if figure["better"]]
    figures = [*directed, LATENCY]
    for part, worst in (("limits", p.limits), ("first", p.first)):
        for figure, value in worst.items():
            where = f"{key}{part}.{figure}"
            require(figure in figures, where, value, f"no such figure; there are {', '.join(figures)}")
            require(value is None or type(value) in (int, float), where, value, "must be a number, or null")
            sound = part == "first" or value is None or value >= 0
            require(sound, where, value, "0 (not worse at all) or more, or null")
    require(LATENCY not in p.limits, f"{key}limits.{LATENCY}", p.limits.get(LATENCY), f"set {key}latency, a ratio")
    require(p.alias != config.register.alias, key + "alias", p.alias, "must not be register.alias")
