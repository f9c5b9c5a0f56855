"""Metrics of restored images beside the true ones, and of the simple methods that a model has to beat."""
