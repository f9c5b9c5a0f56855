"""Networks, one file each: a generator and a discriminator.

A generator maps (z (N, latent_dim), labels (N,) or None) to images (N, channels, R, R), [-1, 1] from black to white;
a linear output may reach beyond. A discriminator maps (images, labels or None) to logits (N,), or (N, 1 + num_classes)
with an auxiliary classifier. With ``num_classes`` 0 they take no labels.

Those of ``restoration`` make an image of what they are given, as a third argument; a discriminator that ``sees_given``
takes that, too.
"""
