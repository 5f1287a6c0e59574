"""python -m benchmarks.scaling [--quick]: measure how time and memory grow, beside the models' equations.

Writes results/benchmarks/scaling.json, and results/benchmarks.md with its plots. --quick has a few small points, and
writes where --results says only.
"""

import argparse
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import torch

from benchmarks import page
from benchmarks.measure import Measurer, config, finish, options, peak_memory, seconds_of
from tasks.batch import Questions, Sizes
from tasks.errors import UserError
from zoo.interface import MemoryNetwork
from zoo.training.build import build
from zoo.training.ensemble import Ensemble

WORDS, WORDS_A_SENTENCE, SENTENCES = 40, 6, 200  # of the vocabulary; different ones that stories are told with
# what an axis is called among the options of a model
OPTIONS = {"slots": ("memory_size", "slots"), "hops": ("hops", "passes", "reads", "layers", "steps")}


class Scene(NamedTuple):
    """A measurement at one point of a curve."""

    learning: bool  # forwards and backwards, or the answers alone
    sentences: int  # of a story
    questions: int  # each about a story of its own
    restarts: int = 1


class Axis(NamedTuple):
    values: tuple[int, ...]
    about: str
    scene: Callable[[int, bool], Scene]  # from a value, and whether a slot is a sentence


AXES = {
    "story length": Axis(
        (10, 32, 100, 316, 1_000, 3_162, 10_000, 31_623, 100_000),
        "Answering one question about a story of so many sentences; every memory has as many slots as it needs.",
        lambda x, _: Scene(False, x, 1),
    ),
    "slots": Axis(
        (8, 16, 32, 64, 128, 256, 512, 1_024),
        "Answering 32 questions about stories of 1,024 sentences where a slot is a sentence, else of 16. The other "
        "models have no number of slots to set.",
        lambda x, slot_is_sentence: Scene(False, 1_024 if slot_is_sentence else 16, 32),
    ),
    "hops": Axis(
        (1, 2, 4, 8, 16, 32),
        "Answering 32 questions about stories of 100 sentences; hops, passes, reads, layers or steps.",
        lambda x, _: Scene(False, 100, 32),
    ),
    "restarts": Axis(
        (1, 2, 4, 8, 16, 32, 64),
        "Learning, forwards and backwards, from 32 questions a restart about stories of 10 sentences.",
        lambda x, _: Scene(True, 10, 32, x),
    ),
    "batch": Axis(
        (1, 4, 16, 64, 256, 1_024),
        "Learning, forwards and backwards, of one restart from so many questions about stories of 10 sentences.",
        lambda x, _: Scene(True, 10, x),
    ),
}


class Plan(NamedTuple):
    points: int | None  # of an axis, its smallest; None: all
    seconds: float  # that a point may take
    gigabytes: float
    goes: int


USUAL, QUICK = Plan(None, 4.0, 3.0, 5), Plan(3, 1.0, 1.0, 1)


def multiplications(name: str, network: MemoryNetwork, T: int, option: dict) -> float:
    """Count the multiplications for a question about T sentences: docs/models.md, leading terms."""
    T, J = min(T, network.window), WORDS_A_SENTENCE
    d, K = option["dim"], next((option[key] for key in OPTIONS["hops"] if key in option), 0)
    return {
        "memnn": lambda: T * (J * d + d**2) + K * T * d,
        "open_memnn": lambda: T * (J * d + d**2) + K * T * (d + J),
        "memn2n": lambda: (K + 1) * T * J * d + 2 * K * T * d,
        "gated_memn2n": lambda: (K + 1) * T * J * d + 2 * K * T * d + K * d**2,
        "kv_memnn": lambda: 2 * T * J * d + 2 * K * T * d + K * d**2,
        "dmn": lambda: 6 * T * J * d**2 + (14 if network.by_gru else 8) * K * T * d**2,
        "dmn_plus": lambda: T * (J * d + 12 * d**2) + 8 * K * T * d**2,
        "entnet": lambda: T * option["slots"] * d**2 + 2 * option["slots"] * d + d**2,
        "wmn": lambda: 6 * T * J * d**2 + K * option["heads"] * T * d**2 + 2 * K**2 * option["relation"] ** 2,
        "ntm": lambda: T * ((8 * K - 4) * d**2 + network.heads * option["slots"] * option["width"]),
        "transformer": lambda: K * (T**2 * d + 8 * T * d**2),
        "universal_transformer": lambda: K * T * (4 * d**2 + 2 * d * option["feed_forward"] + 2 * T * d),
        "qrn": lambda: 2 * K * T * d**2,
        "lstm": lambda: 8 * T * J * d**2,
    }[name]()  # fmt: skip


