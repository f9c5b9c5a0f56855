"""Metrics over features, one file each. A metric maps (fake, real) :class:`Features` to named figures."""
