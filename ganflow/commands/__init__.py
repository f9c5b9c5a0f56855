"""What the commands do. They never import each other; `ganflow.cli` says how they are called."""
