"""Networks that were trained elsewhere to recognise photographs, and their weights, which the user brings."""