def tables(scene: Scene) -> Questions:
    """Draw random stories of random sentences, and questions about them, for all restarts."""
    generator = torch.Generator().manual_seed(0)

    def draw(below: int, *shape: int) -> torch.Tensor:
        return torch.randint(1, below, shape, generator=generator)

    sentences = draw(WORDS, SENTENCES + 1, WORDS_A_SENTENCE)
    sentences[0] = 0
    R, B, T = scene.restarts, scene.questions, scene.sentences
    support = torch.stack([torch.zeros(R, B, dtype=torch.long), draw(T, R, B)], dim=-1)
    batch = Questions(
        sentences,
        draw(SENTENCES + 1, R, B, T),
        torch.arange(B).expand(R, B),
        torch.full((R, B), T),
        draw(SENTENCES + 1, R, B),
        draw(WORDS, R, B),
        support,
    )
    return batch if scene.learning else Questions(sentences, *(table[0] for table in batch[1:7]))


def work(model: dict, scene: Scene) -> Callable[[], object]:
    """Prepare the work that is timed."""
    sizes = Sizes(WORDS, WORDS_A_SENTENCE, scene.sentences)
    networks = [build(model, sizes, seed) for seed in range(scene.restarts)]
    batch = tables(scene)
    if scene.learning:
        ensemble = Ensemble(networks)

        def learn() -> None:
            ensemble.zero_grad()
            sum(ensemble.learn(batch).values()).sum().backward()

        return learn
    return torch.inference_mode()(lambda: networks[0](cut(batch, networks[0].window)))


def cut(batch: Questions, window: int) -> Questions:
    """Cut a batch to the last sentences, as `Corpus.by_question` does."""
    gone = max(0, batch.stories.shape[1] - window)
    return batch._replace(stories=batch.stories[:, gone:], told=batch.told - gone)


def of_curve(name: str, model: dict, axis: str, option: str | None, plan: Plan) -> dict[str, Callable[[], dict]]:
    """Measure the points of one curve, from small to large, until one is too slow or too large."""

    def measure() -> dict:
        given = {key: value for key, value in model.items() if key != "recipe"}
        work(given, Scene(AXES[axis].scene(1, True).learning, 4, 1))()  # what is loaded at first use
        nothing = peak_memory()
        found: dict[str, list] = {what: [] for what in ("x", "ms", "mb", "cost", "state")}
        spent = [0.0, 0.0]  # of the two last points
        for x in AXES[axis].values[: plan.points]:
            scene = AXES[axis].scene(x, option == "memory_size")
            if option:
                given[option] = x
            elif "memory_size" in given:
                given["memory_size"] = scene.sentences
            action = work(given, scene)
            goes = [seconds_of(action)]
            while len(goes) < plan.goes and sum(goes) < plan.seconds / 4:
                goes.append(seconds_of(action))
            held, asked = peak_memory() - nothing, scene.questions * scene.restarts
            network = build(given, Sizes(WORDS, WORDS_A_SENTENCE, scene.sentences), 0)
            found["x"].append(x)
            found["ms"].append(round(1000 * min(goes) / asked, 6))
            found["mb"].append(round(held / 2**20 / asked, 6))
            found["cost"].append(multiplications(name, network, scene.sentences, given))
            found["state"].append(network.state_size(scene.sentences))
            # the next point costs at most as much more as this one costs more than the one before
            before, spent = spent, [goes[0], held / 2**30]
            growth = [now / then if then else 1 for now, then in zip(spent, before, strict=True)]
            if spent[0] * growth[0] > plan.seconds or spent[1] * growth[1] > plan.gigabytes:
                break
        return found

    return {"curve": measure}


def option_of(model: dict, axis: str) -> str | None:
    """Find the option of a model that an axis varies, if it has one."""
    return next((key for key in OPTIONS.get(axis, ()) if key in model), None)


def measure(plan: Plan, models: list[str]) -> dict:
    """Measure everything, and return the record."""
    began = time.monotonic()
    curves = []
    for axis in AXES:
        for name in models:
            model = config(f"model={name}")["model"]
            option = option_of(model, axis)
            if axis in OPTIONS and not option:
                continue
            measurer = Measurer(of_curve, name, model, axis, option, plan)
            curves.append({"axis": axis, "model": name} | measurer.ask("curve"))
            measurer.close()
        print(f"{time.monotonic() - began:4.0f} s  {axis}", file=sys.stderr)
    about = {name: axis.about for name, axis in AXES.items()}
    limits = {"seconds": plan.seconds, "gigabytes": plan.gigabytes, "goes": plan.goes}
    return {"schema": 1, "axes": about, **limits, "curves": curves} | finish(began)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    given, results = options(parser, arguments)
    page.add(results, page.SCALING, measure(QUICK if given.quick else USUAL, given.models))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(str(error))
