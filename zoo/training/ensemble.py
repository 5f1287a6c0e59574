"""R networks of one architecture as one program: their weights stacked, forward and loss vectorised over them."""

import copy
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.utils._pytree import tree_map

from tasks.batch import Batch, Candidates, Questions
from zoo import kernels
from zoo.interface import Answer, MemoryNetwork
from zoo.kernels.hops import HopStep
from zoo.kernels.margins import MarginStep


class _Callable(nn.Module):
    """A network's answers and losses as one `forward`, for `functional_call`."""

    def __init__(self, network: MemoryNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Batch, wanted: str) -> dict[str, Tensor] | Answer | tuple[Answer, dict[str, Tensor]]:
        if wanted == "steps":
            return self.network.learn(batch)
        answer = self.network(batch)
        return answer if wanted == "answers" else (answer, self.network.loss(answer, batch))


class Ensemble(nn.Module):
    """Restarts that share nothing but the arithmetic.

    All weights lie in one (R, P) matrix, so that an optimiser step, a gradient norm or a copy of all restarts is one
    operation on one tensor, and `weights[k]` is everything that restart k has learned.
    """

    def __init__(self, networks: Sequence[MemoryNetwork]) -> None:
        super().__init__()
        parameters, buffers = stack_module_state([_Callable(network) for network in networks])
        self.shapes = {name: stacked.shape[1:] for name, stacked in parameters.items()}
        self.weights = nn.Parameter(torch.cat([p.detach().flatten(1) for p in parameters.values()], dim=1))
        self.stored = {name: name.replace(".", "_") for name in buffers}  # a buffer's name must not hold a dot
        for name, stacked in buffers.items():
            self.register_buffer(self.stored[name], stacked)
        # the architecture without its weights; in a list, so that it is no submodule with parameters of its own
        self._skeleton = [_Callable(copy.deepcopy(networks[0])).to("meta")]
        ends = list(accumulate(shape.numel() for shape in self.shapes.values()))
        offsets = dict(zip((name.removeprefix("network.") for name in self.shapes), [0, *ends], strict=False))
        self._whole = HopStep.of(self.network, offsets) or MarginStep.of(self.network, offsets)

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def network(self) -> MemoryNetwork:
        """The architecture; its tensors hold no values."""
        return self._skeleton[0].network

    @property
    def linear(self) -> Tensor | None:
        """Restarts in their linear start, (R,); None for a model that has none."""
        return getattr(self, "network_linear", None)

    def parameters_of_all(self, weights: Tensor) -> dict[str, Tensor]:
        """View the weights by parameter, each with a leading axis of restarts."""
        parts = weights.split([shape.numel() for shape in self.shapes.values()], dim=1)
        return {
            name: part.view(len(self), *shape) for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }

    def of(self, restart: int) -> dict[str, Tensor]:
        """Copy the weights of one restart, by the names that they have in the model."""
        parts = self.weights[restart].detach().cpu().split([shape.numel() for shape in self.shapes.values()])
        return {
            name.removeprefix("network."): part.view(shape).clone()
            for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }

    def alone(self, restart: int) -> MemoryNetwork:
        """Copy one restart as a network on the CPU, in evaluation."""
        network = copy.deepcopy(self.network).to_empty(device="cpu")
        tables = self.of(restart)
        for name, stored in self.stored.items():
            tables[name.removeprefix("network.")] = getattr(self, stored)[restart].cpu()
        with torch.no_grad():
            for name, table in (*network.named_parameters(), *network.named_buffers()):
                table.copy_(tables[name])
        return network.eval().requires_grad_(False)

    def set(self, restart: int, weights: Mapping[str, Tensor]) -> None:
        """Give one restart weights, by the names that they have in the model."""
        flat = [weights[name.removeprefix("network.")].flatten() for name in self.shapes]
        with torch.no_grad():
            self.weights[restart] = torch.cat(flat).to(self.weights)

    def forward(self, batch: Batch) -> tuple[Answer, dict[str, Tensor]]:
        """Compute answers and named loss terms of every restart, (R, ...).

        Args:
            batch: tables with a leading axis of restarts; without it if all restarts see the same.
        """
        both: tuple[Answer, dict[str, Tensor]] = self._each(self.weights, self._buffers_of_all(), batch, "both")
        return both

    def answer(self, batch: Batch) -> Answer:
        """Compute answers alone: no facts are needed, and no loss costs time."""
        answer: Answer = self._each(self.weights, self._buffers_of_all(), batch, "answers")
        return answer

    def learn(self, batch: Batch) -> dict[str, Tensor]:
        """Compute the named loss terms of every restart, (R,), for a step of training."""
        terms: dict[str, Tensor] = self._each(self.weights, self._buffers_of_all(), batch, "steps")
        return terms

    def differentiate(self, batch: Batch) -> Tensor:
        """Compute the loss of every restart, (R,), and leave its gradient in `weights.grad`."""
        questions = cast(Questions, batch)  # to a whole step
        if self._whole and self._whole.serves(self.weights, questions):
            loss, self.weights.grad = self._whole(self.weights.detach(), self.linear, questions)
            return loss
        self.weights.grad = None
        loss = total(self.learn(batch))
        loss.sum().backward()  # restarts share no weight
        return loss.detach()

    def _buffers_of_all(self) -> dict[str, Tensor]:
        return {name: getattr(self, stored) for name, stored in self.stored.items()}

    def _each(self, weights: Tensor, buffers: dict[str, Tensor], batch: Batch, wanted: str) -> Any:
        axes = type(batch)._make(map(restart_axis, batch._fields, batch))

        def one(parameters: dict, buffers: dict, batch: Batch) -> Any:
            return functional_call(self._skeleton[0], (parameters, buffers), (batch, wanted))

        given = self.parameters_of_all(weights), buffers, batch
        if len(self) == 1 and kernels.usable(weights):  # `vmap` costs a call of an operator twice its time
            return tree_map(lambda result: result[None], one(*_first(*given, axes)))
        return vmap(one, in_dims=(0, 0, axes))(*given)


def _first(parameters: dict[str, Tensor], buffers: dict[str, Tensor], batch: Batch, axes: Batch) -> tuple:
    """Take the parameters, buffers and tables of the first restart."""
    tables: list[Any] = [
        table if axis is None else cast(Tensor, table)[0] for table, axis in zip(batch, axes, strict=True)
    ]
    of_one = ({name: stacked[0] for name, stacked in of_all.items()} for of_all in (parameters, buffers))
    return *of_one, type(batch)._make(tables)


def total(terms: dict[str, Tensor]) -> Tensor:
    """Add up the terms of a loss, of which there is one at least."""
    return cast(Tensor, sum(terms.values()))


AXES = {
    "sentences": 2,
    "stories": 2,
    "support": 2,
    "noise": 2,
    "golds": 2,
    "inputs": 3,
    "targets": 3,
    "mask": 2,
}  # of a batch's tables; the others have one


def restart_axis(name: str, table: Tensor | Candidates | None) -> int | None:
    """Return 0 for a table with an axis of restarts before its own axes, else None; candidates have none."""
    return 0 if isinstance(table, Tensor) and table.dim() > AXES.get(name, 1) else None
