"""Constraints on the values of ``params.yaml``, each and together."""

import re
from collections.abc import Sequence
from typing import Any

from ganflow.config import components
from ganflow.config.scheduled_options import moving, schedulable, value_at
from ganflow.config.schema import Config, GuardConfig
from ganflow.config.similar_names import nearest
from ganflow.distributed.batch_split import check_workers
from ganflow.errors import require

CONDITIONING = ("none", "projection", "auxiliary")
PRECISIONS = ("auto", "fp32", "bf16")
REFERENCES = ("train", "test")
MODES = ("min", "max")  # of tune.metric
DECAYS = ("constant", "linear", "cosine")
ON_COLLAPSE = ("stop", "rollback", "warn")
EXPORTS = ("pt2", "onnx")
LONGEST_LICENCE = 200
LATENCY = "latency_ms"  # of a batch of images: a figure of the gate's alone


def check_values(config: Config) -> None:
    """Refuse values that are impossible, or impossible together.

    Raises:
        ConfigError: the first one.
    """
    _check_choices(config)
    _check_numbers(config)
    _check_figures(config)
    _check_schedule(config)
    _check_guard(config.training.guard)
    _check_promotion(config)
    _check_licence(config.register.license)
    _check_batch(config)


def figures_of(metrics: Sequence[str]) -> dict[str, str]:
    """Figure → the one of these metrics that gives it."""
    known: dict[str, Any] = components.choices("metric")
    return {figure: name for name in metrics for figure in known[name].figures}


def _check_choices(config: Config) -> None:
    gpu = config.cluster.gpu
    methods = list(components.choices("method"))
    hint = f"one of {', '.join(methods)}{nearest(config.method, methods)}"
    require(config.method in methods, "method", config.method, hint)
    _one_of(CONDITIONING, "gan.conditioning", config.gan.conditioning)
    _one_of(PRECISIONS, "training.precision", config.training.precision)
    _one_of(REFERENCES, "evaluation.reference", config.evaluation.reference)
    _one_of(MODES, "tune.mode", config.tune.mode)
    require(gpu == "auto" or isinstance(gpu, bool), "cluster.gpu", gpu, "one of auto, true, false")
    for form in config.register.exports:
        require(form in EXPORTS, "register.exports", form, f"any of {', '.join(EXPORTS)}, or []")


def _one_of(choices: Sequence[str], key: str, value: str) -> None:
    require(value in choices, key, value, "one of " + ", ".join(choices))


