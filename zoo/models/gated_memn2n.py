"""Gated end-to-end memory network.

Paper: Liu and Perez, 2017, "Gated End-to-End Memory Networks" (arXiv:1610.04211).
Symbols: u controller state, o memory read, T^k the gate of hop k, W_T and b_T its weights.
Deviations: those of memn2n.py. The equations, which therefore bear no numbers, and the recipe, the initial bias 0.5
included, are known from secondary sources only.
"""

import torch
from torch import Tensor, nn

from zoo.interface import Paper, one_of
from zoo.models.memn2n import MemN2N


class GatedMemN2N(MemN2N):
    """MemN2N with a learned mixture of the memory read and the old state; only the update of O differs.

    Args:
        gates: `hop` (W_T and b_T of each hop) or `global` (one pair for all).
        gate_bias: mean of the initial b_T; above zero a gate starts more than half open.

    The others are those of MemN2N. Tying is adjacent: in layer-wise tying H u would take the place that the gate has.
    """

    paper = Paper("Liu and Perez", 2017, "Gated End-to-End Memory Networks", "https://arxiv.org/abs/1610.04211")

    def __init__(
        self,
        vocabulary: int,
        sentence_length: int,
        story_length: int,
        memory_size: int = 50,
        dim: int = 20,
        hops: int = 3,
        encoding: str = "position",
        time: bool = True,
        time_noise: float = 0.1,
        relu: bool = False,
        init_std: float = 0.1,
        gates: str = "hop",
        gate_bias: float = 0.5,
    ) -> None:
        super().__init__(
            vocabulary, sentence_length, story_length, memory_size, dim, hops, "adjacent", encoding, time, time_noise,
            relu, init_std,
        )  # fmt: skip
        one_of(("hop", "global"), gates=gates)
        self.gate_of = list(range(hops)) if gates == "hop" else [0] * hops
        distinct = len(set(self.gate_of))
        self.W_T = nn.Parameter(torch.randn(distinct, dim, dim) * init_std)
        self.b_T = nn.Parameter(torch.randn(distinct, dim) * init_std + gate_bias)

    def update(self, u: Tensor, o: Tensor, hop: int) -> Tensor:
        k = self.gate_of[hop]
        gate = torch.sigmoid(u @ self.W_T[k].T + self.b_T[k])  # T^k(u) = sigmoid(W_T u + b_T)
        u = o * gate + u * (1 - gate)  # u^{k+1} = o * T^k(u) + u * (1 - T^k(u))
        return u.relu() if self.relu else u
