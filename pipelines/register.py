"""Stage ``register``: the trained model becomes a version of the registered model, with an alias to it.

It takes no arguments: `params.yaml` says what it does, and `ganflow config compose KEY=VALUE …` writes that.
"""

import sys

from ganflow.progress import doing
from ganflow.terminal import entry_point


@entry_point
@doing("register: working")
def main() -> None:
    """Register ``model/`` with its figures and write which version it is."""
    from ganflow import config
    from ganflow.tracking import checkout

    print(checkout.line(checkout.register(config.load(), insist=False)))


if __name__ == "__main__":
    main(*sys.argv[1:])
