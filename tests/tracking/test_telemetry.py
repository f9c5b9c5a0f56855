"""Nothing is told to MLflow's makers, from whichever door it is imported."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

ASK = "from mlflow.telemetry.client import get_telemetry_client; print(get_telemetry_client())"
HIDES = ("MLFLOW_", "PYTEST_", "CI", "GITHUB_", "DO_NOT_TRACK")  # what would turn it off for a test


@pytest.mark.parametrize(
    "door",
    ["ganflow.tracking.mlflow_client", "ganflow.tracking.registry.model_files", "ganflow.tracking.registry.checkout"],
)
def test_mlflows_telemetry_is_off(door: str) -> None:
    env = {key: value for key, value in os.environ.items() if not key.startswith(HIDES)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"import {door}; {ASK}"],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "None"
