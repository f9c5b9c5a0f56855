"""The `ganflow` command."""

import os
import sys

from ganflow.terminal.early_signals import end_at_once

if os.path.basename(sys.argv[0]) in ("ganflow", "-m"):
    end_at_once()

from ganflow.terminal.console import entry_point


@entry_point
def main() -> None:
    """Run the command line."""
    from ganflow.cli.app import run

    run()
