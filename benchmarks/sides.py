"""The things that throughput measures: each function prepares one of them in a process of its own, and returns the
functions that can be timed."""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import pytorch_lightning as pl
import torch
from hydra.utils import get_class

from benchmarks.copying import BATCH, COPY, LENGTHS, PlainCopier, sequences
from benchmarks.measure import Stopwatch, evenly, seconds_of, times_in
from benchmarks.plain import loader_of, optimizer_of, plain_of, step
from benchmarks.without import GATHERED, read_for_each_question, told_apart
from tasks.batch import PAD, Questions, Sequences
from tasks.corpus import Corpus
from zoo import kernels
from zoo.kinds.stories import evaluation_batches, predict, training_batches
from zoo.models.ntm import SequenceNTM
from zoo.runs.data import load_data
from zoo.training.batches import DRAWN_AT_ONCE, TrainingBatches
from zoo.training.build import build
from zoo.training.callbacks import Report
from zoo.training.ensemble import Ensemble
from zoo.training.loggers import csv
from zoo.training.module import EnsembleTraining
from zoo.training.recipe import Recipe

Asked = dict[str, Callable[[], "Rate | float"]]


class Rate(NamedTuple):
    examples: int
    seconds: float
    outside: float | None = None  # share of the seconds that were spent outside the model


