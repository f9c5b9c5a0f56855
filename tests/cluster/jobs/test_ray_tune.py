import csv
from pathlib import Path

import pytest
import yaml

from tests.support.project import Project

pytestmark = pytest.mark.slow


def test_a_trial_that_breaks_down_is_an_outcome_and_not_tried_again(tmp_path: Path) -> None:
    space = "{optimizers.generator.lr: {log_uniform: [1.0e+29, 1.0e+30]}}"
    project = Project(tmp_path, f"tune.space={space}", "cluster.max_failures=3")
    project.stage("prepare")
    project.stage("tune")
    with (tmp_path / "reports/tune/trials.csv").open() as file:
        healthy, broken = csv.DictReader(file)
    assert healthy["overrides"] == ""
    assert float(healthy["value"]) > 0
    assert "optimizers.generator.lr=" in broken["overrides"]
    assert broken["value"] == ""
    assert float(broken["kimg"]) == 2  # it reported; a trial that failed has no report
    best = yaml.safe_load((tmp_path / "reports/tune/best.yaml").read_text())
    assert best["overrides"] == []
