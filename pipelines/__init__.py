"""The stages of dvc.yaml, one entry point each. They never import each other."""

import sys

if sys.argv[0] == "-m":  # `python -m pipelines.train` gets here before anything else
    from ganflow.terminal.early_signals import end_at_once

    end_at_once()
