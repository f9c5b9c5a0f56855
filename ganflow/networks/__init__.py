"""Networks, one file each: a generator and a discriminator.

A generator maps (z (N, latent_dim), labels (N,) or None) to images (N, channels, R, R) in [-1, 1]; a discriminator
maps (images, labels or None) to logits (N,), or to (N, 1 + num_classes) where it is an auxiliary classifier too.
With ``num_classes`` 0 they take no labels.
"""
