import pytest
import torch
from torch import nn

from ganflow.optimizers.adam import Adam
from ganflow.optimizers.rmsprop import RMSprop

GRADIENTS = [torch.tensor([0.5, -2.0]), torch.tensor([0.1, 1.0]), torch.tensor([-0.3, 0.0])]
START = torch.tensor([1.0, -1.0])


def after(optimizer: Adam | RMSprop, stretch: float) -> torch.Tensor:
    p = nn.Parameter(START.clone())
    made = optimizer([p], stretch)
    for gradient in GRADIENTS:
        p.grad = gradient.clone()
        made.step()
    return p.detach()


@pytest.mark.parametrize("stretch", [1.0, 16 / 17])
def test_adam_is_the_paper_s_with_lazy_rates(stretch: float) -> None:
    """Kingma & Ba (2015), algorithm 1; Karras et al. (2020), appendix B: lr·c, β^c with c = k/(k+1)."""
    lr, b1, b2 = 0.1 * stretch, 0.5**stretch, 0.9**stretch
    x, m, v = START.double(), torch.zeros(2).double(), torch.zeros(2).double()
    for t, g in enumerate(GRADIENTS, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        x = x - lr * (m / (1 - b1**t)) / ((v / (1 - b2**t)).sqrt() + 1e-8)
    torch.testing.assert_close(after(Adam(0.1, (0.5, 0.9)), stretch), x.float())


@pytest.mark.parametrize("stretch", [1.0, 4 / 5])
def test_rmsprop_divides_by_the_running_root_mean_square(stretch: float) -> None:
    lr, alpha = 0.1 * stretch, 0.9**stretch
    x, v = START.double(), torch.zeros(2).double()
    for g in GRADIENTS:
        v = alpha * v + (1 - alpha) * g**2
        x = x - lr * g / (v.sqrt() + 1e-8)
    torch.testing.assert_close(after(RMSprop(0.1, 0.9), stretch), x.float())
