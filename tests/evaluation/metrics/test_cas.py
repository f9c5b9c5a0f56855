from ganflow.evaluation.metrics.cas import ClassificationAccuracyScore

ACCURACIES = {("generated",): 0.6, ("real",): 0.8, ("real", "generated"): 0.9}


def test_each_figure_is_the_accuracy_of_its_own_classifier() -> None:
    figures = ClassificationAccuracyScore()(lambda *images: ACCURACIES[images])
    assert figures == {"cas": 0.6, "cas_real": 0.8, "cas_both": 0.9}
