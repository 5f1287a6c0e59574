"""The copy task of the NTM's paper (section 4.1), synthetic: what its speed is measured on beside bAbI.

A sequence of random bits, a delimiter, then as many steps without input in which the sequence is to be said again.
"""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from benchmarks.plain import PlainNTM
from zoo.models.ntm import NTM

BITS, BATCH = 8, 16
LENGTHS = (2, 5, 8, 11, 14, 17, 19)  # of 1 to 20: their mean is that of all


class Copier(nn.Module):
    """The machine of the paper's size: what it says is scored bit by bit."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = NTM(
            BITS + 1, 1, 1, slots=128, width=20, dim=100, embedding=BITS + 1, read_heads=1, write_heads=1
        )

    def forward(self, heard: Tensor, bits: Tensor) -> Tensor:
        """The summed cross-entropy of the bits said.

        Args:
            heard: (2L + 1, B, BITS + 1)
            bits: (L, B, BITS)
        """
        machine, state, said = self.machine, self.begin(heard.shape[1]), []
        for x in (heard @ machine.W_x.T).unbind(0):
            state = self.step(x, state)
            said.append(torch.cat([state[0][:, : machine.dim], state[3].flatten(1)], dim=1))
        scores = torch.stack(said[-len(bits) :]) @ machine.answers.T
        return F.binary_cross_entropy_with_logits(scores, bits, reduction="sum")

    def begin(self, count: int) -> tuple:
        return self.machine.begin(count)

    def step(self, x: Tensor, state: tuple) -> tuple:
        return self.machine.step(x, state)


class PlainCopier(Copier):
    """The same machine with the loop of the plain baseline."""

    def __init__(self) -> None:
        super().__init__()
        self.plain = PlainNTM(self.machine)

    def step(self, x: Tensor, state: tuple) -> tuple:
        return self.plain.step(x, *state)


class Copiers(nn.Module):
    """R machines as one program, as `zoo.training.ensemble.Ensemble` has them."""

    def __init__(self, restarts: int) -> None:
        super().__init__()
        machines = [Copier() for _ in range(restarts)]
        stacked, _ = stack_module_state(machines)
        self.names = list(stacked)
        self.stacked = nn.ParameterList(stacked.values())
        self._skeleton = [machines[0].to("meta")]

    def forward(self, heard: Tensor, bits: Tensor) -> Tensor:
        """Args have a leading axis of restarts; the summed loss of all."""

        def one(parameters: dict, heard: Tensor, bits: Tensor) -> Tensor:
            return functional_call(self._skeleton[0], parameters, (heard, bits))

        return vmap(one)(dict(zip(self.names, self.stacked, strict=True)), heard, bits).sum()


def sequences(length: int, restarts: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """What `restarts` machines hear and should say."""
    bits = torch.randint(2, (restarts, length, BATCH, BITS), generator=generator).float()
    heard = torch.zeros(restarts, 2 * length + 1, BATCH, BITS + 1)
    heard[:, :length, :, :BITS] = bits
    heard[:, length, :, BITS] = 1
    return heard, bits
