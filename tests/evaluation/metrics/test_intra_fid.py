import numpy as np
import pytest
import scipy.linalg
import torch

from ganflow.evaluation.metrics.features import Features, UnmeasurableError
from ganflow.evaluation.metrics.intra_fid import IntraFID, by_class, single


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


def test_a_class_with_one_reference_image_is_not_in_the_mean() -> None:
    fake, real = features({0: 40, 2: 50, 7: 30}, 6, 0.3), features({0: 60, 2: 1, 7: 80}, 7)
    found = by_class(fake, real)
    assert (set(found), single(real)) == ({0, 7}, [2])
    assert IntraFID()(fake, real) == {"intra_fid": (found[0] + found[7]) / 2}
    none_of_it = features({0: 40, 7: 30}, 8)  # a class that has no place in the mean need not be made
    assert IntraFID()(none_of_it, real)["intra_fid"] > 0


@pytest.mark.parametrize("samples", [0, 1])
def test_a_class_that_is_hardly_made_costs_the_mean(samples: int) -> None:
    fake, real = features({0: 20, 3: samples}, 6), features({0: 20, 3: 30}, 7)
    assert set(by_class(fake, real)) == {0}
    with pytest.raises(UnmeasurableError) as refused:
        IntraFID()(fake, real)
    has = f"class 3 has {samples} samples, and needs 2"
    assert str(refused.value) == f"intra_fid: {has}; raise evaluation.samples, or leave intra_fid out"


def test_classes_of_one_image_each_have_no_mean() -> None:
    with pytest.raises(UnmeasurableError, match=r"^intra_fid: no class has 2 reference images$"):
        IntraFID()(features({0: 20, 1: 20}, 9), features({0: 1, 1: 1}, 10))


def test_a_collapsed_class_is_measured() -> None:
    """All samples equal: no covariance, so the distance is the means' and the trace of the reference's covariance."""
    real = features({0: 50, 1: 60}, 11)
    x = real.embeddings.clone()
    assert real.labels is not None
    ones = real.labels == 1
    x[ones] = x[ones].mean(0)
    fake = Features(x, real.logits, labels=real.labels)
    expected = float(torch.cov(real.embeddings[ones].T).trace())
    assert by_class(fake, real) == pytest.approx({0: 0.0, 1: expected}, abs=1e-9)
