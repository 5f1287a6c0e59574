"""The copy task of the NTM's paper, on which its speed is measured beside bAbI, and the plain machine for it."""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from benchmarks.plain import PlainMachine, begin
from tasks.algorithmic.generators import Copy
from tasks.batch import Sequences
from zoo.models.ntm import SequenceNTM

COPY = Copy(bits=8)
BATCH = 16
LENGTHS = (2, 5, 8, 11, 14, 17, 19)  # of 1 to 20: their mean is that of all


class PlainCopier(nn.Module):
    """A plain machine: one step at a time, memory row by row; only the bits that are asked for are scored."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = SequenceNTM(*COPY.widths)
        self.plain = PlainMachine(self.machine)

    def forward(self, batch: Sequences) -> Tensor:
        """Sum the cross-entropy of the bits."""
        net = self.machine
        state, said = begin(net, len(batch.inputs)), []
        for x in batch.inputs.unbind(1):
            state = self.plain.step(F.linear(x, net.W_x), *state)
            said.append(torch.cat([state[0][:, : net.dim], state[3].flatten(1)], dim=1))
        asked = int(batch.mask[0].sum())
        scores = F.linear(torch.stack(said[-asked:], dim=1), net.answers, net.b_answers)
        return F.binary_cross_entropy_with_logits(scores, batch.targets[:, -asked:], reduction="sum")


def sequences(length: int, restarts: int, generator: Generator) -> Sequences:
    """Draw inputs and targets for `restarts` machines, (R, B, ...)."""
    drawn = [COPY.draw(BATCH, generator, length) for _ in range(restarts)]
    return Sequences(*(torch.stack(tables) for tables in zip(*drawn, strict=True)))
