"""Kernels: fused forms in C++ of what models repeat, each called from `zoo/parts`, where its plain form stands.

A kernel is an operator of torch with a backward of its own. It takes the tensors of one network, or of R restarts with
an axis of restarts before their own axes; `vmap` hands the restarts on at once. Where there is no compiler, on a GPU
and in double precision the plain form runs.

A new kernel is a file `NAME.cpp` with the functions `NAME_forward` and `NAME_backward`, and an `Operator`:

    _hear = Operator(
        "hear",
        inputs={"sentences": 2, "words": 2, "U": 2},
        outputs=("state", "states"),
        shapes=lambda sentences, words, U: [(sentences[0], U[1]), (*sentences, U[1])],
        gradients=("words", "U"),
    )
    state = _hear(sentences, words, U)
"""

import ctypes
import warnings
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor

from tasks.errors import UserError
from zoo.kernels import build

Shape = tuple[int, ...]
AXES = 5  # of a tensor at most, without that of restarts
_library = torch.library.Library("zoo", "DEF")
_wish: bool | str = "auto"


def use(wish: bool | str) -> bool:
    """Switch kernels on or off in this process.

    Args:
        wish: True, False, or `auto`: on where they can be compiled.

    Returns:
        Whether they are on.
    """
    global _wish
    if wish is True and not available():
        raise UserError(
            "trainer.kernels=true: kernels are compiled with a C++ compiler (package g++, say), which was not found "
            "or failed; type trainer.kernels=false"
        )
    _wish = wish
    return wish is not False and available()


@contextmanager
def switched(wish: bool | str) -> Iterator[bool]:
    """Switch kernels on or off for a while; the context's value tells whether they are on."""
    global _wish
    before = _wish
    try:
        yield use(wish)
    finally:
        _wish = before


@cache
def available() -> bool:
    """Tell whether kernels can be compiled on this machine."""
    if build.compiler() is None:
        return False
    try:
        build.library("encode")
    except (UserError, OSError) as error:
        warnings.warn(f"{error}; the plain forms run instead", stacklevel=2)
        return False
    return True


def usable(*floats: Tensor | None) -> bool:
    """Tell whether kernels may take these tensors: single precision, on a CPU, not within a program of torch's."""
    return (
        _wish is not False
        and all(one is None or (one.dtype == torch.float32 and one.device.type == "cpu") for one in floats)
        and not torch.compiler.is_compiling()
        and available()
    )


