"""Augmentations of everything that D sees, one file each. They are differentiable: G learns through them."""
