"""Stage ``register``: the trained model becomes a version of the registered model, with an alias to it.

It takes no arguments: `params.yaml` says what it does, and `ganflow config compose KEY=VALUE …` writes that.
"""

import sys

from ganflow.terminal.console import entry_point
from ganflow.terminal.progress import doing


@entry_point
@doing("register: working")
def main() -> None:
    """Register ``model/`` with its figures and write which version it is."""
    from ganflow.config import params_file
    from ganflow.tracking.registry import checkout

    print(checkout.line(checkout.register(params_file.load(), insist=False)))


if __name__ == "__main__":
    main(*sys.argv[1:])
