"""The search for hyper-parameters: short trainings under Ray Tune, the weak ones stopped early by ASHA."""

import importlib
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from ganflow.cluster.jobs import trial_values
from ganflow.cluster.jobs.trial_bar import callback
from ganflow.cluster.session.fork_server import take_threads
from ganflow.cluster.session.session import RAY_FILES, session
from ganflow.cluster.workers.channel import event_channel
from ganflow.cluster.workers.controller import Work
from ganflow.cluster.workers.scaling import ScalingPolicy
from ganflow.cluster.workers.staging import RunStaging
from ganflow.config import search_space
from ganflow.config.composition import override
from ganflow.config.recipes import own_recipes
from ganflow.config.schema import Config
from ganflow.config.search_space import Dimension
from ganflow.config.validation import figures_of
from ganflow.config.yaml_file import Node
from ganflow.errors import GanflowError
from ganflow.evaluation.build import build_evaluator
from ganflow.report.metrics_file import flat
from ganflow.terminal.progress import Bars

logger = logging.LoggerAdapter(logging.getLogger(__name__), {"who": "tune"})

BROKE_DOWN = "broke_down"
REDUCTION = 3  # ASHA keeps a third at every rung (Li et al., 2020)


@dataclass(frozen=True)
class Trial:
    """One training of the search."""

    overrides: list[str]
    value: float | None  # of tune.metric at the last report; None: the trial failed or broke down
    kimg: float
    seconds: float
    curve: list[dict[str, float]]  # kimg, value


@dataclass(frozen=True)
class SearchResult:
    """All trials in the order they were drawn; the first is the configuration as it stands."""

    metric: str
    mode: str
    trials: list[Trial]

    @property
    def best(self) -> Trial:
        """The best of the trials that went furthest: figures of shorter trainings do not compare."""
        done = [trial for trial in self.trials if trial.value is not None]
        furthest = max(trial.kimg for trial in done)
        sign = 1 if self.mode == "min" else -1
        return min((t for t in done if t.kimg == furthest), key=lambda t: sign * (t.value or 0.0))


def search(config: Config, name: str, supply: RunStaging, beside: Callable[[], object]) -> SearchResult:
    """Search ``tune.space`` with ``tune.trials`` short trainings on the train split of what is supplied.

    ``beside`` is called once before the first trial, while a worker trains the extractor.

    Raises:
        GanflowError: nothing to search, a value that cannot work, or no trial that ended well.
    """
    searched = trial_values.searched(config)
    fixed = [dimension.key for dimension in search_space.dimensions(config.tune.space) if dimension.key not in searched]
    if fixed:
        logger.info(f"{', '.join(fixed)} differ from the recipe, so they stay as you set them")
    if not searched:
        raise GanflowError("tune.space: nothing is left to search; set tune.trials=0 to train as params.yaml stands")
    trial_values.check_values(config)
    with session(config.cluster, meanwhile=lambda: importlib.import_module("ray.tune")):
        _make_extractor(config, supply, beside)
        results = _tuner(config, name, searched, supply).fit()
    trials = [_trial(result, config) for result in results]
    if all(trial.value is None for trial in trials):
        raise GanflowError(f"tune: no trial ended well; the first says: {_reason(results[0])}")
    return SearchResult(config.tune.metric, config.tune.mode, trials)


def _make_extractor(config: Config, supply: RunStaging, beside: Callable[[], object]) -> None:
    """Train the extractor if it is not there: once, or every trial would train one."""
    import ray

    from ganflow.cluster.workers.process_group import reason_of

    with Bars() as bars, event_channel(bars) as pump:
        make: Any = ray.remote(num_cpus=config.cluster.cpus_per_worker)(_extractor)
        made = make.remote(Work(config, supply, pump.actor))
        beside()
        try:
            ray.get(made)
        except ray.exceptions.RayTaskError as error:
            raise reason_of(error) or error from None


def _extractor(work: Work) -> None:
    """Runs in a worker."""
    take_threads()
    supply: RunStaging = work.payload
    extractors = supply.extractors_here()
    build_evaluator(work.config.evaluation, supply.data_here(), extractors, torch.device("cpu"), work.post)
    supply.keep_extractors(extractors)


