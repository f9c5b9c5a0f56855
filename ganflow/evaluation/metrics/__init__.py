"""Metrics, one file each: classes that map what they measure to named figures.

The names of a metric's ``__call__`` parameters say what that is: ``fake``, ``real``, ``train`` and ``test`` are
:class:`~ganflow.evaluation.metrics.features.Features`, of samples, the reference, the split trained on and the
held-out one; ``neighbours`` is what :func:`~ganflow.evaluation.metrics.memorisation.nearest` says of the samples;
``generator`` makes more of them, ``extract`` makes features of images, ``accuracy_of`` trains a classifier. Figures of
which nothing can be said are left out. ``figures`` says what each means; ``resampled``, where a metric has one, gives
its ``bounded`` figure an interval; ``fewest`` says how few samples of so many features it takes.
"""
