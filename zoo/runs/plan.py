"""A configuration → a run before it is made: data read, options checked, identity settled."""

from pathlib import Path
from typing import NamedTuple

import torch
from omegaconf import DictConfig, OmegaConf

from tasks.corpus import Data
from tasks.errors import UserError, check_type
from zoo import records
from zoo.families import family_of
from zoo.families.board import Family
from zoo.kinds import Kind, kind_of_data
from zoo.runs.compose import compose_config
from zoo.runs.data import load_data
from zoo.training.build import build, check_fits, probe
from zoo.training.flags import check_flags
from zoo.training.packing import pack
from zoo.training.recipe import Recipe


class Plan(NamedTuple):
    """A run before it is made."""

    config: dict
    labels: dict
    data: Data
    recipe: Recipe
    settings: dict  # all that decides its figures
    title: str  # of its record: the first part of the file name
    identity: str
    facts: dict[str, str]  # of the model's class
    kind: Kind  # of its data
    family: Family  # of its tasks
    weights: dict[str, float]  # time of an epoch of each training, relative to the others
    packs: list[list[str]]  # the trainings, in groups that share a program

    def recorded(self) -> list[Path]:
        """Find its records, oldest first."""
        return records.find_identity(Path(self.config["results_dir"]), self.title, self.identity)

    @property
    def examples(self) -> int:
        """Questions or sequences that all restarts learn from, over all epochs."""
        questions = sum(len(corpus.train) for corpus in self.data.trainings.values())
        return questions * self.recipe.all_epochs * self.config["restarts"]


def plan_of(arguments: list[str]) -> Plan:
    """Plan the run that `python run.py` with these arguments would make."""
    return plan_config(*compose_config(arguments))


def plan_config(config: DictConfig, labels: dict) -> Plan:
    return plan(OmegaConf.to_container(config, resolve=True, throw_on_missing=True), labels)


def plan(config: dict, labels: dict) -> Plan:
    """Plan a run.

    Args:
        config: the resolved configuration.
        labels: names that the record carries and that decide nothing: model, experiment, overrides.
    """
    check(config)
    recipe = Recipe.from_config(config["model"].get("recipe", {})).shortened(config["trainer"]["max_epochs"])
    network = probe(config["model"])  # refuses wrong options before any data are read
    facts = {"memory": network.memory, "supervision": network.supervision, "paper": network.paper.link}
    data = load_data(config)
    check_fits(type(network), data)
    # what was found now is what every worker reads
    config = config | {"task": config["task"] | {"source": data.source, "download": False}}
    kind, family = kind_of_data(data), family_of(data.family)
    networks = {training: build(config["model"], corpus.sizes, seed=0) for training, corpus in data.trainings.items()}
    for training, corpus in data.trainings.items():
        kind.check(data, corpus, networks[training])
    weights = {training: kind.work(corpus, networks[training]) for training, corpus in data.trainings.items()}
    order = sorted(data.trainings, key=lambda training: -weights[training])
    corpora = {training: data.trainings[training] for training in order}
    packs = pack(corpora, networks, recipe.batch_size, config["trainer"]["together"])
    settings = records.settings_of(config, labels["experiment"], data, packs)
    identity = records.identity_of(settings, kind.RECORDED)
    title = f"{labels['model']}-{data.label}-{config['protocol']}"
    config = config | {"run": {"name": title, "identity": identity}}
    return Plan(config, labels, data, recipe, settings, title, identity, facts, kind, family, weights, packs)


def check(config: dict) -> None:
    for name, least in (("restarts", 1), ("seed", 0)):
        if type(config[name]) is not int or not least <= config[name] < 2**31:
            raise UserError(f"{name}={config[name]}: expected a whole number of at least {least}")
    trainer = config["trainer"]
    for name in ("workers", "threads", "together", "max_epochs"):
        if (trainer[name] is not None or name in ("threads", "together")) and (
            type(trainer[name]) is not int or trainer[name] < 1
        ):
            raise UserError(f"trainer.{name}={trainer[name]}: expected a whole number of at least 1")
    for name in ("compile", "kernels"):
        if not isinstance(trainer[name], bool) and trainer[name] != "auto":
            raise UserError(f"trainer.{name}={trainer[name]}: expected true, false or auto")
    check_flags(trainer["lightning"])
    check_type("trainer.checkpoint_seconds", trainer["checkpoint_seconds"], float, 20)
    check_type("rerun", config["rerun"], bool, "true")
    if trainer["accelerator"] not in ("cpu", "gpu"):
        raise UserError(f"trainer.accelerator={trainer['accelerator']}: expected cpu or gpu, as in trainer=cpu")
    if trainer["accelerator"] == "gpu" and not torch.cuda.is_available():
        raise UserError("trainer=gpu: torch sees no GPU here; type trainer=cpu")
