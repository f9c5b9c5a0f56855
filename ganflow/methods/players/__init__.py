"""Players: a network, its optimizer and its weights on file."""
