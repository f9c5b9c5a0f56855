"""A small extractor of the digits, as a configuration and as what it builds."""

from ganflow.evaluation.extractors.classifier import ClassifierChoice

CLASSIFIER = ClassifierChoice(width=8, kimg=12)
EXTRACTOR = {"name": "classifier", "width": 8, "kimg": 12}
