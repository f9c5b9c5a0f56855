"""Area under the ROC curve of anomaly scores, of a model and of simple methods."""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from ganflow.config.components import component
from ganflow.errors import require
from ganflow.evaluation.metrics.base import HIGHER, Figure
from ganflow.evaluation.metrics.detection.base import DETECTS, SHARES, ScoreMetric
from ganflow.evaluation.metrics.detection.ranking import Ranking, area
from ganflow.evaluation.metrics.detection.scored import Detection
from ganflow.evaluation.metrics.detection.simple_detectors import nearest_normal, pca_rebuilt


@component("metric", "auroc")
class AUROC(ScoreMetric):
    """The probability that an anomalous test image scores higher than a normal one; equal scores count half.

    Two simple methods see the same pixels: ``auroc_pca``, the error of principal components of the train images, and
    ``auroc_nearest``, the distance from the nearest train image. ``auroc_pca_scored`` has those components'
    reconstructions scored as the model's are: what it is above, the network is worth, and not the score.

    Args:
        pca_variance: share of the train images' variance that the components hold; test images have no say in it.
    """

    figures: ClassVar[Mapping[str, Figure]] = {
        "auroc": Figure("AUROC", HIGHER, "How often an anomalous image scores above a normal one.", DETECTS),
        "auroc_pca": Figure("AUROC of PCA", "", "The same by principal components of train images: to beat.", DETECTS),
        "auroc_pca_scored": Figure(
            "AUROC of PCA by the model's score", "", "PCA's reconstructions, scored as the model's: to beat.", DETECTS
        ),
        "auroc_nearest": Figure(
            "AUROC of the nearest image", "", "The same by the distance from train images: to beat.", DETECTS
        ),
    }
    bounded = "auroc"

    def __init__(self, pca_variance: float = 0.95) -> None:
        require(0 < pca_variance <= 0.999, "pca_variance", pca_variance, SHARES)
        self.pca_variance = pca_variance

    def __call__(self, detection: Detection) -> dict[str, float]:
        figures = super().__call__(detection)
        images, normal, anomalous = detection.images, detection.normal, detection.anomalous
        rebuilt = pca_rebuilt(images, normal, self.pca_variance)
        figures["auroc_pca"] = self.of_all((images - rebuilt).square().mean(1), anomalous)
        if detection.rescore is not None:
            scored = detection.rescore(images, rebuilt.float())
            figures["auroc_pca_scored"] = self.of_all(scored, anomalous)
        return figures | {"auroc_nearest": self.of_all(nearest_normal(images, normal), anomalous)}

    def of_scores(self, scores: Tensor, anomalous: Tensor, counts: Tensor) -> Tensor:
        """AUROC of every weighting: (B,)."""
        return weighted_auroc(scores, anomalous, counts)


def weighted_auroc(scores: Tensor, anomalous: Tensor, counts: Tensor) -> Tensor:
    """AUROC of scores (N,), of which bool ``anomalous`` (N,) should be high, for weights (B, N): (B,)."""
    ranking = Ranking.of(scores)
    return area(ranking.passed(counts * ~anomalous), ranking.passed(counts * anomalous))
