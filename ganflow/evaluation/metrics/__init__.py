"""Metrics, one file each: subclasses of :class:`~ganflow.evaluation.metrics.base.Metric`.

A metric's ``needs`` name its inputs: ``fake``, ``real``, ``train`` and ``test`` are
:class:`~ganflow.evaluation.metrics.features.Features`, of samples, the reference, the split trained on and the
held-out one; ``neighbours`` is what :func:`~ganflow.evaluation.metrics.memorisation.nearest` says of the samples;
``generator`` makes more of them, ``extract`` makes features of images, ``accuracy_of`` trains a classifier;
``pairs`` are restored images beside true ones, ``detection`` anomaly scores beside the truth.
"""