class Operator:
    """A kernel as the operator `zoo::NAME`, with its backward as `zoo::NAME_backward`.

    The functions of `NAME.cpp` get the number of restarts, that of threads they may use, an array of tensors, and the
    whole numbers. The tensors of `NAME_forward` are inputs and outputs; those of `NAME_backward` inputs, outputs, a
    gradient for each output that is returned, and the gradients to be filled in, which are zero before. An absent
    tensor is a null pointer; so are outputs that only the backward needs, where no gradient is wanted.

    Args:
        name: of the operator and of its source.
        inputs: names of the tensors, with the number of axes that each has for a single network; None may be given.
        outputs: names of what the forward computes.
        shapes: of the outputs of one network, from the shapes of the inputs and the numbers.
        gradients: names of the inputs that have one.
        whole: names of gradients that the backward fills in whole; before it, others are zero and these are anything.
        returned: how many outputs are for the caller; the others are kept for the backward.
        numbers: names of whole numbers behind the tensors.
    """

    def __init__(
        self,
        name: str,
        inputs: dict[str, int],
        outputs: tuple[str, ...],
        shapes: Callable[..., list[tuple[int, ...]]],
        gradients: tuple[str, ...],
        returned: int = 1,
        numbers: tuple[str, ...] = (),
        whole: tuple[str, ...] = (),
    ) -> None:
        self.name, self.axes, self.shapes, self.returned = name, tuple(inputs.values()), shapes, returned
        self.outputs, self.count, self.numbers = len(outputs), len(inputs), len(numbers)
        self.graded = tuple(list(inputs).index(one) for one in gradients)
        self.whole = tuple(one in whole for one in inputs)
        given = [f"Tensor? {one}" for one in inputs]
        ints = [f"int {one}" for one in numbers]
        kept = [f"Tensor {one}" for one in outputs]
        coming = [f"Tensor? grad_{one}" for one in outputs[:returned]]
        self._define(name, [*given, *ints, "bool keep"], len(outputs), self._forward, self._forward_shapes)
        self._define(
            f"{name}_backward", [*given, *kept, *coming, *ints], len(gradients), self._backward, self._backward_shapes
        )
        torch.library.register_autograd(f"zoo::{name}", self._differentiate, setup_context=self._remember, lib=_library)
        self.forward = getattr(torch.ops.zoo, name).default
        self.backward = getattr(torch.ops.zoo, f"{name}_backward").default

    def __call__(self, *given: Tensor | int | None) -> Any:  # a tensor, or a tuple of those that are returned
        outputs = self.forward(*given, torch.is_grad_enabled())
        if self.outputs == 1:
            return outputs
        return outputs[0] if self.returned == 1 else outputs[: self.returned]

    def _define(self, name: str, arguments: list[str], outputs: int, run: Callable, shapes: Callable) -> None:
        returns = ", ".join(["Tensor"] * outputs)
        _library.define(f"{name}({', '.join(arguments)}) -> ({returns})")

        def empty(*given: Any) -> Tensor | tuple[Tensor, ...]:
            return _one_or_more(shapes(*given))

        def restarts_first(info: object, axes: tuple, *given: Any) -> tuple:
            moved = [
                one.movedim(axis, 0) if axis and isinstance(one, Tensor) else one
                for one, axis in zip(given, axes, strict=True)
            ]
            results = getattr(torch.ops.zoo, name).default(*moved)
            return results, 0 if outputs == 1 else (0,) * outputs

        _library.impl(name, run, "CPU")
        torch.library.register_fake(f"zoo::{name}", empty, lib=_library)
        torch.library.register_vmap(f"zoo::{name}", restarts_first, lib=_library)

    def _restarts(self, tensors: tuple[Tensor | None, ...]) -> int | None:
        """Count the restarts of the inputs; None for inputs of a single network."""
        for one, axes in zip(tensors, self.axes, strict=True):
            if one is not None and one.dim() > axes:
                return len(one)
        return None

    def _forward_shapes(self, *given: Any) -> list[Tensor]:
        tensors, numbers, keep = given[: self.count], given[self.count : -1], given[-1]
        restarts = self._restarts(tensors)
        shapes = self.shapes(
            *(
                None if one is None else tuple(one.shape[one.dim() - axes :])
                for one, axes in zip(tensors, self.axes, strict=True)
            ),
            *numbers,
        )
        lead = () if restarts is None else (restarts,)
        like = next(one for one in tensors if one is not None and one.is_floating_point())
        return [
            like.new_empty(lead + tuple(shape) if keep or number < self.returned else (*lead, 0))
            for number, shape in enumerate(shapes)
        ]

    def _forward(self, *given: Any) -> Tensor | tuple[Tensor, ...]:
        outputs = self._forward_shapes(*given)
        tensors, numbers = given[: self.count], given[self.count : -1]
        call(self.name, "forward", self._restarts(tensors), [*tensors, *outputs], self._axes(outputs, tensors), numbers)
        return _one_or_more(outputs)

    def _axes(self, outputs: Sequence[Tensor], tensors: tuple[Tensor | None, ...]) -> list[int]:
        lead = self._restarts(tensors) is not None
        return [*self.axes, *(one.dim() - lead for one in outputs)]

    def _backward_shapes(self, *given: Any) -> list[Tensor]:
        """Allocate the gradients, with an axis of restarts even for inputs that restarts share."""
        restarts = self._restarts(given[: self.count])
        lead = () if restarts is None else (restarts,)
        gradients, like = [], given[self.count]  # an output
        for number in self.graded:
            one, axes = given[number], self.axes[number]
            shape = (0,) if one is None else tuple(one.shape[one.dim() - axes :])
            gradients.append((like.new_empty if self.whole[number] else like.new_zeros)(lead + shape))
        return gradients

    def _backward(self, *given: Any) -> Tensor | tuple[Tensor, ...]:
        gradients = self._backward_shapes(*given)
        tensors, rest = given[: self.count], given[self.count :]
        outputs, coming = rest[: self.outputs], rest[self.outputs : self.outputs + self.returned]
        numbers = rest[self.outputs + self.returned :]
        axes = self._axes(outputs, tensors)
        axes += axes[self.count : self.count + self.returned]
        axes += [self.axes[number] for number in self.graded]
        call(self.name, "backward", self._restarts(tensors), [*tensors, *outputs, *coming, *gradients], axes, numbers)
        return _one_or_more(gradients)

    def _remember(self, ctx: Any, inputs: tuple, output: Tensor | tuple[Tensor, ...]) -> None:
        outputs = (output,) if self.outputs == 1 else output
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*inputs[: self.count], *outputs)
        ctx.numbers = inputs[self.count : -1]

    def _differentiate(self, ctx: Any, *coming: Tensor | None) -> tuple:
        saved = ctx.saved_tensors
        gradients = self.backward(*saved, *coming[: self.returned], *ctx.numbers)
        gradients = (gradients,) if len(self.graded) == 1 else gradients
        found = [None] * (self.count + self.numbers + 1)
        for number, gradient in zip(self.graded, gradients, strict=True):
            one = saved[number]
            if one is not None:
                found[number] = gradient.sum(0) if gradient.dim() > one.dim() else gradient
        return tuple(found)


def padded(width: int) -> int:
    """Round a width up to whole vectors, of the widest processor."""
    return -(-width // 16) * 16


def call(
    name: str,
    function: str,
    restarts: int | None,
    tensors: Sequence[Tensor | None],
    axes: Sequence[int],
    numbers: tuple[int, ...] = (),
) -> None:
    """Calls `NAME_FUNCTION` of `NAME.cpp`.

    Args:
        name: of the source.
        function: its last part.
        restarts: how many; None for a single network.
        tensors: what it reads and writes; what is written must be contiguous but for the axis of restarts.
        axes: of each tensor, without that of restarts.
        numbers: whole numbers.
    """
    held, described = [], []  # `held` keeps what had to be copied
    for one, own in zip(tensors, axes, strict=True):
        if one is None:
            described += [0] * (2 + AXES)
            continue
        lead = one.dim() > own
        if not (one.is_contiguous() or (lead and one[0].is_contiguous())):
            one = one.contiguous()
            held.append(one)
        shape = one.shape[lead:]
        described += [one.data_ptr(), one.stride(0) if lead else 0, *shape, *[0] * (AXES - len(shape))]
    getattr(build.library(name), f"{name}_{function}")(
        ctypes.c_int64(restarts or 1),
        ctypes.c_int64(torch.get_num_threads()),
        _address(described),
        _address(numbers),
    )


def _one_or_more(tensors: list[Tensor]) -> Tensor | tuple[Tensor, ...]:
    return tensors[0] if len(tensors) == 1 else tuple(tensors)


def _address(numbers: Sequence[int]) -> ctypes.Array | None:
    return (ctypes.c_int64 * len(numbers)).from_buffer(array("q", numbers)) if numbers else None
