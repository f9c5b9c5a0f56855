"""Penalties, one file each. A penalty is a term of a player's turn, never a turn of its own."""
