"""Adversarial losses on logits, one file each."""
