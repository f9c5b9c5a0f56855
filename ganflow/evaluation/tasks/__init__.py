"""Tasks, one file each: what a model is for, so what is measured of it and shown."""
