from pathlib import Path

import pytest
import torch

from ganflow.training.checkpoints.checkpoint import CheckpointStore, copied


def state(value: float) -> dict[str, object]:
    return {"nimg": int(value), "weights": {"w": torch.full((3,), value)}}


def test_the_newest_comes_back(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "run")
    assert store.latest() is None
    for nimg in (5, 10, 1000):
        store.save(state(nimg), nimg)
    latest = store.latest()
    assert latest is not None
    assert latest["nimg"] == 1000
    assert torch.equal(latest["weights"]["w"], torch.full((3,), 1000.0))


def test_only_the_last_ones_stay(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "run", keep=2)
    for nimg in (1, 2, 3, 4):
        store.save(state(nimg), nimg)
    assert [path.name[11:23] for path in sorted((tmp_path / "run").iterdir())] == ["000000000003", "000000000004"]


@pytest.mark.parametrize("damage", ["torn", "flipped", "empty"])
def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    store = CheckpointStore(tmp_path / "run")
    store.save(state(1), 1)
    newest = tmp_path / "run" / store.save(state(2), 2)
    raw = bytearray(newest.read_bytes())
    raw[len(raw) // 2] ^= 1
    newest.write_bytes({"torn": raw[: len(raw) // 2], "flipped": raw, "empty": b""}[damage])
    latest = store.latest()
    assert f"{newest.name} is damaged" in caplog.text
    assert latest is not None
    assert latest["nimg"] == 1


def test_what_was_not_finished_is_no_checkpoint(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "run")
    path = tmp_path / "run" / store.save(state(1), 1)
    unfinished = tmp_path / "run" / f".{path.name}.99.partial"
    path.rename(unfinished)
    assert store.latest() is None
    store.storage.tidy()
    assert not unfinished.exists()


def test_a_finished_run_is_set_aside(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "run")
    store.save(state(1), 1)
    aside = store.retire()
    assert store.latest() is None
    assert CheckpointStore(aside).latest() is not None
    store.save(state(2), 2)
    assert store.retire().uri == aside.uri
    again = CheckpointStore(aside).latest()
    assert again is not None
    assert again["nimg"] == 2


def test_a_copy_keeps_what_was_there_then() -> None:
    weights = torch.zeros(2, 3).t()
    kept = copied({"nimg": 1, "rows": [weights, (weights, "text")]})
    weights += 1
    assert kept["nimg"] == 1
    assert kept["rows"][0].abs().sum() == 0
    assert kept["rows"][0].stride() == weights.stride()
    assert kept["rows"][1][1] == "text"
