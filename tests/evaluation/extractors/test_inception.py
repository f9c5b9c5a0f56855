"""The extractor that a configuration names, with random weights."""

import hashlib
import shutil
from pathlib import Path

import pytest
import torch

from ganflow.config import components
from ganflow.errors import ConfigError, GanflowError
from ganflow.evaluation.extractors import inception
from ganflow.evaluation.extractors.inception import InceptionFeatures
from ganflow.evaluation.extractors.inception_v3 import InceptionV3
from tests.support.inception import random_images

CPU = torch.device("cpu")


def build(weights: object, cache: Path, sha256: str = "") -> InceptionFeatures:
    node = {"name": "inception", "weights": str(weights), "sha256": sha256}
    made = components.build("extractor", node, "evaluation.extractor").build(None, cache, CPU)
    assert isinstance(made, InceptionFeatures)
    return made


def refused(weights: object, cache: Path, sha256: str = "") -> str:
    with pytest.raises(ConfigError) as caught:
        build(weights, cache, sha256)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def extractor(weights_file: Path, tmp_path_factory: pytest.TempPathFactory) -> InceptionFeatures:
    return build(weights_file, tmp_path_factory.mktemp("cache"))


@torch.inference_mode()
def test_it_gives_what_the_network_gives(extractor: InceptionFeatures, network: InceptionV3) -> None:
    images = random_images(2, 3, 32)
    found, (features, logits) = extractor(images), network(images)
    torch.testing.assert_close(found.embeddings, features, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.logits, logits, rtol=1e-5, atol=1e-5)
    assert (found.embeddings.dtype, found.embeddings.shape) == (torch.float32, (2, extractor.width))
    assert found.classes == 0  # of ImageNet's, none are the data's


def test_its_name_says_which_weights(extractor: InceptionFeatures, weights_file: Path) -> None:
    assert extractor.name == f"inception-{hashlib.sha256(weights_file.read_bytes()).hexdigest()[:12]}"
    assert extractor.accuracy is None


def test_it_is_built_ready_and_without_a_draw(weights_file: Path, tmp_path: Path) -> None:
    before = torch.get_rng_state()
    made = build(weights_file, tmp_path)
    assert torch.equal(torch.get_rng_state(), before)
    assert not made.network.training
    assert not any(p.requires_grad or p.is_meta for p in made.network.parameters())


def test_images_pass_in_chunks(extractor: InceptionFeatures, monkeypatch: pytest.MonkeyPatch) -> None:
    images = random_images(3, 1, 16)
    whole, sizes = extractor(images), []
    monkeypatch.setattr(inception, "CHUNK", 2)
    with extractor.network.Mixed_7c.register_forward_hook(lambda _, __, out: sizes.append(len(out))):
        parts = extractor(images)
    assert sizes == [2, 1]
    torch.testing.assert_close(parts.embeddings, whole.embeddings, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(parts.logits, whole.logits, rtol=1e-5, atol=1e-5)


def test_it_computes_in_float32_under_autocast(extractor: InceptionFeatures) -> None:
    images = random_images(1, 3, 32)
    flags = torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic
    with torch.autocast("cpu", torch.bfloat16):
        found = extractor(images)
    assert torch.equal(found.embeddings, extractor(images).embeddings)
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic) == flags


@pytest.mark.parametrize("shape", [(2, 2), (0, 3, 8, 8), (1, 2, 8, 8), (3, 8, 8)])
def test_what_are_no_images(extractor: InceptionFeatures, shape: tuple[int, ...]) -> None:
    with pytest.raises(GanflowError, match=r"takes images \(N, 1 or 3, H, W\), not \("):
        extractor(torch.zeros(shape))


def test_without_weights_it_says_where_they_come_from(tmp_path: Path) -> None:
    line = refused("", tmp_path)
    assert line.startswith('evaluation.extractor.weights="": must be the path or s3:// URI of the Inception-v3 weights')
    for word in ("toshas/torch-fidelity v0.2.0", "mseitzer/pytorch-fid fid_weights", "nothing is downloaded"):
        assert word in line


@pytest.mark.parametrize("name", ["pt_inception-2015-12-05-6726825d.pth", "weights-inception-2015-12-05-6726825d.pth"])
def test_the_public_file_is_known_by_its_name(name: str, weights_file: Path, tmp_path: Path) -> None:
    shutil.copy(weights_file, tmp_path / name)
    assert "not with 6726825d; damaged, or another file" in refused(tmp_path / name, tmp_path)


def test_a_checksum_that_is_told_is_held(weights_file: Path, extractor: InceptionFeatures, tmp_path: Path) -> None:
    digest = extractor.name.removeprefix("inception-")
    assert build(weights_file, tmp_path, digest.upper()).name == extractor.name
    assert "not with 00000000" in refused(weights_file, tmp_path, "00000000")


@pytest.mark.parametrize("text", ["1234567", "not hexadecimal", "0" * 65])
def test_what_is_no_checksum(text: str, tmp_path: Path) -> None:
    line = refused("w.pth", tmp_path, text)
    assert line == f"evaluation.extractor.sha256={text}: must be 8 to 64 hexadecimal digits"


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.ones(1)}, tmp_path / "w.pth")
    assert refused(tmp_path / "w.pth", tmp_path).endswith("Conv2d_1a_3x3.conv.weight is not in it")
