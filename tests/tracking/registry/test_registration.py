import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganflow.config.schema import TrackingConfig
from ganflow.errors import ConfigError, GanflowError
from ganflow.methods import generator
from ganflow.tracking import mlflow_client
from ganflow.tracking.registry import model_package, registration
from ganflow.tracking.registry.loader import load_generator
from ganflow.tracking.registry.version_lineage import trace
from tests.tracking.mlflow_help import EXPERIMENT, MODEL, MlflowServer, config_for, curve, open_run, run_of, write_model

pytestmark = pytest.mark.slow

METRICS = {"fid": 12.5, "coverage": 0.75, "samples": 10000, "reference": "train", "extractor": "classifier-1"}


@pytest.fixture
def run_id(tracking: TrackingConfig) -> str:
    with open_run(tracking) as run:
        return run.run_id


def versions(tracking: TrackingConfig) -> list[Any]:
    return sorted(
        mlflow_client.connect(tracking).search_model_versions(f"name = '{MODEL}'"), key=lambda v: int(v.version)
    )


def logged_models(tracking: TrackingConfig) -> list[Any]:
    client = mlflow_client.connect(tracking)
    return list(client.search_logged_models([client.get_experiment_by_name(EXPERIMENT).experiment_id]))


def test_a_version_says_where_it_comes_from(tracking: TrackingConfig, run_id: str, tmp_path: Path) -> None:
    record = write_model(tmp_path / "model", run_id)
    version = registration.register(config_for(tracking), tmp_path / "model", METRICS)
    client = mlflow_client.connect(tracking)
    known = client.get_model_version_by_alias(MODEL, "challenger")
    assert (version.version, version.run_id, version.created) == (1, run_id, True)
    assert (int(known.version), known.run_id) == (1, run_id)
    expected = {"model_digest": record.model_digest, "data_md5": "cd" * 16, "git_commit": "ef" * 20, "recipe": "tests"}
    expected |= {"metric.fid": "12.5", "metric.extractor": "classifier-1", "data_digest": "ab" * 32}
    assert expected.items() <= known.tags.items()
    run = client.get_run(run_id)
    assert run.data.metrics["evaluation/fid"] == 12.5
    assert [output.model_id for output in run.outputs.model_outputs] == [version.model_id]


def test_the_run_gets_the_page_of_the_evaluation(tracking: TrackingConfig, run_id: str, tmp_path: Path) -> None:
    write_model(tmp_path / "model", run_id)
    (tmp_path / "report.html").write_text("<p>good</p>")
    for _ in range(2):  # again does no harm
        registration.register(config_for(tracking), tmp_path / "model", METRICS, [tmp_path / "report.html"])
    client = mlflow_client.connect(tracking)
    assert [file.path for file in client.list_artifacts(run_id, "evaluation")] == ["evaluation/report.html"]
    local = client.download_artifacts(run_id, "evaluation/report.html", str(tmp_path))
    assert Path(local).read_text() == "<p>good</p>"


def test_again_is_the_same_version_and_other_weights_are_another(
    tracking: TrackingConfig, run_id: str, tmp_path: Path
) -> None:
    config, client = config_for(tracking), mlflow_client.connect(tracking)
    write_model(tmp_path / "model", run_id)
    first = registration.register(config, tmp_path / "model", METRICS)
    again = registration.register(config, tmp_path / "model", METRICS)
    assert (again.version, again.model_id, again.created) == (first.version, first.model_id, False)
    assert len(versions(tracking)) == len(logged_models(tracking)) == 1
    assert len(client.get_metric_history(run_id, "evaluation/fid")) == 1
    write_model(tmp_path / "model", run_id, seed=1)
    other = registration.register(config, tmp_path / "model", METRICS | {"fid": 9.0})
    assert [int(v.version) for v in versions(tracking)] == [1, 2]
    assert int(client.get_model_version_by_alias(MODEL, "challenger").version) == other.version == 2


@pytest.mark.parametrize(
    "dies_in", ["log_model_artifacts", "finalize_logged_model", "create_model_version", "update_model_version"]
)
def test_what_an_interrupted_try_left_is_made_whole(
    tracking: TrackingConfig, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies_in: str
) -> None:
    from mlflow import MlflowClient

    config = config_for(tracking)
    write_model(tmp_path / "model", run_id)
    with monkeypatch.context() as cut:
        cut.setattr(MlflowClient, dies_in, _die)
        with pytest.raises(KeyboardInterrupt):
            registration.register(config, tmp_path / "model", METRICS)
    version = registration.register(config, tmp_path / "model", METRICS)
    assert [int(v.version) for v in versions(tracking)] == [version.version]
    assert [(m.model_id, m.status.value) for m in logged_models(tracking)] == [(version.model_id, "READY")]
    assert len(mlflow_client.connect(tracking).get_run(run_id).outputs.model_outputs) == 1
    assert "| FID | 12.5 |" in versions(tracking)[0].description
    load_generator(f"models:/{MODEL}@challenger", tracking)


