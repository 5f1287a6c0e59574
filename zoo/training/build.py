"""A network from its configuration."""

import inspect

import torch
from hydra.utils import get_class

from tasks.batch import Sizes
from tasks.errors import UserError, nearest
from zoo.interface import MemoryNetwork

SIZES = Sizes._fields


def options_of(model: type) -> dict[str, inspect.Parameter]:
    """The constructor's arguments that a model's yaml sets: all but those that the task decides."""
    parameters = inspect.signature(model).parameters
    return {name: parameter for name, parameter in parameters.items() if name not in SIZES}


def build(model: dict, sizes: Sizes, seed: int) -> MemoryNetwork:
    """A network as the configuration describes it, its weights drawn from `seed`."""
    given = {name: value for name, value in model.items() if name not in ("_target_", "recipe")}
    target = get_class(model["_target_"])
    options = options_of(target)
    for name, value in given.items():
        if name not in options:
            raise UserError(
                f"model.{name} is not an option of {target.__name__}{nearest(name, list(options))} "
                f"({', '.join(options)})"
            )
        expected = options[name].annotation
        fits = isinstance(value, (int, float)) if expected is float else isinstance(value, expected)
        if not fits or (isinstance(value, bool) and expected is not bool):
            raise UserError(f"model.{name}={value}: expected {expected.__name__}, as in {name}={options[name].default}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            return target(**sizes._asdict(), **given)
        except ValueError as error:
            raise UserError(str(error)) from None
