"""Promotion and rollback on a real store: one champion, whatever happens at once or is cut off."""

import contextlib
import json
import multiprocessing
import os
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from ganflow.config.schema import PromotionConfig, TrackingConfig
from ganflow.errors import GanflowError
from ganflow.evaluation.gate import Contender, judge
from ganflow.evaluation.metrics.base import Measurement
from ganflow.evaluation.outcome import Protocol
from ganflow.report.promotion_page import Record
from ganflow.tracking import mlflow_client
from ganflow.tracking.registry import registration
from ganflow.tracking.registry.promotion import Promoter
from tests.tracking.mlflow_help import EXPERIMENT, MODEL, MlflowServer, config_for, open_run, write_model

pytestmark = pytest.mark.slow

LEDGER = f"{MODEL}.champion"
GATE = PromotionConfig(limits={"coverage": 0.02}, latency=None, first={"fid": 1.0})
PROTOCOL = Protocol(reference="train", reference_samples=50, extractor="classifier-1")


def figures(fid: float) -> Contender:
    return Contender({"fid": Measurement(fid, fid - 0.01, fid + 0.01), "coverage": Measurement(1.0)}, {}, PROTOCOL)


def registered(tracking: TrackingConfig, folder: Path, count: int) -> list[int]:
    """So many versions of one run, without a champion."""
    with open_run(tracking) as run:
        run_id = run.run_id
    versions = []
    for seed in range(count):
        write_model(folder / f"model{seed}", run_id, seed=seed)
        versions.append(registration.register(config_for(tracking), folder / f"model{seed}", {"fid": 1.0 - seed / 10}))
    return [version.version for version in versions]


def promote(tracking: TrackingConfig, version: int, fid: float = 0.5, between: Callable[[], object] = int) -> Record:
    """A promotion as the command does it, with figures that are given; ``between`` happens while it evaluates."""
    promoter = Promoter(config_for(tracking), f"{MODEL}/{version}")
    promoter.reconcile()
    candidate = promoter.candidate()
    old = candidate.standing.champion
    between()
    against = None if old is None else figures(0.7)
    decision = judge(GATE, figures(fid), against, None)
    return promoter.conclude(candidate, Record(MODEL, version, old, decision, GATE, figures(fid), against))


def champion(tracking: TrackingConfig) -> int | None:
    """What MLflow itself says."""
    alias = mlflow_client.connect(tracking).get_registered_model(MODEL).aliases.get("champion")
    return None if alias is None else int(alias)


def history(tracking: TrackingConfig) -> list[tuple[str, int | None, int]]:
    return [(c.kind, c.left, c.to) for c in Promoter(config_for(tracking), MODEL).history()]


def tags(tracking: TrackingConfig, version: int) -> dict[str, str]:
    return dict(mlflow_client.connect(tracking).get_model_version(MODEL, str(version)).tags)


def artifacts(tracking: TrackingConfig, version: int) -> list[str]:
    client = mlflow_client.connect(tracking)
    run_id = client.get_model_version(MODEL, str(version)).run_id
    return [file.path for file in client.list_artifacts(run_id, "promotion")]


def everything(tracking: TrackingConfig) -> Any:
    """All that a promotion may write."""
    client = mlflow_client.connect(tracking)
    models = {model.name: (model.aliases, model.tags) for model in client.search_registered_models()}
    versions = {(v.name, v.version): v.tags for v in client.search_model_versions()}
    files = {v.run_id: [f.path for f in client.list_artifacts(v.run_id, "promotion")] for v in
             client.search_model_versions(f"name = '{MODEL}'")}  # fmt: skip
    return models, versions, files


def test_a_first_model_that_reaches_the_thresholds_is_champion(tracking: TrackingConfig, tmp_path: Path) -> None:
    first, second = registered(tracking, tmp_path, 2)
    refused = promote(tracking, first, fid=1.5)
    assert (refused.decision.promoted, champion(tracking)) == (False, None)
    assert refused.verdict == (
        f"refused: {MODEL} version 1 does not become champion: fid is 1.5; a first champion needs at most 1"
    )
    assert promote(tracking, second, fid=0.9).verdict == f"promoted: {MODEL} version 2 is champion"
    assert champion(tracking) == second
    assert tags(tracking, second)["promotion.against"] == "promotion.first"


