"""Metrics of anomaly scores and maps against the truth, and of the simple methods that a model has to beat."""