def _check_numbers(config: Config) -> None:
    t, e, tune, cluster = config.training, config.evaluation, config.tune, config.cluster
    positive = {
        "gan.latent_dim": config.gan.latent_dim, "vae.sigma": config.vae.sigma, "vae.beta": config.vae.beta,
        "training.batch": t.batch, "training.kimg": t.kimg,
        "training.d_steps": t.d_steps, "training.report_kimg": t.report_kimg,
        "training.snapshot_kimg": t.snapshot_kimg, "training.checkpoint_kimg": t.checkpoint_kimg,
        "evaluation.batch": e.batch, "tune.kimg": tune.kimg,
        "tune.concurrent": tune.concurrent, "tune.grace_kimg": tune.grace_kimg,
        "cluster.cpus_per_worker": cluster.cpus_per_worker, "cluster.start_timeout_s": cluster.start_timeout_s,
        "cluster.patience_s": cluster.patience_s, "tracking.patience_s": config.tracking.patience_s,
    }  # fmt: skip
    for key, value in positive.items():
        require(value > 0, key, value, "must be more than 0")
    require(tune.trials >= 0, "tune.trials", tune.trials, "0 (no search) or more")
    require(t.ema_kimg >= 0, "training.ema_kimg", t.ema_kimg, "0 (no average) or more")
    require(t.ema_rampup >= 0, "training.ema_rampup", t.ema_rampup, "0 (no ramp-up) or more")
    require(t.ema_start_kimg >= 0, "training.ema_start_kimg", t.ema_start_kimg, "0 (from the start) or more")
    require(e.samples > 1, "evaluation.samples", e.samples, "must be at least 2")
    intervals = e.resamples == 0 or e.resamples >= 20
    require(intervals, "evaluation.resamples", e.resamples, "0 (no intervals), or 20 or more")
    require(e.snapshot_samples > 1, "evaluation.snapshot_samples", e.snapshot_samples, "must be at least 2")
    require(cluster.max_failures >= 0, "cluster.max_failures", cluster.max_failures, "0 or more")


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
    _one_of(DECAYS, key + "decay", s.decay)
    require(0 <= s.floor <= 1, key + "floor", s.floor, "0 to 1")
    require(s.warmup_kimg >= 0, key + "warmup_kimg", s.warmup_kimg, "0 (none) or more")
    require(s.kimg is None or s.kimg > 0, key + "kimg", s.kimg, "more than 0, or null for training.kimg")
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
    below = any(name == place or name.startswith(f"{place}.") for place in movable)
    require(below, key, end, f"with method={config.method} what may move is in {', '.join(movable)}")
    option = name.rpartition(".")[2]
    require(option != "lr", key, end, "both players' rates follow training.schedule.floor")
    now = value_at(config, name)
    require(now is not None, key, end, f"no such key in params.yaml; ~{key} drops it")
    numbers = now if isinstance(now, list | tuple) else [now]
    require(all(type(n) is float for n in numbers), key, end, f"only decimal numbers can be scheduled; it is {now}")


def _check_guard(g: GuardConfig) -> None:
    key = "training.guard."
    require(g.patience > 0, key + "patience", g.patience, "must be more than 0")
    require(0 < g.slow_down <= 1, key + "slow_down", g.slow_down, "more than 0, at most 1")
    require(g.rollbacks >= 0, key + "rollbacks", g.rollbacks, "0 (stop at once) or more")
    _one_of(ON_COLLAPSE, key + "on_collapse", g.on_collapse)
    require(0 <= g.min_diversity < 1, key + "min_diversity", g.min_diversity, "0 (never a collapse) to less than 1")


def _check_licence(text: str) -> None:
    one_line = text.isprintable() and text == text.strip() and len(text) <= LONGEST_LICENCE
    allowed = f"an SPDX id or one line of at most {LONGEST_LICENCE} characters; empty states none"
    require(one_line, "register.license", text, allowed)


def _check_promotion(config: Config) -> None:
    p, key = config.promotion, "promotion."
    metrics: dict[str, Any] = components.choices("metric")
    bounded = sorted(metric.bounded for metric in metrics.values() if metric.bounded)
    require(p.metric in bounded, key + "metric", p.metric, f"one that has an interval: {', '.join(bounded)}")
    directed = [name for m in metrics.values() for name, figure in m.figures.items() if figure.better]
    figures = [*directed, LATENCY]
    for part, worst in (("limits", p.limits), ("first", p.first)):
        for figure, value in worst.items():
            where = f"{key}{part}.{figure}"
            require(figure in figures, where, value, f"no such figure; there are {', '.join(figures)}")
            require(value is None or type(value) in (int, float), where, value, "must be a number, or null")
            sound = part == "first" or value is None or value >= 0
            require(sound, where, value, "0 (not worse at all) or more, or null")
    require(LATENCY not in p.limits, f"{key}limits.{LATENCY}", p.limits.get(LATENCY), f"set {key}latency, a ratio")
    require(p.latency is None or p.latency > 0, key + "latency", p.latency, "must be more than 0, or null")
    require(re.fullmatch(r"[\w-]+", p.alias) is not None, key + "alias", p.alias, "letters, digits, '_' and '-'")
    require(p.alias != config.register.alias, key + "alias", p.alias, "must not be register.alias")
