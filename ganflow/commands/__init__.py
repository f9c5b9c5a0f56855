"""The commands, one module each; `ganflow.cli` has their arguments."""