def _die(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_the_registry_draws_what_the_file_draws(tracking: TrackingConfig, run_id: str, tmp_path: Path) -> None:
    write_model(tmp_path / "model", run_id)
    version = registration.register(config_for(tracking), tmp_path / "model", METRICS)
    expected = load_generator(str(tmp_path / "model"), tracking).sample(20, 7)
    for uri in (f"models:/{MODEL}@challenger", f"models:/{MODEL}/1", f"models:/{version.model_id}", f"runs:/{run_id}"):
        np.testing.assert_array_equal(load_generator(uri, tracking).sample(20, 7), expected)


SERVED = """
import json, sys
import mlflow, numpy
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
drawn = model.predict([0], params={"n": 6, "seed": 7, "label": 1})
turns = model.predict([0], params={"n": 6, "seed": 7})
import ganflow
print(json.dumps({"drawn": drawn.tolist(), "turns": turns.tolist(), "code": ganflow.__file__}))
"""


def test_the_logged_model_stands_alone_without_pickle(tracking: TrackingConfig, run_id: str, tmp_path: Path) -> None:
    write_model(tmp_path / "model", run_id)
    version = registration.register(config_for(tracking), tmp_path / "model", METRICS)
    folder = Path(
        mlflow_client.connect(tracking).get_logged_model(version.model_id).artifact_location.removeprefix("file://")
    )
    names = [path.name for path in folder.rglob("*") if path.is_file()]
    assert generator.FILE in names
    assert [name for name in names if name.endswith((".pkl", ".pickle", ".pt", ".pth", ".bin", ".pyc"))] == []
    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SERVED, tracking.uri, f"models:/{MODEL}@challenger"],
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    served = json.loads(answer.stdout.splitlines()[-1])
    assert served["code"].startswith(str(folder)), "the model runs the code that travels with it"
    local = generator.load(tmp_path / "model" / generator.FILE)
    np.testing.assert_array_equal(np.array(served["drawn"]), local.sample(6, 7, 1))
    np.testing.assert_array_equal(np.array(served["turns"]), local.sample(6, 7))


def test_the_signature_names_its_params(tracking: TrackingConfig, run_id: str, tmp_path: Path) -> None:
    write_model(tmp_path / "model", run_id)
    signature = model_package.signature(generator.load(tmp_path / "model" / generator.FILE).spec)
    assert {p.name: (p.dtype.name, p.default) for p in signature.params.params} == {
        "n": ("long", 16), "seed": ("long", 0), "label": ("long", -1), "truncation": ("double", -1.0),
        "format": ("string", "array"),
    }  # fmt: skip
    assert signature.outputs.inputs[0].shape == (-1, 8, 8, 1)


def test_points_are_registered_and_served_as_points(tracking: TrackingConfig, run_id: str, tmp_path: Path) -> None:
    network = {"name": "mlp", "widths": [16], "output": "linear"}
    spec = generator.GeneratorSpec(network, 4, (2, 1, 1), 0, kind="points", centres=[[0.0, 0.0], [1.0, 0.0]])
    write_model(tmp_path / "model", run_id, spec=spec)
    signature = model_package.signature(spec)
    assert (signature.outputs.inputs[0].type, signature.outputs.inputs[0].shape) == (np.dtype(np.float32), (-1, 2))
    registration.register(config_for(tracking), tmp_path / "model", METRICS)
    loaded = load_generator(f"models:/{MODEL}@challenger", tracking)
    assert loaded.spec == spec
    from mlflow import pyfunc, set_tracking_uri

    set_tracking_uri(tracking.uri)
    served = pyfunc.load_model(f"models:/{MODEL}@challenger").predict([0], params={"n": 6, "seed": 7})
    np.testing.assert_array_equal(served, generator.load(tmp_path / "model" / generator.FILE).sample(6, 7))


def test_on_a_server_it_is_one_version_and_the_same_samples(mlflow_server: MlflowServer, tmp_path: Path) -> None:
    tracking = TrackingConfig(uri=mlflow_server.uri, experiment=EXPERIMENT)
    with open_run(tracking, "5e12") as run:
        run.metrics({"loss": 1.0}, 1)
    write_model(tmp_path / "model", run.run_id, seed=12)
    version = registration.register(config_for(tracking), tmp_path / "model", METRICS)
    again = registration.register(config_for(tracking), tmp_path / "model", METRICS)
    assert (again.version, again.created) == (version.version, False)
    drawn = load_generator(f"models:/{MODEL}@challenger", tracking).sample(9, 3)
    np.testing.assert_array_equal(drawn, load_generator(str(tmp_path / "model"), tracking).sample(9, 3))
    with pytest.raises(GanflowError, match=r"models:/nothing@x is not on http://127\.0\.0\.1.*not found; registered"):
        load_generator("models:/nothing@x", tracking)


