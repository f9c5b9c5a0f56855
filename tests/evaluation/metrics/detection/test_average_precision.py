import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from ganflow.evaluation import bootstrap
from ganflow.evaluation.metrics.detection.average_precision import AveragePrecision
from ganflow.evaluation.metrics.features import UnmeasurableError
from tests.evaluation.metrics.detection.made import alone, detection


@pytest.mark.parametrize("ties", [False, True])
def test_it_is_scikit_learn_s_and_so_are_its_resamples(ties: bool) -> None:
    made, counts = detection(ties=ties), bootstrap.counts(40, 30)
    expected = average_precision_score(made.anomalous, made.scores)
    assert AveragePrecision()(made) == {"average_precision": pytest.approx(expected, abs=1e-12)}
    stars = [average_precision_score(made.anomalous, made.scores, sample_weight=row) for row in counts]
    assert len(set(stars)) > 20
    np.testing.assert_allclose(AveragePrecision().resampled(made, counts), stars, rtol=0, atol=1e-12)


def test_test_images_of_one_kind_are_refused() -> None:
    with pytest.raises(UnmeasurableError, match="the test split has no normal images"):
        AveragePrecision()(alone(detection(), True))
