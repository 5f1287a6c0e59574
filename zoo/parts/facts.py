"""Facts compared with a vector of each question, as the dynamic memory networks do in every pass."""

import torch
from torch import Tensor

from zoo import kernels
from zoo.kernels import Shape


def compare(
    facts: Tensor,
    v: Tensor,
    seen: Tensor,
    base: Tensor | None,
    own: Tensor | None,
    W_times: Tensor,
    W_minus: Tensor,
    mapped: Tensor | None = None,
    w_mapped: Tensor | None = None,
    W_2: Tensor | None = None,
) -> Tensor:
    """z = base + own + W_times (f * v) + W_minus |f - v| + w_mapped (mapped . v) for every fact; or W_2 tanh z.

    Args:
        facts: f, (N, T, d).
        v: (N, d)
        seen: (N, T) facts to be compared; for others anything is returned.
        base: (N, T, d)
        own: (N, d)
        W_times: (d, d)
        W_minus: (d, d)
        mapped: (N, T, d)
        w_mapped: (d, 1)
        W_2: (1, d)

    Returns:
        (N, T, d), or with W_2 (N, T).
    """
    if kernels.usable(facts, v, base, own, W_times, W_minus, mapped, w_mapped, W_2):
        return _compare(facts, v, mapped, seen, base, own, W_times, W_minus, w_mapped, W_2)
    with_v = v[:, None]
    times, minus = (facts * with_v) @ W_times.T, (facts - with_v).abs() @ W_minus.T
    z = times + minus if own is None else (own[:, None] + times) + minus
    if mapped is not None and w_mapped is not None:
        z = z + (mapped * with_v).sum(-1, keepdim=True) @ w_mapped.T
    if base is not None:
        z = base + z
    return z if W_2 is None else (torch.tanh(z) @ W_2.T)[..., 0]


def _shapes(facts: Shape, *others: Shape | None) -> list[Shape]:
    (N, T, d), W_2 = facts, others[-1]
    return [(N, T, d), (0,)] if W_2 is None else [(N, T), (N, T, kernels.padded(d))]


_compare = kernels.Operator(
    "compare",
    inputs={
        "facts": 3, "v": 2, "mapped": 3, "seen": 2, "base": 3, "own": 2, "W_times": 2, "W_minus": 2, "w_mapped": 2,
        "W_2": 2,
    },
    outputs=("z", "bent"),
    shapes=_shapes,
    gradients=("facts", "v", "mapped", "base", "own", "W_times", "W_minus", "w_mapped", "W_2"),
    whole=("facts", "mapped", "base"),
)  # fmt: skip
