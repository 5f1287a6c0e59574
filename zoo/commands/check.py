"""zoo check NAME [name=value …]

Say what a model of yours lacks. The model is built with its smallest sizes. Its four functions run on a tiny batch,
alone and under vmap; then a loss is differentiated. Each line names a check and, if it failed, what to write instead.
Further name=value are handed on, task=copy for example for a model that reads sequences.
"""

import inspect
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tasks.errors import UserError
from zoo.commands import Given, Grammar
from zoo.interface import Answer, MemoryNetwork
from zoo.kinds import kind_of, kind_of_model
from zoo.paths import choices
from zoo.runs.plan import plan_of
from zoo.training.build import build, class_of, options_of
from zoo.training.ensemble import Ensemble

GRAMMAR = Grammar(names=("name",), required=("name",), bare="name", passes_on=True)
TINY = {  # tasks with little data, by what a model reads
    "stories": ("task=babi", "task.ids=[2]", "task.source=generated", "task.size=40", "task.generator.test=20"),
    "sequences": ("task=copy", "task.train.length=[1,3]", "task.test=[{length: 3}]", "task.epoch=16"),
}


def main(given: Given) -> None:
    name = given["name"]
    if name not in choices("model"):
        raise UserError(f"no yaml conf/model/{name}.yaml; zoo new {name} writes one")
    faults = check(name, given.passed_on)
    if faults:
        raise UserError(f"{name}: {len(faults)} to mend")
    print(f"{name}: nothing is missing; zoo run model={name} task=… trains it")


def check(name: str, overrides: list[str]) -> list[str]:
    """Try everything that training asks of a model, print each step, and return the faults."""
    faults: list[str] = []

    def step(what: str, work: Callable[[], Any], advice: str) -> Any:
        try:
            result = work()
        except Exception as error:
            said = str(error).partition("\n")[0][:200]
            faults.append(what)
            print(f"  ✗ {what}: {type(error).__name__}: {said}{_place_of(error, target)}\n      {advice}")
            return None
        print(f"  ✓ {what}")
        return result

    task = next((word.removeprefix("task=") for word in overrides if word.startswith("task=")), "")
    target = class_of(name, task)
    kind = kind_of_model(target)
    usual = TINY[kind.RECORDED]
    tiny = [
        *(usual if f"task={task}" in ("task=", usual[0]) else ()),
        *overrides,
        "++model.recipe.batch_size=4",
        "logger=none",
    ]
    plan = step(
        "it is built from its yaml, and has a window and a paper", lambda: plan_of([f"model={name}", *tiny]),
        "options in the yaml are the constructor's arguments, by name and type",
    )  # fmt: skip
    if plan is None:
        return faults
    corpus = next(iter(plan.data.trainings.values()))
    networks = [build(plan.config["model"], corpus.sizes, seed) for seed in (0, 1)]
    network = networks[0]
    batch = step(
        "batches are cut", lambda: next(iter(kind_of(corpus).evaluation_batches(corpus, corpus.valid, network))),
        "batched_by is question, story or sequence; window is a number of sentences",
    )  # fmt: skip
    if batch is None:
        return faults
    features = step("encode(batch)", lambda: network.encode(batch), "I: features of the sentence table")
    if faults:
        return faults
    memory = step("write(features, batch)", lambda: network.write(features, batch), "G: the memory after the stories")
    if faults:
        return faults
    recall = step(
        "read(memory, features, batch)", lambda: _pair(network.read(memory, features, batch), network, batch),
        "O: a pair, what was recalled and a trace; the trace is None for a model that looks nowhere",
    )  # fmt: skip
    if recall is None:
        return faults
    step(
        "respond(recall)", lambda: _shaped(network.respond(recall[0]), kind_of(corpus).shape_of_scores(corpus, batch)),
        "R: a score for each word as the answer, (N, V), of the recall, (N, d); for sequences one for each bit",
    )  # fmt: skip
    if faults:
        return faults
    alone = step("the answers are finite", lambda: _finite(network(batch)), "look for a division by zero, or log(0)")
    if alone is None:
        return faults
    ensemble = step(
        "two restarts are stacked", lambda: Ensemble(networks), "every parameter has one shape in all of them"
    )
    together = ensemble and step(
        "under vmap it runs", lambda: ensemble.answer(batch),
        "no .item(), no `if` on values, no shape that depends on values, no in-place change of a buffer, no randomness "
        "but `noise`",
    )  # fmt: skip
    if together is None:
        return faults
    step(
        "restart 0 of two answers as it does alone", lambda: _equal(together.scores[0], alone.scores),
        "something is shared between restarts: a tensor that is no parameter and no buffer",
    )  # fmt: skip
    train = step(
        "noise is drawn", lambda: next(iter(kind_of(corpus).training_batches(corpus, network, [0, 1], 4))),
        "noise(told, generator) returns a tensor with a row for each question, or None",
    )  # fmt: skip
    if train is None:
        return faults
    step("its loss is differentiated", lambda: ensemble.differentiate(train), "learn(batch) returns named sums")
    step(
        "its yaml has every option of its constructor", lambda: _all_given(target, plan.config["model"]),
        "write a line with its default for each; else no run can set it",
    )  # fmt: skip
    gradient = ensemble.weights.grad
    if gradient is not None:
        step("every gradient is finite", lambda: _all_finite(gradient), "look for sqrt(0), or a norm of zeros")
        step("every parameter gets a gradient", lambda: _all_used(ensemble, gradient), "a parameter that nothing uses")
    return faults


def _pair(recalled: Any, network: MemoryNetwork, batch: Any) -> Any:
    if not isinstance(recalled, tuple) or len(recalled) != 2:
        raise TypeError(f"it returns {type(recalled).__name__}")
    network.traced(recalled[1], batch)
    return recalled


def _shaped(tensor: Tensor, expected: tuple[int, ...]) -> Tensor:
    if tuple(tensor.shape) != expected:
        raise ValueError(f"it returns the shape {tuple(tensor.shape)}; expected {expected}")
    return tensor


def _all_given(target: type, given: dict) -> None:
    if missing := [name for name in options_of(target) if name not in given]:
        raise ValueError(f"it lacks {', '.join(missing)}")


def _place_of(error: BaseException, target: type) -> str:
    """Say where in the file of a model an error comes from; empty if it does not pass there."""
    file = inspect.getsourcefile(target)
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f" ({Path(str(file)).name}, line {lines[-1]})" if lines else ""


def _finite(answer: Answer) -> Answer:
    _all_finite(answer.scores)
    return answer


def _all_finite(tensor: Tensor) -> None:
    if not bool(tensor.isfinite().all()):
        raise ValueError("some numbers are not finite")


def _equal(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def _all_used(ensemble: Ensemble, gradient: Tensor) -> None:
    unused = [name for name, of in ensemble.parameters_of_all(gradient).items() if not bool(of.any())]
    if unused:
        raise ValueError(", ".join(unused).replace("network.", ""))
