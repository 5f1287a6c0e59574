"""Steps of an optimiser for all restarts: the gradient clipped, and the weights moved by a rate of their own.

The plain form stands in `zoo/training/module.py`.
"""

import torch
from torch import Tensor

from zoo import kernels


def sgd(weights: Tensor, gradient: Tensor, rates: Tensor, clip: Tensor) -> None:
    """Moves weights (R, P) by rates (R,), each gradient shortened to the norm `clip`, (), at most."""
    kernels.call("descend", "sgd", len(weights), [weights, gradient, rates, clip], [1, 1, 0, 0])


def adam(weights: Tensor, gradient: Tensor, rates: Tensor, clip: Tensor, optimizer: torch.optim.Optimizer) -> None:
    """Moves weights by a step of Adam; a gradient that is not finite is taken for zero.

    The running means are those of the optimizer, so checkpoints hold them.
    """
    (group,) = optimizer.param_groups
    (parameter,) = group["params"]
    state = optimizer.state[parameter]
    if not state:
        state["step"] = torch.zeros(())
        state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(weights), torch.zeros_like(weights)
    state["step"] += 1
    settings = torch.tensor([*group["betas"], group["eps"]])
    tensors = [weights, gradient, state["exp_avg"], state["exp_avg_sq"], rates, clip, state["step"], settings]
    kernels.call("descend", "adam", len(weights), tensors, [1, 1, 1, 1, 0, 0, 0, 1])