class Drawn:
    """Batches that were drawn before, in the form in which `Blocks` hands them to Lightning."""

    def __init__(self, batches: list[Questions]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return -(-len(self.batches) // DRAWN_AT_ONCE)

    def __iter__(self) -> Iterator[list[Questions]]:
        return (self.batches[at : at + DRAWN_AT_ONCE] for at in range(0, len(self.batches), DRAWN_AT_ONCE))


class Timed(EnsembleTraining):
    """The usual training, with a stopwatch around the model and its optimizer."""

    def __init__(self, ensemble: Ensemble, recipe: Recipe) -> None:
        super().__init__(ensemble, recipe)
        self.model, self.validation = Stopwatch(), Stopwatch()
        self.step = self.model.around(self.step)
        ensemble.forward = self.validation.around(ensemble.forward)


class EpochClock(pl.Callback):
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.began = time.perf_counter()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: object) -> None:
        self.stepped = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.ended = time.perf_counter()


def questions_in(batch: Questions) -> int:
    """Count the questions of all restarts."""
    return int((batch.answer != PAD).sum())


def begin(config: dict, model: dict, name: str) -> tuple[Corpus, Ensemble, TrainingBatches]:
    corpus = load_data(config, name).trainings[name]
    seeds = list(range(config["restarts"]))
    ensemble = Ensemble([build(model, corpus.sizes, seed) for seed in seeds])
    if ensemble.linear is not None:
        ensemble.linear.fill_(False)
    recipe = Recipe.from_config(model["recipe"])
    batches = training_batches(corpus, ensemble.network, seeds, recipe.batch_size, recipe.by_length)
    return corpus, ensemble, batches


def some_of(batches: list, action: Callable, seconds: float, length: Callable[[object], int]) -> list:
    """Choose as many batches as `action` goes through in a measurement, of all lengths that occur."""
    batches = sorted(batches, key=length)
    return evenly(batches, times_in(seconds, lambda: action(batches[len(batches) // 2]), len(batches)))


def of_zoo(config: dict, name: str, seconds: float) -> Asked:
    """Prepare training as `run.py` makes it, with loader, Lightning, progress and csv logger; and its evaluation."""
    kernels.use(config["trainer"]["kernels"])
    corpus, ensemble, loader = begin(config, config["model"], name)
    all_of_them = list(loader)
    drawn = some_of(
        all_of_them, lambda batch: ensemble.differentiate(batch), seconds, lambda batch: batch.stories.shape[-1]
    )
    # an epoch ends with its validation; here of one story, the time of which is taken off
    shortest = int(corpus.valid.lengths.argmin())
    brief = evaluation_batches(corpus, corpus.valid.stories(shortest, shortest + 1), ensemble.network)
    recipe = replace(Recipe.from_config(config["model"]["recipe"]), linear_start_epochs=0, epochs=1000)
    training, folder = Timed(ensemble, recipe), tempfile.TemporaryDirectory(prefix="zoo-benchmark-")

    def train() -> Rate:
        drawing = seconds_of(lambda: list(loader)) / len(loader)
        clock = EpochClock()
        trainer = pl.Trainer(
            accelerator="cpu", devices=1, max_epochs=1, logger=csv(folder.name, "run", name),
            callbacks=[clock, Report(["1"], lambda name, state: None)], enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
        )  # fmt: skip
        training.model.seconds = training.validation.seconds = 0.0
        trainer.fit(training, Drawn(drawn), brief)
        end = (clock.ended - clock.stepped - training.validation.seconds) / len(loader)  # a batch's share of it
        whole = clock.stepped - clock.began + (end + drawing) * len(drawn)
        return Rate(sum(map(questions_in, drawn)), whole, 1 - training.model.seconds / whole)

    evaluation = evaluation_batches(corpus, corpus.valid, ensemble.network)
    often = times_in(seconds, lambda: predict(ensemble, evaluation))

    def evaluate() -> Rate:
        taken = seconds_of(lambda: [predict(ensemble, evaluation) for _ in range(often)])
        return Rate(often * len(ensemble) * len(corpus.valid), taken)

    return {"train": train, "evaluate": evaluate}


def of_plain(config: dict, name: str, seconds: float) -> Asked:
    """Prepare training and evaluation of the plain baseline."""
    corpus, recipe = load_data(config, name).trainings[name], Recipe.from_config(config["model"]["recipe"])
    network = build(config["model"], corpus.sizes, 0)
    if hasattr(network, "linear"):
        network.linear.fill_(False)
    plain = plain_of(network)
    optimizer = optimizer_of(plain, recipe)
    train_loader = loader_of(corpus, corpus.train, network, recipe.batch_size, shuffle=True)
    valid_loader = loader_of(corpus, corpus.valid, network, recipe.batch_size, shuffle=False)
    first = next(iter(train_loader))
    count = times_in(seconds, lambda: step(plain, first, optimizer, recipe.clip), len(train_loader))

    def train() -> Rate:
        plain.train()
        began, examples = time.perf_counter(), 0
        for batch in islice(train_loader, count):
            step(plain, batch, optimizer, recipe.clip)
            examples += len(batch.answer)
        return Rate(examples, time.perf_counter() - began)

    @torch.inference_mode()
    def answer_all() -> int:
        plain.eval()
        return sum(int((plain(batch).argmax(-1) != batch.answer).sum()) for batch in valid_loader)

    often = times_in(seconds, answer_all)

    def evaluate() -> Rate:
        return Rate(often * len(corpus.valid), seconds_of(lambda: [answer_all() for _ in range(often)]))

    return {"train": train, "evaluate": evaluate}


def switched(config: dict, name: str, what: str, seconds: float) -> Asked:
    """Prepare forward and backward passes, with one of the zoo's ways of saving time and without it."""
    kernels.use(False)
    model = config["model"]
    corpus, ensemble, loader = begin(config, model, name)
    on = off = ensemble
    form = GATHERED.get(get_class(model["_target_"]))
    if form:  # elsewhere memories are gathered anyway
        off = begin(config, model | {"_target_": f"{form.__module__}.{form.__name__}"}, name)[1]
    if what == "story":
        order = torch.randperm(loader.rows).expand(len(ensemble), -1)
        alike = order.gather(1, corpus.train.lengths[order].argsort(1)).split(loader.batch_size, dim=1)
        pairs = [(corpus.by_story(corpus.train, some), read_for_each_question(corpus, some)) for some in alike]
    elif what == "sentences":
        on, pairs = off, [(batch, told_apart(batch)) for batch in loader]
    else:
        pairs = [(batch, batch) for batch in loader]
    pairs = some_of(pairs, lambda pair: off.differentiate(pair[1]), seconds, lambda pair: pair[0].stories.shape[-1])

    def rate(ensemble: Ensemble, side: int) -> Rate:
        taken = seconds_of(lambda: [ensemble.differentiate(pair[side]) for pair in pairs])
        return Rate(sum(questions_in(pair[side]) for pair in pairs), taken)

    return {"on": lambda: rate(on, 0), "off": lambda: rate(off, 1)}


def of_copying(form: str, restarts: int) -> Asked:
    """Prepare steps of training on the copy task, one of each length."""
    kernels.use(False)
    generator = torch.Generator().manual_seed(0)
    network = PlainCopier() if form == "plain" else Ensemble([SequenceNTM(*COPY.widths) for _ in range(restarts)])
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)

    def learn_one(length: int) -> None:
        batch = sequences(length, restarts, generator)
        if form == "plain":
            optimizer.zero_grad()
            network(Sequences(*(table[0] for table in batch))).backward()
        else:
            network.differentiate(batch)
        optimizer.step()

    learn_one(2)

    def train() -> Rate:
        taken = seconds_of(lambda: [learn_one(length) for length in LENGTHS])
        return Rate(len(LENGTHS) * BATCH * restarts, taken)

    return {"train": train}