def test_the_better_is_promoted_and_the_worse_refused_with_reasons(tracking: TrackingConfig, tmp_path: Path) -> None:
    registered(tracking, tmp_path, 3)
    promote(tracking, 1)
    assert promote(tracking, 2, fid=0.6).decision.promoted
    assert champion(tracking) == 2
    refused = promote(tracking, 3, fid=0.71)
    assert not refused.decision.promoted
    assert champion(tracking) == 2
    told = tags(tracking, 3)
    assert told["promotion"] == "refused"
    assert told["promotion.against"] == "version 2"
    assert told["promotion.figures"] == "fid 0.71 against 0.7; coverage 1 against 1"
    assert told["promotion.reasons"] == (
        "fid is not better by more than noise: 0.71 against 0.7, a gain of -0.01 ± 0.014"
    )
    assert tags(tracking, 2)["promotion"] == "promoted"
    assert history(tracking) == [("promotion", None, 1), ("promotion", 1, 2)]


def test_the_artifact_has_the_figures_of_both_and_the_reasons(tracking: TrackingConfig, tmp_path: Path) -> None:
    registered(tracking, tmp_path, 2)
    promote(tracking, 1)
    promote(tracking, 2, fid=0.69)
    where = tags(tracking, 2)["promotion.artifact"]
    run_id, _, path = where.removeprefix("runs:/").partition("/")
    client = mlflow_client.connect(tracking)
    page = Path(client.download_artifacts(run_id, path, str(tmp_path))).read_text()
    assert "<h1>ganflow-tests version 2 does not become champion</h1>" in page
    data = json.loads(
        Path(client.download_artifacts(run_id, path.replace(".html", ".json"), str(tmp_path))).read_text()
    )
    assert (data["challenger"], data["champion"], data["decision"]) == (2, 1, "refused")
    assert (data["measured"]["fid"], data["against"]["fid"]) == (0.69, 0.7)
    assert [check["figure"] for check in data["checks"] if not check["holds"]] == ["fid"]
    assert data["reasons"][0] in page
    assert data["gate"]["metric"] == "fid"
    assert len(artifacts(tracking, 2)) == 4  # both versions are of one run; each decision is kept


def test_a_champion_that_changed_meanwhile_is_met_first(tracking: TrackingConfig, tmp_path: Path) -> None:
    registered(tracking, tmp_path, 3)
    promote(tracking, 1)
    late = promote(tracking, 2, between=lambda: promote(tracking, 3))
    assert not late.decision.promoted
    assert late.decision.reasons == [
        "the champion changed while the two were compared; run it again to meet the new one"
    ]
    assert (champion(tracking), tags(tracking, 2)["promotion"]) == (3, "refused")


@pytest.mark.parametrize("by_hand", ["3", None])
def test_so_is_one_that_was_set_by_hand(tracking: TrackingConfig, tmp_path: Path, by_hand: str | None) -> None:
    registered(tracking, tmp_path, 3)
    promote(tracking, 1)
    client = mlflow_client.connect(tracking)

    def meddle() -> None:
        if by_hand is None:
            client.delete_registered_model_alias(MODEL, "champion")
        else:
            client.set_registered_model_alias(MODEL, "champion", by_hand)

    assert not promote(tracking, 2, between=meddle).decision.promoted
    assert champion(tracking) == (None if by_hand is None else 3)
    assert promote(tracking, 2).decision.promoted
    assert champion(tracking) == 2


