"""A network from its configuration."""

import inspect

import torch
from hydra.utils import get_class
from omegaconf import OmegaConf

from tasks.batch import Questions, Sizes
from tasks.corpus import Data
from tasks.errors import UserError, check_type, nearest
from zoo.interface import MemoryNetwork
from zoo.mistakes import CONF

SIZES = Sizes._fields


def options_of(model: type) -> dict[str, inspect.Parameter]:
    """The constructor's arguments that a model's yaml sets: all but those that the task decides."""
    parameters = inspect.signature(model).parameters
    return {name: parameter for name, parameter in parameters.items() if name not in SIZES}


def check_fits(model: type[MemoryNetwork], data: Data) -> None:
    """Refuses a model that cannot give the answers that the data ask for."""
    if any(corpus.candidates is not None for corpus in data.trainings.values()) and not model.ranks:
        fitting = [name for name, target in registered().items() if target.ranks]
        raise UserError(
            f"{model.__name__} answers with one word, and {data.title} asks for one of many replies; "
            f"choose model={', '.join(fitting[:-1])} or {fitting[-1]}"
        )


def registered() -> dict[str, type[MemoryNetwork]]:
    """The models that stand in conf/model/, by name."""
    return {file.stem: get_class(OmegaConf.load(file)["_target_"]) for file in sorted((CONF / "model").glob("*.yaml"))}


def build(model: dict, sizes: Sizes, seed: int) -> MemoryNetwork:
    """A network as the configuration describes it, its weights drawn from `seed`."""
    given = {name: value for name, value in model.items() if name not in ("_target_", "recipe")}
    target = get_class(model["_target_"])
    if target.reads is not Questions:
        raise UserError(f"{target.__name__} reads {target.reads.__name__}; the tasks here have Questions")
    options = options_of(target)
    for name, value in given.items():
        if name not in options:
            raise UserError(
                f"model.{name} is not an option of {target.__name__}{nearest(name, list(options))} "
                f"({', '.join(options)})"
            )
        check_type(f"model.{name}", value, options[name].annotation, options[name].default)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            return target(**sizes._asdict(), **given)
        except ValueError as error:
            raise UserError(str(error)) from None
