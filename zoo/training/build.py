"""A network from its configuration."""

import inspect

import torch
from hydra.utils import get_class
from omegaconf import OmegaConf

from tasks.batch import Questions, Sequences, Sizes, Widths
from tasks.corpus import Data
from tasks.errors import UserError, check_type, nearest
from zoo.interface import MemoryNetwork
from zoo.options import CONF

KINDS = {  # of what a model reads and a task has: the least sizes, and its name
    Questions: (Sizes(2, 1, 1), "questions about stories, as of task=babi"),
    Sequences: (Widths(1, 1), "sequences of vectors, as of task=copy"),
}
SIZES = Sizes._fields + Widths._fields


def options_of(model: type) -> dict[str, inspect.Parameter]:
    """The constructor's arguments that a model's yaml sets: all but those that the task decides."""
    parameters = inspect.signature(model).parameters
    return {name: parameter for name, parameter in parameters.items() if name not in SIZES}


def smallest(model: dict) -> MemoryNetwork:
    """The least network of this configuration, without weights: it has the facts of its class, and checks options."""
    try:
        target = get_class(model["_target_"])
    except (ImportError, ValueError) as error:
        why = " ".join(str(error).splitlines()[:2])
        raise UserError(f"model._target_={model['_target_']}: {why}") from None
    if not issubclass(target, MemoryNetwork):
        raise UserError(f"model._target_={model['_target_']}: expected a MemoryNetwork (zoo/interface.py)")
    with torch.device("meta"):
        return build(model, KINDS[target.reads][0], seed=0)


def check_fits(model: type[MemoryNetwork], data: Data) -> None:
    """Refuses a model that cannot read what the data hold, or cannot give the answers that they ask for."""
    (sizes,) = {type(corpus.sizes) for corpus in data.trainings.values()}
    has = next(kind for kind, (least, _) in KINDS.items() if type(least) is sizes)
    if model.reads is not has:
        fitting = [name for name, target in registered(data.label).items() if target.reads is has]
        raise UserError(
            f"{model.__name__} reads {KINDS[model.reads][1]}, and {data.title} has {KINDS[has][1].partition(',')[0]}; "
            f"choose model={', '.join(fitting[:-1])} or {fitting[-1]}"
        )
    if (
        has is Questions
        and any(corpus.candidates is not None for corpus in data.trainings.values())
        and not model.ranks
    ):
        fitting = [name for name, target in registered().items() if target.ranks]
        raise UserError(
            f"{model.__name__} answers with one word, and {data.title} asks for one of many replies; "
            f"choose model={', '.join(fitting[:-1])} or {fitting[-1]}"
        )
    if data.family == "wikimovies" and not model.searches:
        fitting = [name for name, target in registered(data.label).items() if target.searches]
        raise UserError(
            f"{model.__name__} reads stories in their order, and {data.title} has a knowledge base that is searched; "
            f"choose model={', '.join(fitting[:-1])} or {fitting[-1]}"
        )


def registered(task: str = "") -> dict[str, type[MemoryNetwork]]:
    """The models that stand in conf/model/, by name, as they are on a task that they may have another class for."""
    models = {}
    for file in sorted((CONF / "model").glob("*.yaml")):
        on_task = CONF / "model_on_task" / task / file.name
        options = OmegaConf.merge(OmegaConf.load(file), OmegaConf.load(on_task) if on_task.exists() else {})
        models[file.stem] = get_class(options["_target_"])
    return models


def build(model: dict, sizes: Sizes | Widths, seed: int) -> MemoryNetwork:
    """The network of a configuration, its weights drawn from `seed`; options that are null are left out."""
    given = {name: value for name, value in model.items() if name not in ("_target_", "recipe") and value is not None}
    target = get_class(model["_target_"])
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
        except (RuntimeError, TypeError) as error:
            if "overflow" not in str(error).lower():
                raise
            raise UserError(f"{target.__name__} of these sizes has more weights than can be counted") from None
