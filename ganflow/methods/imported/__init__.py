"""Weights that other code bases published, as networks of ganflow's. An architecture is one file."""
