"""torch's fused Adam without the Python around it, which networks of a few small layers would wait for."""

import torch
from torch.optim.adam import adam

from ganflow.distributed import torch_internals


class LeanAdam(torch.optim.Adam):
    """``torch.optim.Adam`` with ``fused=True``, to the bit; a step runs no hooks and makes no range in profiles."""

    def step(self) -> None:  # type: ignore[override]
        """Move along the gradients."""
        groups = [
            (group, [(p, p.grad, self.state[p]) for p in group["params"] if p.grad is not None])
            for group in self.param_groups
        ]
        if not all(state for _, chosen in groups for *_, state in chosen):
            torch_internals.step(self, torch.optim.Adam)  # makes the state
            return
        with torch.no_grad():
            for group, chosen in groups:
                adam(
                    [p for p, _, _ in chosen],
                    [gradient for _, gradient, _ in chosen],
                    [state["exp_avg"] for *_, state in chosen],
                    [state["exp_avg_sq"] for *_, state in chosen],
                    [],
                    [state["step"] for *_, state in chosen],
                    fused=True,
                    found_inf=getattr(self, "found_inf", None),
                    decoupled_weight_decay=group["decoupled_weight_decay"],
                    amsgrad=False,
                    beta1=group["betas"][0],
                    beta2=group["betas"][1],
                    lr=group["lr"],
                    weight_decay=group["weight_decay"],
                    eps=group["eps"],
                    maximize=False,
                )

    step.hooked = True  # type: ignore[attr-defined]  # else torch wraps hooks and the profiler around it
