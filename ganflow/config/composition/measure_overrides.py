"""The overrides of a command that only measures: of the protocol, and of how pictures become images.

What such a command does not heed is refused, because a run of figures that silently ignored a wish misleads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ganflow.config import composition, params_file
from ganflow.config.schema import Config
from ganflow.config.validation import figures_of
from ganflow.config.yaml_file import Node
from ganflow.errors import ConfigError

HEEDED = ("evaluation", "cluster.storage", "cluster.cache", "tracking", "experiment")
UNHEEDED = ("evaluation.snapshot_samples", "evaluation.snapshot_metrics", "tracking.experiment")
SPLITTING = ("test_share", "splits", "test", "normal", "hold_out")  # of a reference; samples are measured whole
TAKES = "it takes evaluation.…, evaluation/…, data.… of image_folder, cluster.storage, cluster.cache and tracking.uri"


@dataclass(frozen=True)
class Measuring:
    """The protocol of a measurement, and the options of ``image_folder`` for pictures that are not prepared yet."""

    config: Config
    reference: Mapping[str, object] = field(default_factory=dict)
    samples: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Given:
    """The samples and the reference that the command was given."""

    models: bool  # a generator, of which as many samples are drawn as is asked for
    pictures: bool  # samples in a folder, zip or tar
    reference: bool  # a reference in a folder, zip or tar


def measuring(overrides: Sequence[str], given: Given) -> Measuring:
    """Compose what a command measures; without overrides of it as ``params.yaml`` says, where there is one.

    Raises:
        ConfigError: an override that is not heeded, with the way out.
        GanflowError: an override that Hydra refuses.
    """
    of_data = [line for line in overrides if _key(line).startswith("data.")]
    for line in overrides:
        _check_heeded(line, given)
    rest = [line for line in overrides if line not in of_data]
    options = _options(of_data)
    whole = {name: value for name, value in options.items() if name not in SPLITTING}
    settings = params_file.load() if params_file.PARAMS.is_file() and not rest else _composed(rest)
    return Measuring(settings, options, whole)


def _key(line: str) -> str:
    return line.partition("=")[0].lstrip("+~").strip()


def _check_heeded(line: str, given: Given) -> None:
    key, value = _key(line), line.partition("=")[2]

    def refuse(why: str) -> None:
        raise ConfigError(key, value, why)

    if key.startswith("data."):
        if key == "data.path":
            refuse("--samples and --reference name the images; leave data.path out")
        splitting = key.partition(".")[2].partition(".")[0] in SPLITTING
        if splitting and not given.reference:
            refuse("is about a reference in a folder, zip or tar, and this one is another; leave it out")
        if not (given.pictures or given.reference):
            refuse("is about pictures in a folder, zip or tar, and there are none here; leave it out")
    elif not _below(key, HEEDED) or _below(key, UNHEEDED):
        refuse(f"a command that only measures does not heed it; {TAKES}")
    elif key == "evaluation.samples" and not given.models:
        refuse("is about samples of a model; of images all are measured, so leave it out")


def _below(key: str, places: Sequence[str]) -> bool:
    dotted = key.replace("/", ".")
    return any(dotted == section or dotted.startswith(f"{section}.") for section in places)


def _options(of_data: Sequence[str]) -> Node:
    """The options that these lines set, as ``image_folder`` has them."""
    if not of_data:
        return {}
    node = composition.compose_plain(["data=image_folder", "data.path=.", *of_data])["data"]
    chosen = {_key(line).split(".")[1] for line in of_data}
    return {name: value for name, value in node.items() if name in chosen}


def _composed(overrides: Sequence[str]) -> Config:
    """The configuration, in which snapshots and search, which are not made, follow the metrics that are chosen."""
    node = composition.compose_plain(overrides)
    evaluation, tune = node["evaluation"], node["tune"]
    if not set(evaluation["snapshot_metrics"]) <= set(evaluation["metrics"]):
        evaluation["snapshot_metrics"] = list(evaluation["metrics"])
        figures = figures_of(evaluation["snapshot_metrics"])
        tune["metric"] = tune["metric"] if tune["metric"] in figures else next(iter(figures), tune["metric"])
    return params_file.check(node)
