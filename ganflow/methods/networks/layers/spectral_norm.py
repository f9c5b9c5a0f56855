"""Spectral normalisation (Miyato et al., 2018, algorithm 1): a weight divided by its largest singular value."""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils import parametrize


class SpectralNorm(nn.Module):
    """``W / σ``, with ``σ = uᵀWv`` by one power iteration from the last u; W is the weight as (outputs, rest).

    torch's own keeps v too, and iterates in bf16 under autocast. Here an average of weights that is given the u of the
    weights it follows gets a σ of its own.
    """

    u: Tensor

    def __init__(self, weight: Tensor, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs  # the weight's dimension of outputs
        u = torch.randn(weight.shape[outputs], dtype=weight.dtype, device=weight.device)
        self.register_buffer("u", normalize(u, dim=0))

    def forward(self, weight: Tensor) -> Tensor:
        with torch.autocast(weight.device.type, enabled=False):
            W = weight.transpose(0, self.outputs).flatten(1)
            with torch.no_grad():
                v = normalize(W.mT @ self.u, dim=0)
            Wv = W @ v
            with torch.no_grad():
                u = normalize(Wv, dim=0)
                if self.training:
                    self.u.copy_(u)  # the graph holds on to the u of this forward: several may come before a backward
            return weight / torch.dot(u, Wv)


KINDS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.Embedding)


def normalise_spectrally(network: nn.Module, kinds: tuple[type[nn.Module], ...] = KINDS) -> None:
    """Parametrise the weight of every layer of these kinds; for networks that have their first weights."""
    for module in list(network.modules()):
        if isinstance(module, kinds):
            assert isinstance(module.weight, Tensor)
            norm = SpectralNorm(module.weight, 1 if isinstance(module, nn.ConvTranspose2d) else 0)
            # unsafe leaves out a trial forward, which would fail on the meta device and move u.
            parametrize.register_parametrization(module, "weight", norm, unsafe=True)