def _tuner(config: Config, name: str, searched: Mapping[str, Dimension], supply: RunStaging) -> Any:
    from ray import tune
    from ray.tune.search.basic_variant import BasicVariantGenerator

    need = {"cpu": float(config.cluster.cpus_per_worker), "gpu": float(ScalingPolicy(config.cluster).gpu())}
    given = tune.with_parameters(_train, base=config, supply=supply, recipes=own_recipes.hand_over(config.recipe))
    return tune.Tuner(
        tune.with_resources(given, need),
        param_space={key: trial_values.domain(dimension) for key, dimension in searched.items()},
        tune_config=tune.TuneConfig(
            num_samples=config.tune.trials, reuse_actors=True,  # a new process would import torch again
            scheduler=_asha(config),
            search_alg=BasicVariantGenerator(
                points_to_evaluate=[trial_values.start(config, searched)], max_concurrent=config.tune.concurrent,
                random_state=config.seed,
            ),
        ),
        run_config=tune.RunConfig(
            name=name, storage_path=str(RAY_FILES), verbose=0, callbacks=[callback(config, BROKE_DOWN)],
            failure_config=tune.FailureConfig(max_failures=config.cluster.max_failures),
        ),
    )  # fmt: skip


def _asha(config: Config) -> Any:
    from ray.tune.schedulers import ASHAScheduler

    longest, grace = (round(kimg * 1000) for kimg in (config.tune.kimg, config.tune.grace_kimg))
    return ASHAScheduler(
        time_attr="nimg", metric=config.tune.metric, mode=config.tune.mode, max_t=longest, grace_period=grace,
        reduction_factor=REDUCTION,
    )  # fmt: skip


def _train(values: dict[str, object], base: Config, supply: RunStaging, recipes: dict[str, Node]) -> None:
    """One trial: a world of one that reports at every snapshot.

    One that breaks down (:mod:`ganflow.training.divergence`) says why and ends with the worst figure there is: it is an
    outcome, so Ray does not try it again as it does one that lost its machine.
    """
    from ray import tune

    from ganflow.training.build import build_trainer, open_train
    from ganflow.training.callbacks import Callbacks
    from ganflow.training.events import Event, Snapshot

    take_threads()
    own_recipes.take(recipes)
    config = override(trial_config(base), trial_values.overrides(values, base))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    data = supply.data_here()
    evaluator = build_evaluator(config.evaluation, data, supply.extractors_here(), device)

    def report(event: Event) -> None:
        if isinstance(event, Snapshot):
            # Lengths are whole batches; the last report is one of the full length all the same.
            nimg = event.nimg if event.nimg < config.training.total else round(config.tune.kimg * 1000)
            tune.report({config.tune.metric: event.metrics[config.tune.metric], "nimg": nimg})

    samples = config.evaluation.snapshot_samples
    name = figures_of(config.evaluation.snapshot_metrics)[config.tune.metric]
    evaluator.check_enough(samples, [name], "evaluation.snapshot_samples")
    callbacks = Callbacks(report, lambda g: flat(evaluator.measure_one(config.tune.metric, g, samples, name)))
    start = supply.start_here(config.training.start)
    trainer = build_trainer(config, open_train(data), device, callbacks=callbacks, start=start)
    try:
        trainer.fit()
    except GanflowError as why:
        worst = math.inf if config.tune.mode == "min" else -math.inf
        tune.report({config.tune.metric: worst, "nimg": round(config.tune.kimg * 1000), BROKE_DOWN: str(why)})


def trial_config(base: Config) -> Config:
    """A trial's length and rhythm: every ``tune.grace_kimg`` a snapshot, by which ASHA decides, whatever it costs."""
    short = replace(base.training, kimg=base.tune.kimg, snapshot_kimg=base.tune.grace_kimg, overhead=None)
    return replace(base, training=short)


def _trial(result: Any, config: Config) -> Trial:
    metrics = result.metrics or {}
    frame = result.metrics_dataframe
    metric = config.tune.metric
    points = [] if frame is None or frame.empty else zip(frame["nimg"], frame[metric], strict=True)
    curve = [{"kimg": nimg / 1000, "value": value} for nimg, value in points if math.isfinite(value)]
    value = None if result.error or BROKE_DOWN in metrics else metrics.get(metric)
    return Trial(
        overrides=trial_values.overrides(result.config or {}, config), value=value, kimg=metrics.get("nimg", 0) / 1000,
        seconds=metrics.get("time_total_s", 0.0), curve=curve,
    )  # fmt: skip


def _reason(result: Any) -> str:
    if result.error:
        return str(result.error).strip().splitlines()[-1]
    return str((result.metrics or {}).get(BROKE_DOWN, "it reported nothing"))
