"""Optimizers, one file each: called with a player's parameters they give the torch optimizer."""
