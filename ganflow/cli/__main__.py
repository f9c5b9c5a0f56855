"""`python -m ganflow.cli` is `ganflow`."""

from ganflow.cli import main

main()