def test_rollback_goes_back_and_on(tracking: TrackingConfig, tmp_path: Path) -> None:
    registered(tracking, tmp_path, 4)
    promoter = Promoter(config_for(tracking), MODEL)
    with pytest.raises(GanflowError, match=r"^ganflow-tests has no champion, so there is none to go back from$"):
        promoter.rollback()
    for version in (1, 2, 3):
        promote(tracking, version)
    assert (promoter.rollback().to, champion(tracking)) == (2, 2)
    assert (promoter.rollback().to, champion(tracking)) == (1, 1)
    with pytest.raises(GanflowError, match=r"^ganflow-tests has had no champion before version 1$"):
        promoter.rollback()
    assert champion(tracking) == 1
    promote(tracking, 4)
    assert (promoter.rollback().to, champion(tracking)) == (1, 1)
    expected = [("promotion", None, 1), ("promotion", 1, 2), ("promotion", 2, 3), ("rollback", 3, 2)]
    expected += [("rollback", 2, 1), ("promotion", 1, 4), ("rollback", 4, 1)]
    assert history(tracking) == expected
    told = json.loads(mlflow_client.connect(tracking).get_registered_model(MODEL).tags["champion.history"])
    assert [(row["kind"], row["from"], row["to"]) for row in told] == expected
    assert {"when", "by"} <= told[0].keys()
    assert tags(tracking, 3)["promotion.rolled_back"].endswith("to version 2")


def test_rollback_passes_versions_that_are_gone(tracking: TrackingConfig, tmp_path: Path) -> None:
    registered(tracking, tmp_path, 3)
    for version in (1, 2, 3):
        promote(tracking, version)
    client = mlflow_client.connect(tracking)
    client.delete_model_version(MODEL, "2")
    assert Promoter(config_for(tracking), MODEL).rollback().to == 1
    promote(tracking, 3)
    client.delete_model_version(MODEL, "1")
    with pytest.raises(GanflowError, match=r"before version 3; 1 were deleted$"):
        Promoter(config_for(tracking), MODEL).rollback()


WRITES = [
    "log_text", "create_registered_model", "create_model_version", "set_registered_model_alias",
    "set_registered_model_tag", "set_model_version_tag", "delete_model_version",
]  # fmt: skip


