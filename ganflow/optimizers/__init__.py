"""Optimizers, one file each: called with a player's parameters they give the torch optimizer.

``stretch`` is c = k/(k+1) for a player with a lazy penalty every k-th turn, else 1: learning rate and betas are adapted
so that the penalty's extra turns change nothing (Karras et al., 2020, appendix B). Whatever the optimizer, a gradient
then moves the weights c times as far, and what it remembers fades c times as fast.
"""
