"""Pages for people: an evaluation, a promotion, the model card, curves."""
