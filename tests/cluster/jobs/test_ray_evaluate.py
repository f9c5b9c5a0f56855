from pathlib import Path

import pytest

from ganflow.cluster.jobs.ray_evaluate import evaluate
from ganflow.cluster.workers.staging import RunStaging
from ganflow.config import composition
from ganflow.errors import GanflowError
from ganflow.storage.local_folder import LocalFolder


def test_a_model_that_is_not_there_is_one_line_before_ray_starts(tmp_path: Path) -> None:
    supply = RunStaging(LocalFolder(tmp_path), False, "data", tmp_path, 1)
    with pytest.raises(GanflowError) as refused:
        evaluate(composition.compose(), "e", tmp_path / "generator.safetensors", supply)
    assert str(refused.value) == f"{tmp_path}/generator.safetensors is missing; `dvc repro train` writes it"
