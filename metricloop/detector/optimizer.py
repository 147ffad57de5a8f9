"""AdamW on a CPU: equal to torch.optim.AdamW(fused=True) bit by bit, in half the time.

torch.optim loads torch's compiler at its first step, which takes 1.5 s, and spends more time around the kernel than in
it when a detector has many small layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

BETAS, EPSILON, WEIGHT_DECAY = (0.9, 0.999), 1e-8, 0.01


class FusedAdamW:
    """The part of torch.optim.Optimizer that training needs. param_groups: one, whose `lr` may be changed."""

    def __init__(self, weights: Sequence[Tensor], lr: float) -> None:
        self.param_groups: list[dict[str, Any]] = [{"params": weights, "lr": lr}]
        self._state = {
            "steps": [torch.zeros((), dtype=torch.float32) for _ in weights],
            "mean": [torch.zeros_like(weight) for weight in weights],
            "square": [torch.zeros_like(weight) for weight in weights],
        }

    @torch.no_grad()
    def step(self) -> None:
        """Change all weights that have a gradient."""
        (group,) = self.param_groups
        moved = [k for k, weight in enumerate(group["params"]) if weight.grad is not None]
        if not moved:
            return
        weights = [group["params"][k] for k in moved]
        steps, mean, square = ([self._state[name][k] for k in moved] for name in ("steps", "mean", "square"))
        torch._foreach_add_(steps, 1)
        torch._fused_adamw_(
            weights, [weight.grad for weight in weights], mean, square, [], steps,
            lr=group["lr"], beta1=BETAS[0], beta2=BETAS[1], weight_decay=WEIGHT_DECAY, eps=EPSILON,
            amsgrad=False, maximize=False,
        )  # fmt: skip

    def state_dict(self) -> dict[str, list[Tensor]]:
        """The moments of all weights, and how often each has changed."""
        return self._state

    def load_state_dict(self, state: dict[str, list[Tensor]]) -> None:
        """Continue from another optimizer's state."""
        for name, values in self._state.items():
            torch._foreach_copy_(values, state[name])
