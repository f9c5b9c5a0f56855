import numpy as np
import pytest
import scipy.linalg
import torch

from ganflow.errors import GanflowError
from ganflow.metrics.features import Features
from ganflow.metrics.intra_fid import IntraFID, by_class


def features(counts: dict[int, int], seed: int, shift: float = 0.0, labelled: bool = True) -> Features:
    """As many features of each class as ``counts`` says, around a mean of its own, mixed."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(list(counts), list(counts.values())))
    x = rng.normal(shift, 1, (len(labels), 3)) * (1 + labels[:, None]) + 5 * labels[:, None]
    return Features(torch.from_numpy(x), torch.empty(len(x), 0), labels=torch.from_numpy(labels) if labelled else None)


def by_definition(fake: np.ndarray, real: np.ndarray) -> float:
    """Heusel et al. (2017), eq. 6, with scipy's dense matrix root."""
    cov_fake, cov_real = (np.cov(x, rowvar=False) for x in (fake, real))
    trace = np.trace(cov_fake + cov_real - 2 * np.real(scipy.linalg.sqrtm(cov_fake @ cov_real)))
    return float(((fake.mean(0) - real.mean(0)) ** 2).sum() + trace)


def test_it_is_the_mean_of_the_classes_distances() -> None:
    fake, real = features({0: 40, 2: 50, 7: 30}, 0, 0.3), features({0: 60, 2: 45, 7: 80}, 1)
    expected = {
        label: by_definition(*(f.embeddings[f.labels == label].numpy() for f in (fake, real))) for label in (0, 2, 7)
    }
    assert by_class(fake, real) == pytest.approx(expected, rel=1e-6)
    assert IntraFID()(fake, real) == {"intra_fid": pytest.approx(np.mean(list(expected.values())), rel=1e-6)}


def test_samples_of_the_wrong_class_show() -> None:
    real = features({0: 100, 1: 100}, 2)
    assert real.labels is not None
    swapped = Features(real.embeddings, real.logits, labels=1 - real.labels)
    assert IntraFID()(real, real)["intra_fid"] == pytest.approx(0, abs=1e-9)
    assert IntraFID()(swapped, real)["intra_fid"] > 3 * 5**2 / 2


def test_a_class_of_fewer_images_than_features_still_has_a_distance() -> None:
    fake, real = features({0: 2, 1: 30}, 3), features({0: 3, 1: 30}, 4)
    assert by_class(fake, real)[0] > 0


def test_without_labels_nothing_is_said() -> None:
    with_labels, without = features({0: 9}, 5), features({0: 9}, 5, labelled=False)
    assert IntraFID()(without, with_labels) == IntraFID()(with_labels, without) == {}


@pytest.mark.parametrize(("samples", "images"), [(1, 30), (0, 30), (30, 1)])
def test_a_class_of_one_image_is_refused(samples: int, images: int) -> None:
    with pytest.raises(GanflowError) as refused:
        IntraFID()(features({0: 20, 3: samples}, 6), features({0: 20, 3: images}, 7))
    has = f"class 3 has {samples} samples and {images} reference images, and needs 2 of each"
    assert str(refused.value) == f"intra_fid: {has}; raise evaluation.samples, or leave intra_fid out"
