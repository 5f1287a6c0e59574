"""Compiled programs: when a training gets them, and the step that a model repeats as a program of its own."""

import copy
import os
import shutil
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.utils._pytree import TreeSpec, tree_flatten, tree_unflatten

from tasks.errors import UserError
from zoo.interface import MemoryNetwork


def can_compile() -> bool:
    """Say whether this machine has a C++ compiler and Python's headers, which `torch.compile` needs."""
    headers = Path(sysconfig.get_path("include"), "Python.h")
    return headers.exists() and any(map(shutil.which, (os.environ.get("CXX", "g++"), "g++", "clang++")))


def is_compiled(wish: bool | str, network: MemoryNetwork, pays: bool, device: str) -> bool:
    """Decide whether a training gets compiled programs.

    Args:
        wish: `trainer.compile`; `auto` compiles where benchmarks on CPUs say that it repays itself.
        network: has the model's `worth_compiling`.
        pays: the training is long and uniform enough, see `Kind.repays_compiling`.
        device: type of the device.
    """
    if wish == "auto":
        return network.worth_compiling and pays and device == "cpu" and can_compile()
    if wish and not can_compile():
        raise UserError(
            "trainer.compile=true: programs are compiled with a C++ compiler and Python's headers (packages g++ and "
            "python3-dev, say), which were not found; type trainer.compile=false"
        )
    return bool(wish)


class _Method(nn.Module):
    """A method of a network as a module's `forward`, for `functional_call`."""

    def __init__(self, network: MemoryNetwork, method: Callable) -> None:
        super().__init__()
        self.network, self.method = network, method

    def forward(self, *arguments: Any) -> Any:
        return self.method(self.network, *arguments)


class CompiledStep:
    """A compiled method in the place of a network's own: one program for all restarts, forward and backward.

    Args:
        network: the architecture; when the step is called, `functional_call` has put values into its parameters.
        name: the method, which takes and returns tensors, or tuples of them.
    """

    def __init__(self, network: MemoryNetwork, name: str) -> None:
        self.network, self.name = network, name
        self.method = _Method(copy.deepcopy(network), getattr(type(network), name))
        self.programs: dict[TreeSpec, Callable] = {}
        self.returns: TreeSpec | None = None
        self.on = False  # the program is used; batches of a rare size are not worth one

    def __call__(self, *arguments: Any) -> Any:
        if not self.on:
            return self.method.method(self.network, *arguments)
        parameters = {f"network.{name}": value for name, value in self.network.named_parameters()}
        leaves, form = tree_flatten((parameters, arguments))
        results = _OutsideVmap.apply(self, form, len(parameters), *leaves)
        assert self.returns is not None  # `run` has learned it
        return tree_unflatten(results, self.returns)

    def run(self, form: TreeSpec, leaves: list[Tensor]) -> tuple[Tensor, ...]:
        """Run the step of all restarts, by the program for arguments of this form."""
        if form not in self.programs:

            def step(*leaves: Tensor) -> tuple[Tensor, ...]:
                parameters, arguments = tree_unflatten(list(leaves), form)
                results, self.returns = tree_flatten(functional_call(self.method, parameters, arguments))
                return tuple(results)

            self.programs[form] = torch.compile(vmap(step), fullgraph=True, dynamic=False)
        results: tuple[Tensor, ...] = self.programs[form](*leaves)
        return results


class _OutsideVmap(torch.autograd.Function):
    """A call from inside `vmap` to a compiled program outside of it, with the tensors of all restarts."""

    @staticmethod
    def forward(step: CompiledStep, form: TreeSpec, parameters: int, *leaves: Tensor) -> tuple[Tensor, ...]:
        raise NotImplementedError("a compiled step is called by an ensemble, within vmap")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: tuple) -> None:
        pass  # the program has a backward of its own

    @staticmethod
    def vmap(
        info: Any, axes: tuple[int | None, ...], step: CompiledStep, form: TreeSpec, parameters: int, *leaves: Tensor
    ) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        moved = [
            leaf.expand(info.batch_size, *leaf.shape) if axis is None else leaf.movedim(axis, 0)
            for leaf, axis in zip(leaves, axes[3:], strict=True)
        ]
        # arguments of one layout, and all with a gradient, which the first step's would lack: or each kind is compiled
        arguments = [leaf.contiguous() for leaf in moved[parameters:]]
        for leaf in arguments:
            if leaf.is_floating_point() and not leaf.requires_grad:
                leaf.requires_grad_()
        results = step.run(form, moved[:parameters] + arguments)
        return results, (0,) * len(results)
