"""`dvc repro` from a host that only drives: three others work, S3 holds what they share, a server tracks it."""

import hashlib
import json
from typing import Any

import pytest
import yaml

from tests.support.patience import patience
from tests.support.project import Project
from tests.system.conftest import BUCKET
from tests.system.faults import WEIGHTS, Field, Training
from tests.system.test_faults import field as field

DEADLINE_S = patience(900)


def outcome(project: Project) -> tuple[Any, Any, str]:
    """What the search found, the figures, and the digest of the weights."""
    best = yaml.safe_load(project.read("reports/tune/best.yaml"))
    return best, json.loads(project.read("reports/metrics.json")), hashlib.sha256(project.read(WEIGHTS)).hexdigest()


def test_the_pipeline_makes_over_hosts_what_it_makes_on_one_machine(
    field: Field, tmp_path_factory: pytest.TempPathFactory
) -> None:
    alone = Project(tmp_path_factory.mktemp("one-machine"), "cluster.workers=2")
    alone.begin_history()
    alone.run("dvc", "repro")

    over = Training(field, "pipeline", f"s3://{BUCKET}/pipeline", ("cluster.workers=2",))
    over.project.begin_history()
    assert over.give("dvc", "repro").wait(DEADLINE_S) == 0, over.project.log()

    best, figures, digests = zip(*map(outcome, (alone, over.project)), strict=True)
    assert best[0] == best[1]
    assert digests[0] == digests[1]
    assert figures[0] == figures[1]
    assert {name.split("/")[0] for name in over.stored()} >= {"data", "extractors", "runs"}
    registered = json.loads(over.project.read("reports/registry.json"))
    said = field.postgres.query("mlflow", "SELECT name, version FROM model_versions")
    assert (registered["name"], int(registered["version"])) in [
        (str(name), int(str(version))) for name, version in said
    ]
