"""First weights of dense layers and convolutions, by name."""

from torch import nn

from ganflow.errors import require

INITS = ("torch", "he", "glorot")
WEIGHED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def initialise(network: nn.Module, init: str) -> None:
    """Draw the weights anew, with biases of 0: ``torch`` leaves them as torch drew them.

    ``he`` (He et al., 2015, eq. 10) keeps the size of activations through any depth of ReLU, so that a generator's
    first samples are spread out; ``glorot`` (Glorot & Bengio, 2010, eq. 16) is uniform, and what Keras does by itself.
    """
    require(init in INITS, "init", init, f"one of {', '.join(INITS)}")
    for layer in network.modules() if init != "torch" else ():
        if isinstance(layer, WEIGHED):
            if init == "he":
                # The first dimension of a transposed convolution's weight is its inputs.
                transposed = isinstance(layer, nn.ConvTranspose2d)
                nn.init.kaiming_normal_(layer.weight, mode="fan_out" if transposed else "fan_in", nonlinearity="relu")
            else:
                nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
