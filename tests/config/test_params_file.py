import copy
import datetime
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ganflow.config import components, params_file
from ganflow.distributed import batch_split
from ganflow.errors import ConfigError, GanflowError

PARAMS = Path(__file__).parents[2] / "params.yaml"
WHOLE: dict[str, Any] = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
SECTIONS = list(WHOLE)
ABSENT = object()


def changed(key: str, value: Any) -> dict[str, Any]:
    """``params.yaml`` with one value changed, added or (ABSENT) taken away."""
    node = copy.deepcopy(WHOLE)
    *path, last = key.split(".")
    inner = node
    for part in path:
        inner = inner[part]
    inner[last] = value
    if value is ABSENT:
        del inner[last]
    return node


def line_of(node: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as refused:
        params_file.check(node)
    line = str(refused.value)
    assert "\n" not in line
    return line


def test_what_stands_in_params_yaml_is_loaded(tmp_path: Path) -> None:
    loaded = params_file.load(PARAMS)
    assert loaded.gan.generator == WHOLE["gan"]["generator"]
    assert asdict(loaded.training) == WHOLE["training"]
    (tmp_path / "params.yaml").write_text(params_file.dump(loaded), encoding="utf-8")
    assert params_file.load(tmp_path / "params.yaml") == loaded


POSITIVE = [
    *(f"training.{k}" for k in ("batch", "kimg", "d_steps", "report_kimg", "snapshot_kimg", "checkpoint_kimg")),
    "evaluation.batch",
    *(f"tune.{k}" for k in ("kimg", "concurrent", "grace_kimg")),
    *(f"cluster.{k}" for k in ("cpus_per_worker", "start_timeout_s")),
]


@pytest.mark.parametrize("value", [0, -1])
@pytest.mark.parametrize("key", POSITIVE)
def test_a_size_must_be_positive(key: str, value: int) -> None:
    assert line_of(changed(key, value)) in {f"{key}={v}: must be more than 0" for v in (value, float(value))}


IMPOSSIBLE = [
    ("gan.conditioning", "concat", "one of none, projection, auxiliary"),
    ("training.precision", "fp16", "one of auto, fp32, bf16"),
    ("evaluation.reference", "valid", "one of train, test"),
    ("evaluation.samples", 1, "must be at least 2"),
    ("evaluation.snapshot_samples", 0, "must be at least 2"),
    ("tune.mode", "best", "one of min, max"),
    ("tune.trials", -1, "0 (no search) or more"),
    ("training.ema_kimg", -0.5, "0 (no average) or more"),
    ("training.ema_rampup", -0.5, "0 (no ramp-up) or more"),
    ("training.ema_start_kimg", -0.5, "0 (from the start) or more"),
    ("training.overhead", 0.0, "more than 0, at most 1, or null for no bound"),
    ("training.overhead", 1.5, "more than 0, at most 1, or null for no bound"),
    ("training.schedule.decay", "step", "one of constant, linear, cosine"),
    ("training.schedule.floor", 1.5, "0 to 1"),
    ("training.schedule.floor", -0.1, "0 to 1"),
    ("training.schedule.warmup_kimg", -1.0, "0 (none) or more"),
    ("training.schedule.kimg", 0.0, "more than 0, or null for training.kimg"),
    ("training.microbatch", 48, "null (a worker's share), or a divisor of training.batch=128"),
    ("training.microbatch", 0, "null (a worker's share), or a divisor of training.batch=128"),
    ("training.microbatch", -32, "null (a worker's share), or a divisor of training.batch=128"),
    ("training.guard.patience", 0, "must be more than 0"),
    ("training.guard.slow_down", 0.0, "more than 0, at most 1"),
    ("training.guard.slow_down", 1.5, "more than 0, at most 1"),
    ("training.guard.rollbacks", -1, "0 (stop at once) or more"),
    ("training.guard.on_collapse", "pray", "one of stop, rollback, warn"),
    ("training.guard.min_diversity", 1.0, "0 (never a collapse) to less than 1"),
    ("training.schedule.warmup_kimg", 240.0, "must be less than training.kimg=240.0"),
    ("training.schedule.warmup_kimg", 36.0, "must be less than tune.kimg=36.0"),
    ("cluster.max_failures", -1, "0 or more"),
    ("cluster.workers", 0, "auto, a number of at least 1, or [least, most]"),
    ("cluster.workers", "2", "auto, a number of at least 1, or [least, most]"),
    ("cluster.workers", True, "auto, a number of at least 1, or [least, most]"),
    ("cluster.workers", [4, 2], "auto, a number of at least 1, or [least, most]"),
    ("cluster.workers", [1, 2, 4], "auto, a number of at least 1, or [least, most]"),
    ("cluster.gpu", "maybe", "one of auto, true, false"),
    ("cluster.patience_s", 0, "must be more than 0"),
    ("tune.metric", "kid", "one of what evaluation.snapshot_metrics measure: fid, coverage, class_reverse_kl"),
    ("training.kimg", float("inf"), "must be a finite number"),
    ("training.kimg", float("nan"), "must be a finite number"),
    ("optimizers.generator.lr", float("inf"), "must be a finite number"),
    ("seed", 1 << 64, "must fit into 64 bits"),
    ("recipe", "${seed}", "must be a value, not a reference"),
    ("recipe", "${", "must be a value, not a reference"),
    ("tracking.experiment", "???", "must be set"),
    ("gan.discriminator.widths", ["???"], None),
]


@pytest.mark.parametrize(("key", "value", "allowed"), IMPOSSIBLE)
def test_an_impossible_value_is_named_with_what_is_allowed(key: str, value: Any, allowed: str | None) -> None:
    expected = f"{key}={value}: {allowed}" if allowed else f"{key}[0]={value[0]}: must be set"
    assert line_of(changed(key, value)) == expected


def test_a_warm_up_may_outlast_trials_that_do_not_take_place() -> None:
    node = changed("training.schedule.warmup_kimg", 50)
    node["tune"]["trials"] = 0
    assert params_file.check(node).training.schedule.warmup_kimg == 50.0


def test_text_that_becomes_an_infinite_number_is_refused() -> None:
    assert line_of(changed("training.kimg", "inf")) == "training.kimg=inf: must be a finite number"
    assert line_of(changed("optimizers.generator.lr", "nan")) == "optimizers.generator.lr=nan: must be a finite number"


def test_the_batch_must_be_shared_evenly_among_workers() -> None:
    assert line_of(changed("cluster.workers", 3)) == "training.batch=128: must be a multiple of cluster.workers=3"
    assert params_file.check(changed("cluster.workers", 4)).cluster.workers == 4
    assert params_file.check(changed("cluster.workers", [1, 4])).cluster.workers == [1, 4]
    told = line_of(changed("cluster.workers", [1, 3]))
    assert told == "training.batch=128: must be a multiple of the most of cluster.workers=[1, 3]"
    assert batch_split.worker_counts([2, 8]) == [8, 4, 2]
    assert batch_split.worker_counts(3) == [3]
    with pytest.raises(ConfigError, match=r"^training\.batch=10: must be a multiple of cluster\.workers=4$"):
        batch_split.check_workers(10, 4)


@pytest.mark.parametrize(
    ("microbatch", "workers", "parts"), [(32, 1, 4), (32, [1, 4], 4), (None, [1, 4], 4), (None, 4, 0)]
)
def test_a_batch_is_cut_into_microbatches_or_one_part_for_each_worker(
    microbatch: int | None, workers: int | list[int], parts: int
) -> None:
    assert batch_split.num_microbatches(128, microbatch, workers) == parts


def test_microbatches_must_be_shared_evenly_among_workers() -> None:
    node = changed("training.microbatch", 32)
    params_file.check(node)
    node["cluster"]["workers"] = [1, 4]
    params_file.check(node)
    node["cluster"]["workers"] = 3
    told = "training.batch=128: must be a multiple of training.microbatch=32 times cluster.workers=3"
    assert line_of(node) == told
    node["cluster"]["workers"] = [2, 8]
    told = "training.batch=128: must be a multiple of training.microbatch=32 times the most of cluster.workers=[2, 8]"
    assert line_of(node) == told


WRONG_TYPES = [
    ("training.batch", "many", "must be an integer"),
    ("training.batch", 6.5, "must be an integer"),
    ("training.batch", True, "must be an integer"),
    ("training.mirror", "maybe", "must be true or false"),
    ("gan.generator.width", "wide", "must be an integer"),
    ("gan.discriminator.widths", 256, "must be a list"),
    ("gan.discriminator.widths", None, "must be a list"),
    ("evaluation.snapshot_metrics", "fid", "must be a list"),
    ("training", 3, "must be a mapping"),
    ("training", None, "must be a mapping"),
    ("tracking", [1], "must be a mapping"),
    ("evaluation.extractor", 4, "must be a component: {name: …, option: value}"),
    ("gan.regularizers", ["r1"], "must be a mapping"),
    ("evaluation.snapshot_metrics", [["fid"]], "must be a single value"),
    ("gan.discriminator.widths", [[256]], "must be a single value"),
    ("gan.discriminator.widths", [{"a": 1}], "must be a single value"),
    ("gan.loss", "minimax", "must be a component: {name: …, option: value}"),
    ("gan.loss", None, "must be a component: {name: …, option: value}"),
    ("training.kimg", datetime.date(2020, 1, 1), "must be text, a number, a list or a mapping"),
]


@pytest.mark.parametrize(("key", "value", "allowed"), WRONG_TYPES)
def test_a_wrong_type_is_named_with_what_is_allowed(key: str, value: Any, allowed: str) -> None:
    expected = f"{key}[0]={value[0]}" if allowed == "must be a single value" else f"{key}={value}"
    assert line_of(changed(key, value)) == f"{expected}: {allowed}"


KIMG = "training.kimg (thousands of real images: epochs × images / 1000)"
UNKNOWN = [
    ("traning", 1, "here", SECTIONS, "training"),
    ("training.kimgs", 1, "training", list(WHOLE["training"]), KIMG),
    ("gan.generator.widht", 16, "gan.generator", ["name", "width", "kernel", "norm"], "gan.generator.width"),
    ("gan.regularizers.r1.gama", 1, "gan.regularizers.r1", ["name", "gamma", "interval"], "gan.regularizers.r1.gamma"),
    ("training.learning_rate", 1, "training", list(WHOLE["training"]),
     "optimizers.generator.lr, optimizers.discriminator.lr or optimizers.encoder.lr"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "where", "names", "meant"), UNKNOWN)
def test_an_unknown_key_is_named_with_its_siblings_and_what_it_may_have_meant(
    key: str, value: Any, where: str, names: list[str], meant: str
) -> None:
    line = line_of(changed(key, value))
    assert line == f"{key}={value}: no such key; {where} has {', '.join(names)}; did you mean {meant}?"


def test_a_dotted_key_is_no_path() -> None:
    node = {**WHOLE, "training.batch": 3}
    assert line_of(node).endswith(f"no such key; here has {', '.join(SECTIONS)}; did you mean training.batch?")


def test_an_unknown_component_is_named_with_the_known() -> None:
    losses = ", ".join(components.choices("loss"))
    assert (
        line_of(changed("gan.loss", {"name": "hinged"}))
        == f"gan.loss.name=hinged: one of {losses}; did you mean hinge?"
    )
    assert line_of(changed("gan.loss", {})) == f"gan.loss.name=None: one of {losses}"
    known = ", ".join(components.choices("regularizer"))
    assert (
        line_of(changed("gan.regularizers", {"x0": {"name": "x0"}})) == f"gan.regularizers.x0.name=x0: one of {known}"
    )


def test_a_component_of_several_stands_under_its_name() -> None:
    node = changed("gan.regularizers", {"mine": {"name": "r1"}})
    assert line_of(node) == "gan.regularizers.mine.name=r1: must be mine, its key"


def test_options_that_are_left_out_take_their_default() -> None:
    checked = params_file.check(changed("gan.generator", {"name": "dcgan"}))
    assert checked.gan.generator == {"name": "dcgan", "width": 64, "kernel": 4, "norm": "batch"}


def test_a_file_from_before_the_bound_on_overhead_is_read_as_ever() -> None:
    assert params_file.check(changed("training.overhead", ABSENT)).training.overhead == 0.02
    assert params_file.check(changed("training.overhead", None)).training.overhead is None


@pytest.mark.parametrize("text", ["", "CC-BY-4.0", "Apache-2.0 WITH LLVM-exception", "Ask the authors."])
def test_a_licence_is_an_id_or_a_line(text: str) -> None:
    assert params_file.check(changed("register.license", text)).register.license == text


@pytest.mark.parametrize("text", ["two\nlines", " MIT", "x" * 201, "\x1b[0m"])
def test_a_licence_of_several_lines_is_refused(text: str) -> None:
    assert line_of(changed("register.license", text)).endswith("characters; empty states none")


@pytest.mark.parametrize("key", ["data", "gan.generator", "gan.loss", "optimizers.discriminator", "register.name"])
def test_what_has_no_default_must_be_set(key: str) -> None:
    assert line_of(changed(key, ABSENT)) == f"{key}=???: must be set"


def test_snapshots_measure_only_what_is_configured() -> None:
    line = line_of(changed("evaluation.snapshot_metrics", ["fid", "cas", "is"]))
    known = ", ".join(WHOLE["evaluation"]["metrics"])
    assert line == f"evaluation.snapshot_metrics=cas, is: one of evaluation.metrics: {known}"


@pytest.mark.parametrize("key", [1, None, True, 1.5, (1, 2)])
def test_keys_must_be_text(key: Any) -> None:
    assert line_of({**WHOLE, key: 1}) == f"params.yaml={key}: keys must be text"
    assert line_of({**WHOLE, "training": {key: 1}}) == f"training={key}: keys must be text"


def test_text_over_several_lines_is_told_in_one() -> None:
    line = line_of(changed("gan.conditioning", "a\nb\r\nc"))
    assert line == "gan.conditioning=a b c: one of none, projection, auxiliary"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (None, "{path} is missing; `ganflow config compose` writes it"),
        ("- a\n- b\n", "{path}: holds a list, and must be a mapping: a line `key: value` each"),
        ("", "{path} is empty; `ganflow config compose` writes it"),
    ],
)
def test_a_file_that_is_no_mapping_is_named(text: str | None, line: str, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(GanflowError) as refused:
        params_file.load(path)
    assert str(refused.value) == line.format(path=path)


def test_a_file_that_is_no_yaml_is_named_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("a: [1\nb: {", encoding="utf-8")
    with pytest.raises(GanflowError) as refused:
        params_file.load(path)
    assert str(refused.value).startswith(f"{path}:2: is not valid YAML: while parsing a flow sequence")
    assert "\n" not in str(refused.value)


TEXT = st.one_of(st.sampled_from(["auto", "r1", "fid", "???", "${seed}", "${", "inf", "a\nb", ""]), st.text(max_size=5))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT, st.dates(), st.binary(max_size=2))
KEYS = st.one_of(TEXT, st.sampled_from(["name", "widths", "lr", "batch", "r1", "fid"]), st.none(), st.integers())


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3))


