"""Versions of two data sets under one name are not compared unaware."""

from dataclasses import replace
from pathlib import Path

import pytest

from ganflow.config.schema import PromotionConfig, TrackingConfig
from ganflow.errors import GanflowError
from ganflow.methods import generator
from ganflow.tracking import mlflow_client
from ganflow.tracking.registry import registration
from ganflow.tracking.registry.trained_on import check_same
from ganflow.tracking.runs import run_record
from tests.tracking.mlflow_help import MODEL, config_for, open_run, write_model

pytestmark = pytest.mark.slow


def version(tracking: TrackingConfig, folder: Path, seed: int, digest: str, **data: str) -> int:
    """A registered version that was trained on such data."""
    with open_run(tracking, f"f{seed}", **{f"data.{key}": value for key, value in data.items()}) as run:
        record = replace(write_model(folder, run.run_id, seed=seed), data_digest=digest)
    record.write(folder / run_record.FILE)
    assert (folder / generator.FILE).is_file()
    return registration.register(config_for(tracking), folder, {}).version


def test_another_data_set_is_refused_and_one_that_grew_or_moved_is_not(
    tracking: TrackingConfig, tmp_path: Path
) -> None:
    def made(seed: int, digest: str, path: str) -> int:
        return version(tracking, tmp_path / "model", seed, digest, name="image_folder", path=path)

    cats, more_cats, renamed, dogs = (
        made(0, "a" * 64, "/data/cats"),
        made(1, "b" * 64, "s3://bucket/Cats.zip"),
        made(2, "a" * 64, "/data/felines"),
        made(3, "c" * 64, "/data/dogs"),
    )
    client, gate = mlflow_client.connect(tracking), PromotionConfig()
    check_same(client, MODEL, dogs, None, gate)
    check_same(client, MODEL, more_cats, cats, gate)
    check_same(client, MODEL, renamed, cats, gate)
    check_same(client, MODEL, dogs, cats, replace(gate, other_data=True))
    line = (
        rf"^{MODEL}/4 was trained on image_folder dogs and the champion, {MODEL}/1, on image_folder cats: set "
        r"register\.name to a name for each data set, or promotion\.other_data=true to compare them all the same$"
    )
    with pytest.raises(GanflowError, match=line):
        check_same(client, MODEL, dogs, cats, gate)
