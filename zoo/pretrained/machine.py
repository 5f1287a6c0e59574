"""A trained network that hears a sequence of vectors and answers with bits."""

from typing import NamedTuple

import numpy as np
import torch

from tasks.batch import Sequences, Widths
from tasks.errors import UserError
from zoo import kernels
from zoo.interface import MemoryNetwork, Tape
from zoo.records.weights import About, Trained


class Heard(NamedTuple):
    """An answer to a sequence of T vectors."""

    bits: np.ndarray  # (T, O) probability of each bit in every step
    tape: Tape  # what the heads read and wrote, (1, T, …) each; empty for a network without heads


class Machine:
    """A trained network on sequences, made by `zoo.load("ntm", task="copy")`.

    Attributes:
        model: the network, a `torch.nn.Module`.
        about: what is known of its training.
    """

    def __init__(self, model: MemoryNetwork, about: About, training: str, trained: Trained) -> None:
        self.model, self.about, self.training = model, about, training
        self.sizes = Widths(*trained.facts.sizes)

    def __repr__(self) -> str:
        return f"{self.about.model}: {self.about.title}, {self.about.said_error(self.training)}"

    @torch.inference_mode()
    def answer(self, inputs: np.ndarray) -> Heard:
        """Hear a sequence, (T, I), and answer in every step."""
        try:
            table = np.asarray(inputs, dtype=np.float32)
        except (TypeError, ValueError):
            raise UserError(f"a sequence: expected numbers, (steps, {self.sizes.inputs})") from None
        if table.ndim != 2 or table.shape[1] != self.sizes.inputs or not len(table):
            raise UserError(f"an array {table.shape}: expected (steps, {self.sizes.inputs})")
        steps = len(table)
        batch = Sequences(
            torch.from_numpy(table)[None], torch.zeros(1, steps, self.sizes.outputs),
            torch.ones(1, steps, dtype=torch.bool),
        )  # fmt: skip
        with kernels.switched(False):
            answer = self.model(batch)
        return Heard(answer.scores[0].sigmoid().numpy(), answer.trace)