class Cut(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("what", ["promote", "refuse", "rollback"])
def test_cut_off_at_any_write_the_same_command_ends_right(
    tracking: TrackingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    from mlflow import MlflowClient

    registered(tracking, tmp_path, 2)
    promote(tracking, 1)
    if what == "rollback":
        promote(tracking, 2)
    promoter = Promoter(config_for(tracking), MODEL)
    actions = {
        "promote": lambda: champion(tracking) == 2 or promote(tracking, 2),
        "refuse": lambda: promote(tracking, 2, fid=0.9),
        "rollback": lambda: champion(tracking) == 1 or promoter.rollback(),
    }
    store = (tmp_path / "mlflow.db").read_bytes()
    for survived in range(100):
        (tmp_path / "mlflow.db").write_bytes(store)
        with monkeypatch.context() as patch:
            left = _cut_after(patch, MlflowClient, survived)
            with contextlib.suppress(Cut):
                actions[what]()
        if left[0] >= 0:  # it came through
            break
        promoter.reconcile()  # as every command begins
        actions[what]()
        assert champion(tracking) == {"promote": 2, "refuse": 1, "rollback": 1}[what], survived
        verdict = {"promote": "promoted", "refuse": "refused", "rollback": "promoted"}[what]
        assert tags(tracking, 2)["promotion"] == verdict, survived
        done = {"promote": ("promotion", 1, 2), "refuse": ("promotion", None, 1), "rollback": ("rollback", 2, 1)}[what]
        assert history(tracking)[-1] == done, survived
        assert len(history(tracking)) == {"promote": 2, "refuse": 1, "rollback": 3}[what], survived
    assert survived > {"promote": 8, "refuse": 7, "rollback": 4}[what]


def _cut_after(patch: pytest.MonkeyPatch, client: type, writes: int) -> list[int]:
    """End the process after so many writes; what is left of them."""
    left = [writes]

    def cut(name: str) -> None:
        real = getattr(client, name)

        def maybe(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Cut
            return real(*args, **kwargs)

        patch.setattr(client, name, maybe)

    for name in WRITES:
        cut(name)
    return left


def test_a_process_that_slept_does_not_turn_the_alias_back(
    tracking: TrackingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    registered(tracking, tmp_path, 3)
    promote(tracking, 1)
    real, slept = MlflowClient.set_registered_model_alias, []

    def sleeps(client: Any, name: str, alias: str, version: str) -> None:
        if version == "2" and not slept:
            slept.append(version)
            promote(tracking, 3)  # what another process does while this one is about to set the alias
        real(client, name, alias, version)

    monkeypatch.setattr(MlflowClient, "set_registered_model_alias", sleeps)
    promote(tracking, 2)
    assert slept
    assert champion(tracking) == 3
    assert history(tracking)[-2:] == [("promotion", 1, 2), ("promotion", 2, 3)]


def test_the_slower_of_two_that_both_saw_the_same_champion_is_refused(
    tracking: TrackingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ganflow.tracking.registry.champion_log import Change, Ledger

    registered(tracking, tmp_path, 3)
    promote(tracking, 1)
    real, faster = Ledger.append, []

    def last_moment(ledger: Ledger, change: Change) -> bool:
        if change.to == 2:
            faster.append(promote(tracking, 3))
        return real(ledger, change)

    monkeypatch.setattr(Ledger, "append", last_moment)
    slower = promote(tracking, 2)
    assert [record.decision.promoted for record in (*faster, slower)] == [True, False]
    assert (champion(tracking), tags(tracking, 2)["promotion"], tags(tracking, 3)["promotion"]) == (
        3, "refused", "promoted"
    )  # fmt: skip
    client, where = mlflow_client.connect(tracking), tags(tracking, 2)["promotion.artifact"]
    run_id, _, path = where.removeprefix("runs:/").partition("/")
    file = client.download_artifacts(run_id, path.replace(".html", ".json"), str(tmp_path))
    assert json.loads(Path(file).read_text())["decision"] == "refused"
    assert [int(v.version) for v in client.search_model_versions(f"name = '{LEDGER}'")] == [2, 1]


def _contend(tracking: TrackingConfig, version: int, barrier: Barrier, won: Any) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    record = promote(tracking, version, between=barrier.wait)
    if record.decision.promoted:
        won.append(version)


def test_of_promotions_at_once_one_wins(mlflow_server: MlflowServer, tmp_path: Path) -> None:
    tracking = TrackingConfig(uri=mlflow_server.uri, experiment=EXPERIMENT)
    first, *challengers = registered(tracking, tmp_path, 4)
    promote(tracking, first)
    before = history(tracking)
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager:
        won, barrier = manager.list(), manager.Barrier(len(challengers))
        processes = [spawn.Process(target=_contend, args=(tracking, v, barrier, won)) for v in challengers]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0, 0, 0]
        (winner,) = won
    assert champion(tracking) == winner
    assert history(tracking)[len(before) :] == [("promotion", first, winner)]
    verdicts = {version: tags(tracking, version)["promotion"] for version in challengers}
    assert verdicts == {v: "promoted" if v == winner else "refused" for v in challengers}


def _register(tracking: TrackingConfig, folder: Path, barrier: Barrier, made: Any) -> None:
    real = registration._create_version

    def together(*args: Any) -> Any:
        barrier.wait()  # nobody has found a version
        return real(*args)

    registration._create_version = together
    version = registration.register(config_for(tracking), folder, {"fid": 1.0})
    made.append((version.version, version.model_id, version.created))


def test_registering_at_once_makes_one_version(mlflow_server: MlflowServer, tmp_path: Path) -> None:
    tracking = TrackingConfig(uri=mlflow_server.uri, experiment=EXPERIMENT)
    with open_run(tracking, "7e57") as run:
        run.metrics({"loss": 1.0}, 1)
    record = write_model(tmp_path / "model", run.run_id, seed=77)
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager:
        made, barrier = manager.list(), manager.Barrier(3)
        processes = [spawn.Process(target=_register, args=(tracking, tmp_path / "model", barrier, made)) for _ in "123"]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0, 0, 0]
        assert len({version for version, _, _ in made}) == len({model for _, model, _ in made}) == 1
        assert sum(created for *_, created in made) == 1
        version, model_id, _ = made[0]
    client = mlflow_client.connect(tracking)
    found = client.search_model_versions(f"name = '{MODEL}' AND tags.model_digest = '{record.model_digest}'")
    assert [int(v.version) for v in found] == [version]
    assert [output.model_id for output in client.get_run(run.run_id).outputs.model_outputs] == [model_id]
    models = client.search_logged_models([client.get_experiment_by_name(EXPERIMENT).experiment_id],
                                         f"source_run_id = '{run.run_id}'")  # fmt: skip
    assert [model.model_id for model in models] == [model_id]
    assert int(client.get_model_version_by_alias(MODEL, "challenger").version) == version


def test_a_model_that_another_withdrew_while_this_one_completed_it_costs_nothing(
    tracking: TrackingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    with open_run(tracking) as run:
        run_id = run.run_id
    write_model(tmp_path / "model", run_id)
    real, withdrawn = MlflowClient.finalize_logged_model, []

    def finalize(client: Any, model_id: str, status: str) -> Any:
        if not withdrawn:
            withdrawn.append(model_id)
            client.delete_logged_model(model_id)
            registration.register(config_for(tracking), tmp_path / "model", {})
        return real(client, model_id, status)

    monkeypatch.setattr(MlflowClient, "finalize_logged_model", finalize)
    version = registration.register(config_for(tracking), tmp_path / "model", {})
    assert (version.version, version.created) == (1, False)
    assert version.model_id not in withdrawn
    assert len(mlflow_client.connect(tracking).search_model_versions(f"name = '{MODEL}'")) == 1


def test_looking_writes_nothing(tracking: TrackingConfig, tmp_path: Path) -> None:
    registered(tracking, tmp_path, 2)
    promote(tracking, 1)
    before = everything(tracking)
    promoter = Promoter(config_for(tracking), MODEL)
    promoter.candidate()
    promoter.history()
    assert everything(tracking) == before


def test_a_dead_process_s_promotion_is_seen_before_it_is_finished(
    tracking: TrackingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    def ended(*_: object) -> None:
        raise KeyboardInterrupt

    registered(tracking, tmp_path, 2)
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_registered_model_alias", ended)
        with pytest.raises(KeyboardInterrupt):
            promote(tracking, 1)
    assert champion(tracking) is None
    candidate = Promoter(config_for(tracking), MODEL).candidate()
    assert candidate.standing.champion == 1
    Promoter(config_for(tracking), MODEL).reconcile()
    assert champion(tracking) == 1
    assert Promoter(config_for(tracking), MODEL).candidate().standing == candidate.standing


@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("nothing", "models:/nothing@challenger is not registered: .*not found; `ganflow register` registers model/"),
        (f"{MODEL}@none", f"models:/{MODEL}@none is not registered: .*alias none not found"),
        (f"{MODEL}/77", f"models:/{MODEL}/77 is not registered"),
        ("a/b/c", "a/b/c: no form of a challenger's address; give NAME, NAME@ALIAS or NAME/VERSION"),
    ],
)
def test_a_mistyped_challenger_is_one_line(tracking: TrackingConfig, tmp_path: Path, address: str, line: str) -> None:
    registered(tracking, tmp_path, 1)
    with pytest.raises(GanflowError, match=line) as told:
        Promoter(config_for(tracking), address).candidate()
    assert "\n" not in str(told.value)


def test_no_secret_is_written(tracking: TrackingConfig, tmp_path: Path) -> None:
    registered(tracking, tmp_path, 1)
    promoter = Promoter(config_for(tracking), f"{MODEL}/1")
    candidate = promoter.candidate()
    protocol = replace(PROTOCOL, extractor="s3://me:hunter2@bucket/weights")
    measured = replace(figures(0.5), protocol=protocol)
    decision = judge(replace(GATE, first={"fid": 1.0}), measured, None, None)
    promoter.conclude(candidate, Record(MODEL, 1, None, decision, GATE, measured, None))
    assert "hunter2" not in str(everything(tracking))
    client, run_id = mlflow_client.connect(tracking), candidate.run_id
    for path in artifacts(tracking, 1):
        assert "hunter2" not in Path(client.download_artifacts(run_id, path, str(tmp_path))).read_text()
