"""Weights of a small network: found, downloaded once, verified, and never run."""

import hashlib
import pickle
from pathlib import Path
from unittest import mock

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ganflow.errors import ConfigError
from ganflow.methods.perception import published_weights as weights
from tests.storage import test_storage
from tests.support.ranks import on_ranks

credentials, nothing_of_this_machine = test_storage.credentials, test_storage.nothing_of_this_machine
server = test_storage.server

CONTENT = b"weights, or so"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
KEY = "evaluation.extractor.weights"
URI = "s3://gan/models/inception.pth"


def refused(uri: object, action: object, *args: object) -> str:
    assert callable(action)
    with pytest.raises(ConfigError) as caught:
        action(*args)
    line = str(caught.value)
    assert line.startswith(f"{KEY}={uri}: ")
    assert "\n" not in line
    return line


@pytest.fixture
def bucket(server: None, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    monkeypatch.setitem(test_storage.OBJECTS, "models/inception.pth", CONTENT)
    return test_storage.OBJECTS


@pytest.mark.parametrize("expected", ["", SHA256[:8], SHA256])
def test_a_local_file_is_read_where_it_lies(expected: str, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(CONTENT)
    assert weights.fetch(str(path), expected, tmp_path / "cache", KEY) == (path, SHA256)
    assert not (tmp_path / "cache").exists()


def test_a_file_that_is_not_there_and_a_folder(tmp_path: Path) -> None:
    for path in (str(tmp_path / "none.pth"), str(tmp_path)):
        assert refused(path, weights.fetch, path, "", tmp_path, KEY).endswith("there is no such file")


def test_a_file_that_is_another(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(CONTENT)
    told = refused(path, weights.fetch, str(path), "6726825d", tmp_path, KEY)
    assert f"its sha256 begins with {SHA256[:12]}, not with 6726825d" in told
    assert SHA256 in refused(path, weights.fetch, str(path), "0" * 64, tmp_path, KEY)


def test_an_object_is_downloaded_once(bucket: dict[str, bytes], cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, digest = weights.fetch(URI, SHA256, cache, KEY)
    assert (path.parent, path.suffix, path.read_bytes(), digest) == (cache, ".pth", CONTENT, SHA256)
    monkeypatch.delitem(bucket, "models/inception.pth")
    assert weights.fetch(URI, SHA256, cache, KEY) == (path, SHA256)
    assert list(cache.iterdir()) == [path]


def test_a_damaged_copy_is_downloaded_again(bucket: dict[str, bytes], cache: Path) -> None:
    path, _ = weights.fetch(URI, SHA256, cache, KEY)
    path.write_bytes(CONTENT[:5])
    assert weights.fetch(URI, SHA256, cache, KEY)[0].read_bytes() == CONTENT


def test_an_object_that_is_another_is_not_kept(bucket: dict[str, bytes], cache: Path) -> None:
    assert "not with 6726825d" in refused(URI, weights.fetch, URI, "6726825d", cache, KEY)
    assert not list(cache.iterdir())


def test_a_prefix_of_objects_is_no_file(bucket: dict[str, bytes], cache: Path) -> None:
    assert "there is no such file" in refused("s3://gan/models", weights.fetch, "s3://gan/models", "", cache, KEY)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def downloads(cache: Path) -> tuple[bytes, int]:
    def localize(uri: str, scratch: Path) -> Path:
        (scratch / "w.pth").write_bytes(CONTENT)
        return scratch / "w.pth"

    with mock.patch.object(weights, "localize", side_effect=localize) as calls:
        path, _ = weights.fetch(URI, SHA256, cache, KEY)
    return path.read_bytes(), calls.call_count


def test_of_two_ranks_one_downloads(cache: Path) -> None:
    assert on_ranks(2, downloads, cache) == [(CONTENT, 1), (CONTENT, 0)]


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))


def given() -> dict[str, Tensor]:
    return {k: v + 1 for k, v in network().state_dict().items()}


def load(path: Path) -> nn.Module:
    with torch.device("meta"):
        made = network()
    weights.load(made, path, "W", KEY)
    return made


def told(saved: object, path: Path) -> str:
    torch.save(saved, path)
    return refused("W", load, path)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_state_dict_of_either_format_of_torch(zipped: bool, tmp_path: Path) -> None:
    source = network()
    torch.save(source.state_dict(), tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    loaded = load(tmp_path / "w.pth").state_dict()
    assert all(torch.equal(loaded[k], v) for k, v in source.state_dict().items())


def test_safetensors(tmp_path: Path) -> None:
    saved = given()
    save_file(saved, tmp_path / "w.safetensors")
    assert all(torch.equal(v, saved[k]) for k, v in load(tmp_path / "w.safetensors").named_parameters())


def test_other_precision_and_no_counters(tmp_path: Path) -> None:
    saved = {k: v.half() for k, v in given().items() if not k.endswith("num_batches_tracked")}
    torch.save(saved, tmp_path / "w.pth")
    loaded = load(tmp_path / "w.pth")
    assert all(p.dtype == torch.float32 and torch.equal(p, saved[k].float()) for k, p in loaded.named_parameters())
    assert not any(b.is_meta for b in loaded.buffers())


def test_weights_of_another_network(tmp_path: Path) -> None:
    path, right = tmp_path / "w.pth", given()
    lacking = {k: v for k, v in right.items() if k != "1.weight"}
    assert told(lacking, path).endswith("is of another network: 1.weight is not in it")
    assert told(right | {"0.weight": torch.ones(2, 1)}, path).endswith("0.weight is (2, 1), not (2, 1, 3, 3)")
    assert told(right | {"aux": torch.ones(2)}, path).endswith("it has a aux")
    assert told(right | {"0.bias": torch.ones(2).long()}, path).endswith("0.bias is torch.int64, not floating point")


def test_what_is_no_state_dict(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    for saved in ([torch.ones(2)], {"epoch": 3}, {"model": given()}, {3: torch.ones(2)}, torch.ones(2)):
        assert "is not a state dict" in told(saved, path)


class Trap:
    """A pickle that makes a folder when it is read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.mkdir, (Path(self.folder),)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_would_run_code_is_not_run(zipped: bool, tmp_path: Path) -> None:
    path, trapped = tmp_path / "w.pth", tmp_path / "trapped"
    torch.save({"0.weight": Trap(trapped)}, path, _use_new_zipfile_serialization=zipped)
    assert "a pickle that could run code is not loaded" in refused("W", load, path)
    path.write_bytes(pickle.dumps(Trap(trapped), protocol=2))
    assert "a pickle that could run code is not loaded" in refused("W", load, path)
    assert not trapped.exists()
    pickle.loads(path.read_bytes())
    assert trapped.exists()  # it was a trap


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_a_damaged_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    for content in (b"", b"PK\x03\x04 no zip", b"<html>not found</html>"):
        path.write_bytes(content)
        assert "holds more than tensors, or is damaged" in refused("W", load, path)
