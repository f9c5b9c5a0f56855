"""The facts that a network may ask for."""

from ganflow.signals.base import Shape, is_square


def network_facts(shape: Shape, num_classes: int, given: Shape | None = None) -> dict[str, object]:
    """The facts that a network may ask for: ``resolution`` is there for squares alone.

    Args:
        shape: of a sample.
        num_classes: that networks are told of.
        given: the shape of what G makes a sample from; None where it makes them of noise alone.
    """
    size = {"resolution": shape[1]} if is_square(shape) else {}
    return {"shape": shape, "channels": shape[0], "num_classes": num_classes, "given": given, **size}
