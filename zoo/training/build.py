"""Networks from their configuration, and the check that a model fits the data."""

import inspect
from typing import Any

import torch
import yaml
from hydra.utils import get_class
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tasks.batch import Sizes, Widths
from tasks.corpus import Data
from tasks.errors import UserError, check_type, nearest
from zoo.interface import CAPABILITIES, MemoryNetwork
from zoo.kinds import kind_of_data, kind_of_model
from zoo.paths import choices

SIZES = Sizes._fields + Widths._fields


def options_of(model: type) -> dict[str, inspect.Parameter]:
    """Collect the options that a model's yaml sets: its constructor's arguments without the sizes of the task.

    A constructor that ends with `**inherited` has the options of the class above it too.
    """
    options: dict[str, inspect.Parameter] = {}
    for above in model.__mro__:
        if "__init__" not in vars(above):
            continue
        _, *parameters = inspect.signature(vars(above)["__init__"]).parameters.values()
        own = {one.name: one for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)}
        options = own | options  # the order of the class above, the defaults of the class below
        if not any(one.kind is one.VAR_KEYWORD for one in parameters):
            break
    return {name: option for name, option in options.items() if name not in SIZES}


def probe(model: dict) -> MemoryNetwork:
    """Build the smallest network of a configuration, without weights, which checks its options."""
    try:
        target = get_class(model["_target_"])
    except (ImportError, ValueError) as error:
        why = " ".join(str(error).splitlines()[:2])
        raise UserError(f"model._target_={model['_target_']}: {why}") from None
    check_model(target, f"model._target_={model['_target_']}")
    with torch.device("meta"):
        return build(model, kind_of_model(target).SMALLEST, seed=0)


def check_model(target: type, name: str) -> None:
    """Refuse a class that is no model, or lacks what every model has."""
    if not issubclass(target, MemoryNetwork):
        raise UserError(f"{name}: {target.__name__} is no model; derive it from zoo.interface.MemoryNetwork")
    lacking = [*sorted(target.__abstractmethods__), *(one for one in ("memory", "paper") if not hasattr(target, one))]
    if lacking:
        raise UserError(f"{name}: {target.__name__} lacks {', '.join(lacking)}; zoo/interface.py says what they are")


def check_fits(model: type[MemoryNetwork], data: Data) -> None:
    """Refuse a model that reads another kind of data, or lacks a capability that the data need."""
    reads, has = kind_of_model(model), kind_of_data(data)
    if reads is not has:
        fitting = [name for name, target in registered(data.label).items() if kind_of_model(target) is has]
        raise UserError(
            f"{model.__name__} reads {reads.NAME}, as of {reads.EXAMPLE}, and {data.title} has {has.NAME}; "
            f"choose model={_either(fitting)}"
        )
    for need in data.needs:
        if not getattr(model, need):
            does, asks = CAPABILITIES[need]
            fitting = [name for name, target in registered(data.label).items() if getattr(target, need)]
            raise UserError(f"{model.__name__} {does}, and {data.title} {asks}; choose model={_either(fitting)}")


def _either(names: list[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def registered(task: str = "") -> dict[str, type[MemoryNetwork]]:
    """Load the classes of the models in conf/model/, by name."""
    return {name: class_of(name, task) for name in choices("model")}


def class_of(name: str, task: str = "") -> type[MemoryNetwork]:
    """Load the class of a model in conf/model/; it may have another one for a task."""
    file, own = choices("model")[name], choices("model_on_task").get(f"{task}/{name}")
    try:
        options: Any = OmegaConf.merge(OmegaConf.load(file), OmegaConf.load(own) if own else {})
    except (OmegaConfBaseException, yaml.YAMLError, ValueError, TypeError) as error:
        raise UserError(f"{file} is no yaml of a model ({str(error).splitlines()[0]})") from None
    try:
        target = get_class(options["_target_"])
    except (ImportError, AttributeError, KeyError, ValueError, TypeError, OmegaConfBaseException) as error:
        why = " ".join(str(error).splitlines()[:2])
        raise UserError(f"{file}: its _target_ cannot be loaded ({why})") from None
    check_model(target, str(file))
    return target


def build(model: dict, sizes: Sizes | Widths, seed: int) -> MemoryNetwork:
    """Build the network of a configuration, its weights drawn from `seed`; options that are null are left out."""
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
            network: MemoryNetwork = target(**sizes._asdict(), **given)
        except ValueError as error:
            raise UserError(str(error)) from None
        except (RuntimeError, TypeError) as error:
            if "overflow" not in str(error).lower():
                raise
            raise UserError(f"{target.__name__} of these sizes has more weights than can be counted") from None
    if not hasattr(network, "window"):
        network.window = sizes._asdict().get("story_length", 0)
    return network
