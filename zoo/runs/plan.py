"""A configuration → a run before it is made: data read, options checked, identity settled."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, cast

import torch
from omegaconf import DictConfig, OmegaConf

from tasks.corpus import Data
from tasks.errors import UserError, check_type, check_whole, shown
from zoo import records
from zoo.families import family_of
from zoo.families.board import Family
from zoo.interface import MemoryNetwork
from zoo.kinds import Kind, kind_of_data
from zoo.runs.bounds import check_layers, check_networks
from zoo.runs.compose import compose_config
from zoo.runs.data import load_data
from zoo.runs.options import check_data_dir
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
        return questions * self.recipe.all_epochs * int(self.config["restarts"])


def plan_of(arguments: list[str]) -> Plan:
    """Plan the run that `python run.py` with these arguments would make."""
    config, labels = compose_config(arguments)
    return plan_config(config, labels, arguments)


def plan_config(config: DictConfig, labels: dict, arguments: list[str]) -> Plan:
    """Plan the run of a configuration that was composed from these arguments."""
    check_data_dir(config, arguments)
    return plan(cast(dict, OmegaConf.to_container(config, resolve=True, throw_on_missing=True)), labels)


def plan(config: dict, labels: dict) -> Plan:
    """Plan a run.

    Args:
        config: the resolved configuration.
        labels: names that the record carries and that decide nothing: model, experiment, overrides.
    """
    check(config)
    recipe = Recipe.from_config(config["model"].get("recipe", {})).shortened(config["trainer"]["max_epochs"])
    check_layers(config["model"])
    network = probe(config["model"])  # refuses wrong options before any data are read
    check_networks(network, config["restarts"], recipe.batch_size)
    facts = {
        "memory": network.memory, "supervision": network.supervision, "paper": network.paper.link,
        "traces": network.traces,
    }  # fmt: skip
    data = load_data(config)
    check_fits(type(network), data)
    # what was found now is what every worker reads
    config = config | {"task": config["task"] | {"source": data.source, "download": False}}
    kind, family = kind_of_data(data), family_of(data.family)
    with torch.device("meta"):  # their sizes are asked for, not their weights
        networks = {name: build(config["model"], corpus.sizes, seed=0) for name, corpus in data.trainings.items()}
    for training, corpus in data.trainings.items():
        check_networks(networks[training], config["restarts"], recipe.batch_size)
        kind.check(data, corpus, networks[training])
    weights = {training: kind.work(corpus, networks[training]) for training, corpus in data.trainings.items()}
    order = sorted(data.trainings, key=lambda training: -weights[training])
    corpora = {training: data.trainings[training] for training in order}
    packs = pack(corpora, networks, recipe.batch_size, config["trainer"]["together"], recipe.batched_by)
    if recipe.refit:
        check_refit(kind, data, packs, networks)
    settings = records.settings_of(config, labels["experiment"], data, packs)
    identity = records.identity_of(settings, kind.RECORDED)
    title = f"{labels['model']}-{data.label}-{config['protocol']}"
    if "/" in title:  # it becomes the name of files
        raise UserError(f"the name of a model or task holds a slash: {title}")
    config = config | {"run": {"name": title, "identity": identity}}
    return Plan(config, labels, data, recipe, settings, title, identity, facts, kind, family, weights, packs)


def check_refit(kind: Kind, data: Data, packs: list[list[str]], networks: Mapping[str, MemoryNetwork]) -> None:
    """Refuse to train once more what cannot be."""
    if any(network.room_for(1) is not None for network in networks.values()):
        raise UserError("model.recipe.refit=true: expected false for a model that reads words which training lacks")
    for corpus in data.trainings.values():
        kind.with_validation(corpus)
    if any(len(names) > 1 for names in packs):
        raise UserError("model.recipe.refit=true: expected trainings that share no program; type trainer.together=1")


def check(config: dict) -> None:
    check_whole("restarts", config["restarts"], 1)
    check_whole("seed", config["seed"], 0, 2**31 - 1)
    trainer = config["trainer"]
    for name in ("workers", "threads", "together", "max_epochs"):
        if trainer[name] is not None or name in ("threads", "together"):
            check_whole(f"trainer.{name}", trainer[name], 1)
    for name in ("compile", "kernels"):
        if not isinstance(trainer[name], bool) and trainer[name] != "auto":
            raise UserError(f"trainer.{name}={trainer[name]}: expected true, false or auto")
    check_flags(trainer["lightning"])
    check_type("trainer.checkpoint_seconds", trainer["checkpoint_seconds"], float, 20)
    check_type("trainer.lease_seconds", trainer["lease_seconds"], float, 120)
    if trainer["lease_seconds"] < 1:
        raise UserError(f"trainer.lease_seconds={trainer['lease_seconds']}: expected at least 1, as in 120")
    check_type("rerun", config["rerun"], bool, "true")
    if trainer["accelerator"] not in ("cpu", "gpu"):
        raise UserError(f"trainer.accelerator={shown(trainer['accelerator'])}: expected cpu or gpu, as in trainer=cpu")