def test_a_run_of_another_server_has_a_run_in_its_place(tracking: TrackingConfig, tmp_path: Path) -> None:
    record = write_model(tmp_path / "model", "0" * 32)
    (tmp_path / "model" / "config.yaml").write_text("seed: 7\ndata: {name: digits}\n")
    (tmp_path / "reports" / "samples").mkdir(parents=True)
    (tmp_path / "reports" / "samples" / "final.png").write_bytes(b"png")
    (tmp_path / "reports" / "training.csv").write_text("kimg,D/r1,fid\n0.5,1.5,\n1.0,1.25,9.0\n")
    first, again = (registration.register(config_for(tracking), tmp_path / "model", METRICS) for _ in range(2))
    assert (first.version, first.digest, first.created) == (1, record.model_digest, True)
    assert (again.version, again.run_id, again.created) == (1, first.run_id, False)
    run = run_of(tracking, first.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["ganflow.original_run"] == "0" * 32
    assert run.data.params == {"seed": "7", "data.name": "digits"}
    assert curve(tracking, first.run_id, "D/r1") == [(500, 1.5), (1000, 1.25)]
    assert curve(tracking, first.run_id, "fid") == [(1000, 9.0)]
    assert [e.dataset.name for e in run.inputs.dataset_inputs] == ["digits-train"]
    client = mlflow_client.connect(tracking)
    assert [file.path for file in client.list_artifacts(first.run_id, "samples")] == ["samples/final.png"]
    assert versions(tracking)[0].tags["original_run"] == "0" * 32
    assert trace(client, f"models:/{MODEL}/1", tracking).sections()["run"]["stands for"] == "0" * 32


def test_a_version_that_is_there_leaves_an_alias_alone_unless_it_takes_it(
    tracking: TrackingConfig, run_id: str, tmp_path: Path
) -> None:
    config = config_for(tracking)
    for seed in (0, 1):
        write_model(tmp_path / "model", run_id, seed=seed)
        registration.register(config, tmp_path / "model", METRICS)
    write_model(tmp_path / "model", run_id, seed=0)
    takes = {
        take: registration.register(
            config, tmp_path / "model", METRICS, pointing=registration.Pointing("challenger", take)
        )
        for take in (False, True)
    }
    assert [(v.version, v.pointed) for v in takes.values()] == [(1, 2), (1, 1)]
    assert int(mlflow_client.connect(tracking).get_model_version_by_alias(MODEL, "challenger").version) == 1


def test_weights_that_are_not_the_records_are_refused(tracking: TrackingConfig, run_id: str, tmp_path: Path) -> None:
    write_model(tmp_path / "model", run_id)
    with (tmp_path / "model" / generator.FILE).open("ab") as file:
        file.write(b"\0")
    with pytest.raises(GanflowError, match=r"is not the model that run\.json describes"):
        registration.register(config_for(tracking), tmp_path / "model", METRICS)


def test_weights_changed_in_the_store_are_refused(tracking: TrackingConfig, run_id: str, tmp_path: Path) -> None:
    write_model(tmp_path / "model", run_id)
    registration.register(config_for(tracking), tmp_path / "model", METRICS)
    [stored] = (tmp_path / "mlruns").rglob(generator.FILE)
    write_model(tmp_path / "model", run_id, seed=1)
    stored.write_bytes((tmp_path / "model" / generator.FILE).read_bytes())
    with pytest.raises(GanflowError, match="its weights are not those that were registered"):
        load_generator(f"models:/{MODEL}@challenger", tracking)


@pytest.mark.parametrize(
    ("uri", "line"),
    [
        ("models:/nothing@challenger", "is not on sqlite.*; registered are ganflow-tests"),
        (f"models:/{MODEL}@champion", "alias champion not found; ganflow-tests has @challenger, 1"),
        (f"models:/{MODEL}/7", "not found; ganflow-tests has @challenger, 1"),
        (f"models:/{MODEL}", "no form of a model's address; give models:/NAME@ALIAS"),
        ("runs:/nothing", "is not on sqlite"),
        ("nowhere.safetensors", "no generator at nowhere.safetensors; give models:/NAME@ALIAS"),
    ],
)
def test_a_mistyped_address_is_one_line_with_what_there_is(
    tracking: TrackingConfig, run_id: str, tmp_path: Path, uri: str, line: str
) -> None:
    write_model(tmp_path / "model", run_id)
    registration.register(config_for(tracking), tmp_path / "model", METRICS)
    with pytest.raises(GanflowError, match=line) as told:
        load_generator(uri, tracking)
    assert "\n" not in str(told.value)


def test_reading_makes_no_store(tmp_path: Path) -> None:
    elsewhere = TrackingConfig(uri=f"sqlite:///{tmp_path}/none.db", experiment="")
    with pytest.raises(GanflowError, match=r"no MLflow store at .*none\.db; `dvc repro` makes it"):
        load_generator("models:/a@b", elsewhere)
    assert not (tmp_path / "none.db").exists()


def test_a_name_that_mlflow_cannot_search_is_refused(tracking: TrackingConfig, tmp_path: Path) -> None:
    config = config_for(tracking)
    config.register.name = "it's"
    with pytest.raises(ConfigError, match=r"register\.name=it's"):
        registration.register(config, tmp_path, METRICS)