VALUES = st.recursive(SCALARS, nested, max_leaves=6)
PLACES = SECTIONS + [f"{s}.{k}" for s in SECTIONS if isinstance(WHOLE[s], dict) for k in WHOLE[s]]
DEEP = ["gan.generator.width", "gan.discriminator.widths", "gan.regularizers.r1", "optimizers.generator.betas"]


@given(st.lists(st.tuples(st.sampled_from(PLACES + DEEP), VALUES), min_size=1, max_size=2))
@settings(max_examples=60)
def test_whatever_is_changed_in_a_file_ends_well_or_in_one_line(changes: list[tuple[str, Any]]) -> None:
    node = copy.deepcopy(WHOLE)
    for key, value in sorted(changes, key=lambda change: -change[0].count(".")):  # deep first: a parent may go
        *path, last = key.split(".")
        inner = node
        for part in path:
            inner = inner[part]
        inner[last] = value
    line = "fits"
    try:
        params_file.check(node)
    except GanflowError as error:
        line = str(error)
    assert len(line.splitlines()) == 1


@given(st.dictionaries(st.one_of(KEYS, st.sampled_from(SECTIONS)), VALUES, max_size=4))
@settings(max_examples=30)
def test_a_mapping_of_anything_is_refused_in_one_line(node: dict[Any, Any]) -> None:
    with pytest.raises(GanflowError) as refused:
        params_file.check(node)
    assert len(str(refused.value).splitlines()) == 1
