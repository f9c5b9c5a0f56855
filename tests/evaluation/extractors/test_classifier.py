from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ganflow.data.prepared.dataset import Dataset
from ganflow.evaluation.extractors import classifier
from ganflow.evaluation.extractors.classifier import load_or_train
from tests.support.small import CLASSIFIER


@pytest.fixture(scope="module")
def images(digits: Path) -> torch.Tensor:
    return torch.from_numpy(Dataset.open(digits, "test").images(np.arange(100)))


def test_it_recognises_digits_that_it_has_not_seen(digits: Path, cache: Path) -> None:
    train, test = Dataset.open(digits), Dataset.open(digits, "test")
    extractor = load_or_train(train, test, CLASSIFIER, cache)
    features = extractor(torch.from_numpy(test.images(np.arange(len(test)))))
    accuracy = float((features.logits.argmax(1).numpy() == test.labels).mean())
    assert accuracy > 0.9
    assert extractor.accuracy == pytest.approx(accuracy, abs=1 / len(test))
    assert extractor.supervised
    assert features.embeddings.shape == (len(test), 2 * CLASSIFIER.width)
    assert features.logits.shape == (len(test), 10)


def test_training_again_gives_the_same_features(digits: Path, images: torch.Tensor, tmp_path: Path) -> None:
    short = replace(CLASSIFIER, kimg=1.0)
    torch.manual_seed(1)
    first = load_or_train(Dataset.open(digits), None, short, tmp_path / "a")
    torch.manual_seed(2)
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    before = torch.get_rng_state()
    second = load_or_train(Dataset.open(digits), None, short, tmp_path / "b")
    assert torch.get_num_threads() == threads + 1
    torch.set_num_threads(threads)
    assert torch.equal(torch.get_rng_state(), before)  # training a GAN draws from it, too
    assert torch.equal(first(images).embeddings, second(images).embeddings)
    assert (first.name, first.accuracy) == (second.name, second.accuracy)


def test_a_cached_extractor_is_not_trained_again(
    digits: Path, cache: Path, images: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = load_or_train(Dataset.open(digits), Dataset.open(digits, "test"), CLASSIFIER, cache)
    monkeypatch.setattr(classifier, "_fit", lambda *_: pytest.fail("it was trained again"))
    loaded = load_or_train(Dataset.open(digits), Dataset.open(digits, "test"), CLASSIFIER, cache)
    assert torch.equal(loaded(images).embeddings, trained(images).embeddings)
    assert torch.equal(loaded(images).logits, trained(images).logits)
    assert (loaded.name, loaded.accuracy) == (trained.name, trained.accuracy)
    assert not [path for path in cache.iterdir() if path.name.startswith(".")], "a file in the making was left"


def test_other_options_and_other_data_are_another_extractor(digits: Path, unlabelled: Path, tmp_path: Path) -> None:
    brief = replace(CLASSIFIER, kimg=0.1)
    names = {
        load_or_train(Dataset.open(digits), None, brief, tmp_path).name,
        load_or_train(Dataset.open(digits), None, replace(brief, width=4), tmp_path).name,
        load_or_train(Dataset.open(digits), None, replace(brief, kimg=0.2), tmp_path).name,
        load_or_train(Dataset.open(unlabelled), None, brief, tmp_path).name,
    }
    assert len(names) == len(list(tmp_path.iterdir())) == 4


def test_data_without_labels_get_a_classifier_of_rotations(unlabelled: Path, tmp_path: Path) -> None:
    data = Dataset.open(unlabelled)
    extractor = load_or_train(data, None, replace(CLASSIFIER, kimg=6.0), tmp_path)
    assert not extractor.supervised
    assert extractor.accuracy > 0.6  # of four turns, by chance 0.25
    images = torch.from_numpy(data.images(np.arange(200)))
    assert extractor(images).logits.shape == (200, 0)
    right = []
    for turns in range(4):
        turned = classifier._normalise(torch.rot90(images, turns, (2, 3)))
        logits = extractor.network.head(extractor.network.features(turned))
        right.append(float((logits.argmax(1) == turns).float().mean()))
    assert np.mean(right) == pytest.approx(extractor.accuracy, abs=0.1)


@pytest.mark.parametrize("resolution", [4, 8, 28, 64])
def test_the_network_takes_any_resolution(resolution: int) -> None:
    network = classifier.Network(3, resolution, 7, 4).eval()
    features = network.features(torch.randn(2, 3, resolution, resolution))
    assert features.shape == (2, 8)
    assert network.head(features).shape == (2, 7)
