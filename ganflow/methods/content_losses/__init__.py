"""Content losses: how far a generator's image is from the one that it should be. A new one is one file here."""
