"""Degradations: the steps from an image to what a model that restores it is given. A new one is one file here."""
