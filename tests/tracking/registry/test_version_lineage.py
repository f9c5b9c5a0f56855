"""What a version keeps of its origin, and the way back."""

from pathlib import Path

import pytest
import yaml

from ganflow.commands.reproduce import compared
from ganflow.config import composition
from ganflow.config.schema import TrackingConfig
from ganflow.errors import GanflowError
from ganflow.tracking import mlflow_client
from ganflow.tracking.registry import provenance, registration
from ganflow.tracking.registry.version_lineage import Trace, trace, trained_on
from tests.tracking.mlflow_help import EXPERIMENT, MODEL, config_for, open_run, write_model

pytestmark = pytest.mark.slow

SECRET = "s3cr3t"
METRICS = {"fid": 12.5, "samples": 200, "reference": "train"}


def registered(tracking: TrackingConfig, seed: int = 0, **made_from: str) -> str:
    """A version, by its address."""
    with open_run(tracking) as run:
        write_model(Path("model"), run.run_id, seed)
    version = registration.register(config_for(tracking), Path("model"), METRICS, made_from=made_from)
    return f"models:/{version.name}/{version.version}"


def traced(tracking: TrackingConfig, uri: str) -> Trace:
    return trace(mlflow_client.connect(tracking), uri, tracking)


def test_a_version_leads_back_to_all_that_made_it(tracking: TrackingConfig) -> None:
    Path("reports/tune").mkdir(parents=True)
    Path("reports/tune/best.yaml").write_text("{overrides: [training.batch=64], trial: 3, fid: 0.5, trials: 8}")
    Path("dvc.lock").write_text("{schema: '2.0', stages: {}}")
    uri = registered(tracking, **provenance.texts(composition.compose(["seed=5"])))
    found = traced(tracking, uri).sections()
    assert found["version"] | {"created": ""} == {
        "model": uri, "aliases": "challenger", "created": "", "weights (sha256)": found["version"]["weights (sha256)"]
    }  # fmt: skip
    assert found["run"]["experiment"] == EXPERIMENT
    assert found["run"]["status"] == "finished"
    assert (found["code"]["commit"], found["code"]["recipe"]) == ("ef" * 20, "tests")
    assert found["data"]["md5"] == "cd" * 16
    assert found["search"] == {"trials": 8, "trial": 3, "fid": 0.5, "changes": "training.batch=64"}
    assert found["figures"] == {"fid": "12.5", "samples": "200", "reference": "train"}
    kept = traced(tracking, f"models:/{MODEL}@challenger").origin
    assert kept.params is not None
    assert kept.params["seed"] == 5
    assert kept.lock == {"schema": "2.0", "stages": {}}


def test_no_secret_and_no_place_is_kept(tracking: TrackingConfig) -> None:
    Path("dvc.lock").write_text(yaml.safe_dump({"stages": {"x": {"params": {"path": f"s3://me:{SECRET}@host/b"}}}}))
    places = [f"tracking.uri='http://me:{SECRET}@host'", f"cluster.storage='s3://{SECRET}/b'"]
    texts = provenance.texts(
        composition.compose(["data=image_folder", f"data.path='https://host/a.zip?token={SECRET}'", *places])
    )
    assert set(texts) == {"origin/params.yaml", "origin/dvc.lock"}
    assert not [name for name, text in texts.items() if SECRET in text]
    node = yaml.safe_load(texts["origin/params.yaml"])
    assert "tracking" not in node
    assert set(node["cluster"]) == set(provenance.COMPUTES)


def test_versions_of_some_data_are_found_by_the_beginning_of_their_md5(tracking: TrackingConfig) -> None:
    first, second = registered(tracking), registered(tracking, seed=1)
    client = mlflow_client.connect(tracking)
    found = [f"models:/{v.name}/{v.version}" for v in trained_on(client, "cdcd", tracking)]
    assert found == [first, second]
    assert trained_on(client, "ab", tracking) == []
    with pytest.raises(GanflowError, match="--data x' OR 1: no md5"):
        trained_on(client, "x' OR 1", tracking)


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        (f"models:/{MODEL}/9", r"is not on sqlite.*has @challenger, 1"),
        (f"models:/{MODEL}@best", r"is not on sqlite.*has @challenger, 1"),
        ("models:/nobody/1", "registered are"),
        ("runs:/abc", "names no registered version; give models:/NAME@ALIAS"),
        (MODEL, "names no registered version"),
    ],
)
def test_what_is_not_there_is_told_in_one_line(tracking: TrackingConfig, uri: str, says: str) -> None:
    registered(tracking)
    with pytest.raises(GanflowError, match=says) as refused:
        traced(tracking, uri)
    assert "\n" not in str(refused.value)


def test_what_came_out_otherwise_is_named(tracking: TrackingConfig, tmp_path: Path) -> None:
    found = traced(tracking, registered(tracking))
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/metrics.json").write_text('{"fid": 12.5, "samples": 200, "reference": "train"}')
    assert compared(found, tmp_path) == []
    (tmp_path / "reports/metrics.json").write_text('{"fid": 12.25, "samples": 200}')
    write_model(tmp_path / "model", "other", seed=1)
    told = {one.what: (one.then, one.now) for one in compared(found, tmp_path)}
    assert set(told) == {"weights", "fid", "reference"}
    assert told["fid"] == ("12.5", "12.25")
    assert told["reference"] == ("train", None)
    assert told["weights"][0] != told["weights"][1]


def test_a_version_without_an_origin_can_be_traced(tracking: TrackingConfig) -> None:
    found = traced(tracking, registered(tracking))
    assert found.origin == provenance.Origin(None, None, None)
    assert "search" not in found.sections()
