"""Stage ``register``: the trained model becomes a version of the registered model, with an alias to it.

It takes no arguments: `params.yaml` says what it does, and `ganflow config compose KEY=VALUE …` writes that.
"""

import sys

from ganflow import config
from ganflow.terminal import entry_point
from ganflow.tracking import checkout


@entry_point
def main() -> None:
    """Register ``model/`` with its figures and write which version it is."""
    print(checkout.line(checkout.register(config.load(), insist=False)))


if __name__ == "__main__":
    main(*sys.argv[1:])
