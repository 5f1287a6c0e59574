"""One training, from a configuration to figures: what a worker process does."""

import io
import logging
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import pytorch_lightning as pl
import torch
from hydra.utils import get_method
from lightning_fabric.plugins import TorchCheckpointIO
from torch import Tensor

from tasks.algorithmic.task import Algorithm, Fixed
from tasks.batch import NONE, Sequences
from tasks.corpus import Corpus, Split
from tasks.errors import UserError
from tasks.files import write_atomically
from zoo.interface import MemoryNetwork, bits, wrong_bits
from zoo.training import loggers
from zoo.training.build import build
from zoo.training.data import Blocks, EvaluationBatches, training_batches
from zoo.training.ensemble import Ensemble
from zoo.training.look import looks
from zoo.training.module import EnsembleTraining, predict
from zoo.training.recipe import Recipe
from zoo.training.steps import can_compile

COMPILED_FROM = 10_000  # steps of a training: fewer do not repay the compiling of its programs
COMPILED_SENTENCES = 1000  # distinct ones of a task: with more of them, whole models would be compiled too often


def train(config: dict, name: str, corpus: Corpus | Algorithm, folder: Path, report: Callable[..., None]) -> dict:
    """Trains one ensemble, tests the best epoch of each restart, and returns the figures.

    Args:
        config: the resolved configuration.
        name: of the training within its run, the number of a task for example.
        corpus: what it learns.
        folder: holds the checkpoint of a training that was interrupted, and the figures of one that was not.
        report: is called after every epoch with what a progress display shows.

    Returns:
        Tensors and numbers, as `torch.load(weights_only=True)` reads them back.
    """
    done = folder / "figures.pt"
    if done.exists():
        return torch.load(done, weights_only=True)
    _hush()
    folder.mkdir(parents=True, exist_ok=True)
    recipe = Recipe.from_config(config["model"].get("recipe", {})).shortened(config["trainer"]["max_epochs"])
    seeds = [config["seed"] + k for k in range(config["restarts"])]
    ensemble = Ensemble([build(config["model"], corpus.sizes, seed) for seed in seeds])
    training = EnsembleTraining(ensemble, recipe)
    run = f"{config['run']['name']}-{config['run']['identity']}"
    options = {key: value for key, value in config["logger"].items() if key != "_target_"}
    open_logger = get_method(config["logger"]["_target_"])  # called directly, so that its errors arrive as they are
    logger = open_logger(save_dir=str(Path(config["results_dir"]) / "logs"), run=run, training=name, **options)
    checkpoint = folder / "last.ckpt"
    try:
        trainer = pl.Trainer(
            accelerator=config["trainer"]["accelerator"],
            devices=1,
            max_epochs=recipe.all_epochs,
            logger=logger or False,
            plugins=[AtomicCheckpoints()],
            callbacks=[Checkpoint(checkpoint, config["trainer"]["checkpoint_seconds"]), Report(report)],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        device = trainer.strategy.root_device
        corpus = corpus.to(device)
        batches = training_batches(corpus, ensemble.network, seeds, recipe.batch_size, recipe.by_length)
        steps = len(batches) * recipe.all_epochs
        compiled = _is_compiled(config["trainer"]["compile"], ensemble.network, corpus, steps, device.type)
        if compiled:
            ensemble.compile_for(batches.batch_size)
        trainer.fit(
            training,
            Blocks(batches),
            EvaluationBatches(corpus, corpus.valid, ensemble.network),
            ckpt_path=str(checkpoint) if checkpoint.exists() else None,
            weights_only=True,
        )
    finally:
        loggers.close(logger)
    figures = {"compiled": compiled} | _test(training.to(device), corpus)
    write_atomically(done, lambda stream: torch.save(figures, stream))
    return figures


def _is_compiled(wish: bool | str, network: MemoryNetwork, corpus: Corpus | Algorithm, steps: int, device: str) -> bool:
    """Whether a training gets compiled programs; `auto`: where benchmarks, on CPUs, say that they repay themselves.

    Of a large task each batch has a table of its own, of one of many sizes, and each would have the whole model
    compiled; the step that a model repeats is one program for all.
    """
    if wish == "auto":
        pays = network.worth_compiling and steps >= COMPILED_FROM and device == "cpu" and can_compile()
        return pays and (bool(network.repeats) or len(corpus.sentences) <= COMPILED_SENTENCES)
    if wish and not can_compile():
        raise UserError(
            "trainer.compile=true: programs are compiled with a C++ compiler and Python's headers (packages g++ and "
            "python3-dev, say), which were not found; type trainer.compile=false"
        )
    return wish


def _test(training: EnsembleTraining, corpus: Corpus | Algorithm) -> dict:
    """Reads the test splits, once, with the best epoch of every restart."""
    ensemble, best = training.ensemble, training.best
    with torch.no_grad():
        ensemble.weights.copy_(best.weights)
        if ensemble.linear is not None:
            ensemble.linear.fill_(False)
    epochs = len(training.train_loss_curve) - int(training.train_loss_curve.isnan().all(1).sum())
    selected = best.restart()
    figures = (_sequence_figures if isinstance(corpus, Algorithm) else _answer_figures)(ensemble, corpus, selected)
    return figures | {
        "selected": selected,
        "best_epoch": best.epoch.cpu(),
        "curves": {
            name: getattr(training, f"{name}_curve")[:epochs].cpu()
            for name in ("train_loss", "valid_loss", "valid_error")
        },
        "weights": ensemble.weights[selected].detach().cpu(),
        "sizes": list(corpus.sizes),
        "parameters": ensemble.weights.shape[1],
        "seconds": float(training.seconds),
        "examples": epochs * len(corpus.train) * len(ensemble),
    }


def _answer_figures(ensemble: Ensemble, corpus: Corpus, selected: int) -> dict:
    """Errors task by task, the answers that they follow from, and what the selected restart looked at."""
    splits = {part: split for part, split in corpus.splits.items() if part != "train"}
    predicted = {
        part: predict(ensemble, EvaluationBatches(corpus, split, ensemble.network)) for part, split in splits.items()
    }
    errors, dialog_errors = {}, {}
    for part, split in splits.items():
        wrong = ~split.right(predicted[part][0])
        errors[part] = _by_task(wrong, split.task)
        if corpus.candidates is not None:
            dialog_errors[part] = _by_task(*_dialogs(wrong, split))
    answers, found = predicted["test"]
    test = corpus.test
    small = torch.int16 if len(corpus.answers) < 2**15 else torch.int32  # holds every answer
    return {
        "errors": errors,
        "dialog_errors": dialog_errors,
        "predictions": {part: predicted[part][0].to(small).cpu() for part in ("test", *corpus.further)},
        "questions": {
            "task": test.task.to(torch.int8).cpu(),
            "answer": test.answer.to(small).cpu(),
            "told": test.told.to(torch.int16).cpu(),
            "facts": (test.support != NONE).sum(1).clamp(max=127).to(torch.int8).cpu(),
            "oldest_fact": _ago(test).to(torch.int16).cpu(),
        },
        "looks": looks(ensemble, selected, corpus, answers[selected]),
        "facts_found": {
            task: None if found is None else 100 * found[:, corpus.test.task == task].double().mean(1).cpu()
            for task in errors["test"]
        },
        "words": corpus.answers,
        "learned": ~corpus.unseen.cpu(),
        "state_size": ensemble.network.state_size(corpus.sizes.story_length),
    }


def _ago(split: Split) -> Tensor:
    """How many sentences ago the oldest supporting fact of each question was told; 0 where there is none."""
    told = split.told[:, None]
    oldest = torch.cat([told, torch.where(split.support == NONE, told, split.support)], dim=1).amin(1)
    return split.told - oldest


def _by_task(wrong: Tensor, task: Tensor) -> dict[int, Tensor]:
    """Percent wrong of each restart, (R,), by the number of the task.

    Args:
        wrong: (R, N)
        task: (N,)
    """
    return {int(one): 100 * wrong[:, task == one].double().mean(1).cpu() for one in task.unique()}


def _dialogs(wrong: Tensor, split: Split) -> tuple[Tensor, Tensor]:
    """Which stories have a wrong answer, (R, S), and the task of each, (S,)."""
    none = wrong.new_zeros(len(wrong), len(split.lengths), dtype=torch.long)
    mistakes = none.scatter_add(1, split.story.expand(len(wrong), -1), wrong.long())
    return mistakes > 0, torch.zeros_like(none[0]).scatter(0, split.story, split.task)


@torch.inference_mode()
def _sequence_figures(ensemble: Ensemble, task: Algorithm, selected: int) -> dict:
    """Costs and wrong bits, form by form, and what the heads of the selected restart did with one sequence of each."""
    forms = range(len(task.test.forms))
    return {
        "valid": _costs(ensemble, task.valid, range(len(task.valid.forms))),
        "test": {task.test.name(form): _costs(ensemble, task.test, [form]) for form in forms},
        "optimal": {task.test.name(form): task.test.optimal(form) for form in forms},
        "tapes": {task.test.name(form): _tape(ensemble, next(task.test.of_form(form)), selected) for form in forms},
        "state_size": ensemble.network.state_size(0),
    }


def _costs(ensemble: Ensemble, part: Fixed, forms: Iterable[int]) -> dict[str, torch.Tensor]:
    """Means over the sequences of some forms, for every restart, (R,)."""
    costs, wrong = [], []
    for form in forms:
        for batch in part.of_form(form):
            answer, _ = ensemble(batch)
            costs.append(bits(answer.scores, batch))
            wrong.append(wrong_bits(answer.scores, batch))
    return {
        "bits": torch.cat(costs, dim=1).double().mean(1).cpu(),
        "wrong_bits": torch.cat(wrong, dim=1).double().mean(1).cpu(),
    }


def _tape(ensemble: Ensemble, batch: Sequences, restart: int) -> dict[str, torch.Tensor]:
    """What was shown, what came out and what the heads did, for the first sequence of a batch."""
    first = Sequences(*(table[:1] for table in batch))
    answer, _ = ensemble(first)
    shown = {"inputs": first.inputs[0], "targets": first.targets[0]}
    done = {"outputs": answer.scores.sigmoid()} | answer.trace._asdict()
    return {name: table.half().cpu() for name, table in (shown | {n: t[restart, 0] for n, t in done.items()}).items()}


class AtomicCheckpoints(TorchCheckpointIO):
    """Lightning's way of saving leaves a torn file when it is killed on a machine whose /tmp is another disk."""

    def save_checkpoint(self, checkpoint: dict, path: str, storage_options: object = None) -> None:
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        write_atomically(Path(path), lambda stream: stream.write(buffer.getbuffer()))


class Checkpoint(pl.Callback):
    """Saves the training at the end of an epoch, whenever `seconds` have passed since the last time."""

    def __init__(self, file: Path, seconds: float) -> None:
        self.file, self.seconds, self.last = file, seconds, time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # a training that has ended goes on to its test; a checkpoint of it would be trained for one epoch more
        if time.monotonic() - self.last >= self.seconds and not trainer.should_stop:
            trainer.save_checkpoint(self.file)
            self.last = time.monotonic()


class Report(pl.Callback):
    """Tells the progress display where a training stands."""

    def __init__(self, report: Callable[..., None]) -> None:
        self.report = report

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: EnsembleTraining) -> None:
        error = pl_module.valid_error_curve[trainer.current_epoch]
        best = pl_module.best.error
        self.report(
            epoch=trainer.current_epoch + 1,
            epochs=trainer.max_epochs,
            linear=bool(pl_module.schedule.linear.any()),
            error=float(error.mean()),
            best=float(best.min()) if bool(best.isfinite().any()) else None,
        )


def _hush() -> None:
    """Lightning's hints (devices, workers of loaders) do not apply to tables in memory."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
    warnings.filterwarnings("ignore", message=".*isinstance.*LeafSpec.*")
