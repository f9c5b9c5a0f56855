"""Generators that make an image of what they are given, one file each: (z, labels or None, given) → images."""
