"""Deadlines of tests on a slow or busy machine: GANFLOW_TEST_PATIENCE=3 makes them three times as long."""

import os

FACTOR = float(os.environ.get("GANFLOW_TEST_PATIENCE", "1"))


def patience(seconds: float) -> float:
    """A deadline on this machine; a test passes as soon as it can, so it costs nothing to be generous."""
    return seconds * FACTOR
