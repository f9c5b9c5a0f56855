"""Extractors: networks that turn images into the features that metrics consume, one file each."""
