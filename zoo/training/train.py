"""A program: trainings of one task or several, from a configuration to figures; what a worker process does."""

import io
import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from pickle import UnpicklingError

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import TorchCheckpointIO
from torch import Tensor

from tasks.algorithmic.task import Algorithm, Fixed
from tasks.batch import NONE, Questions, Sequences
from tasks.corpus import Corpus, Split
from tasks.errors import UserError
from tasks.files import write_atomically
from zoo.interface import MemoryNetwork, bits, wrong_bits
from zoo.training import loggers
from zoo.training.build import build
from zoo.training.data import Blocks, EvaluationBatches, TrainingBatches, training_batches
from zoo.training.ensemble import Ensemble
from zoo.training.look import looks
from zoo.training.module import EnsembleTraining, predict
from zoo.training.recipe import Recipe
from zoo.training.steps import can_compile
from zoo.training.together import Together, of_one_size

# steps of a training: fewer do not repay the compiling of its programs; a batch of sequences is many calls of one
COMPILED_FROM = {Questions: 10_000, Sequences: 500}
COMPILED_SENTENCES = 1000  # distinct ones of a task: with more of them, whole models would be compiled too often


def train(
    config: dict, corpora: dict[str, Corpus | Algorithm], folder: Path, report: Callable[[str, dict], None]
) -> dict[str, dict]:
    """Trains the ensembles of one or several tasks in one program, tests the best epoch of each restart.

    Args:
        config: the resolved configuration.
        corpora: what is learned, by the names of the trainings within the run; of several tasks see `programs`.
        folder: holds the checkpoint of a program that was interrupted, and the figures of one that was not.
        report: is called after every epoch with the name of a training and what a progress display shows of it.

    Returns:
        The figures of each training: tensors and numbers, as `torch.load(weights_only=True)` reads them back.
    """
    done = folder / "figures.pt"
    if done.exists():
        return torch.load(done, weights_only=True)
    _hush()
    folder.mkdir(parents=True, exist_ok=True)
    recipe = Recipe.from_config(config["model"].get("recipe", {})).shortened(config["trainer"]["max_epochs"])
    seeds = [config["seed"] + k for k in range(config["restarts"])]
    if len(corpora) > 1:
        sizes, corpora = of_one_size(corpora)
    else:
        (sizes,) = (corpus.sizes for corpus in corpora.values())

    def networks() -> list[MemoryNetwork]:
        return [build(config["model"], sizes, seed) for seed in seeds]

    ensemble = Ensemble([network for _ in corpora for network in networks()])
    tasks = [f"{name}/" for name in corpora] if len(corpora) > 1 else [""]
    training = EnsembleTraining(ensemble, recipe, tasks)
    name = "+".join(corpora)
    run = f"{config['run']['name']}-{config['run']['identity']}"
    opened = loggers.open_all(config["logger"], str(Path(config["results_dir"]) / "logs"), run, name)
    checkpoint = folder / "last.ckpt"
    try:
        trainer = pl.Trainer(
            accelerator=config["trainer"]["accelerator"],
            devices=1,
            max_epochs=recipe.all_epochs,
            logger=opened or False,
            plugins=[AtomicCheckpoints()],
            callbacks=[Checkpoint(checkpoint, config["trainer"]["checkpoint_seconds"]), Report(list(corpora), report)],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        device = trainer.strategy.root_device
        corpora = {name: corpus.to(device) for name, corpus in corpora.items()}
        batches, valid = _batches(corpora, ensemble.network, seeds, recipe)
        steps = len(batches) * recipe.all_epochs
        compiled = _is_compiled(config["trainer"]["compile"], ensemble.network, corpora, steps, device.type)
        if compiled:
            ensemble.compile_for(batches.batch_size)
        trainer.fit(
            training,
            Blocks(batches),
            valid,
            ckpt_path=_undamaged(checkpoint),
            weights_only=True,
        )
    except SystemExit:  # Lightning ends the process itself, on SIGTERM even as if all had gone well
        raise KeyboardInterrupt from None
    finally:
        loggers.close(opened)
    training.to(device)
    figures = {}  # a program's epochs are those of its last network; of its time each training has an equal share
    for number, (name, corpus) in enumerate(corpora.items()):
        tested = slice(number * len(seeds), (number + 1) * len(seeds))
        figures[name] = {
            "compiled": compiled,
            "sizes": list(sizes),
            "seconds": float(training.seconds) / len(corpora),
            **_test(training, Ensemble(networks()).to(device), tested, corpus),
        }
    write_atomically(done, lambda stream: torch.save(figures, stream))
    return figures


def _batches(
    corpora: dict[str, Corpus | Algorithm], network: MemoryNetwork, seeds: list[int], recipe: Recipe
) -> tuple[TrainingBatches | Together, EvaluationBatches | Together]:
    """Of training and validation."""
    train = [
        training_batches(c, network, seeds, recipe.batch_size, recipe.by_length, recipe.grow_epochs)
        for c in corpora.values()
    ]
    valid = [EvaluationBatches(c, c.valid, network) for c in corpora.values()]
    if len(corpora) == 1:
        return train[0], valid[0]
    return Together(train, len(seeds)), Together(valid, len(seeds))


def _is_compiled(
    wish: bool | str, network: MemoryNetwork, corpora: dict[str, Corpus | Algorithm], steps: int, device: str
) -> bool:
    """Whether a training gets compiled programs; `auto`: where benchmarks, on CPUs, say that they repay themselves.

    Of a large task each batch has a table of its own, of one of many sizes, and each would have the whole model
    compiled, as may be where several tasks are together; the step that a model repeats is one program for all.
    """
    if wish == "auto":
        is_long = steps >= COMPILED_FROM[type(network).reads]  # of the class: MemNN has an option of this name
        pays = network.worth_compiling and is_long and device == "cpu" and can_compile()
        if not pays or network.repeats:
            return pays
        return len(corpora) == 1 and all(len(corpus.sentences) <= COMPILED_SENTENCES for corpus in corpora.values())
    if wish and not can_compile():
        raise UserError(
            "trainer.compile=true: programs are compiled with a C++ compiler and Python's headers (packages g++ and "
            "python3-dev, say), which were not found; type trainer.compile=false"
        )
    return wish


def _test(training: EnsembleTraining, ensemble: Ensemble, tested: slice, corpus: Corpus | Algorithm) -> dict:
    """Reads the test splits, once, with the best epoch of every restart.

    Args:
        training: of all networks of the program.
        ensemble: gets the weights of those that have learned the task.
        tested: which these are.
        corpus: the task.
    """
    best = training.best
    if bool((best.epoch[tested] < 0).all()):
        raise UserError(
            f"after no epoch was the loss on validation a finite number, in any restart; type a smaller rate than "
            f"model.recipe.learning_rate={training.recipe.learning_rate}"
        )
    with torch.no_grad():
        ensemble.weights.copy_(best.weights[tested])
        if ensemble.linear is not None:
            ensemble.linear.fill_(False)
    epochs, selected = int(training.epochs), best.restart(tested)
    figures = (_sequence_figures if isinstance(corpus, Algorithm) else _answer_figures)(ensemble, corpus, selected)
    return figures | {
        "selected": selected,
        "best_epoch": best.epoch[tested].cpu(),
        "curves": {
            name: getattr(training, f"{name}_curve")[:epochs, tested].cpu()
            for name in ("train_loss", "valid_loss", "valid_error")
        },
        "weights": ensemble.weights[selected].detach().cpu().clone(),  # else all restarts would be stored
        "parameters": ensemble.weights.shape[1],
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


def _undamaged(checkpoint: Path) -> str | None:
    """The checkpoint to go on from, if there is one that can be read."""
    if not checkpoint.exists():
        return None
    try:
        torch.load(checkpoint, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, UnpicklingError) as error:
        print(f"{checkpoint} is damaged ({str(error).splitlines()[0]}): this training begins anew", file=sys.stderr)
        checkpoint.unlink()
        return None
    return str(checkpoint)


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
            answer = ensemble.answer(batch)
            costs.append(bits(answer.scores, batch))
            wrong.append(wrong_bits(answer.scores, batch))
    return {
        "bits": torch.cat(costs, dim=1).double().mean(1).cpu(),
        "wrong_bits": torch.cat(wrong, dim=1).double().mean(1).cpu(),
    }


def _tape(ensemble: Ensemble, batch: Sequences, restart: int) -> dict[str, torch.Tensor]:
    """What was shown, what came out and what the heads did, for the first sequence of a batch."""
    first = Sequences(*(table[:1] for table in batch))
    answer = ensemble.answer(first)
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
    """Tells the progress display where each training of a program stands."""

    def __init__(self, trainings: list[str], report: Callable[[str, dict], None]) -> None:
        self.trainings, self.report = trainings, report

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: EnsembleTraining) -> None:
        errors = pl_module.valid_error_curve[trainer.current_epoch].chunk(len(self.trainings))
        bests = pl_module.best.error.chunk(len(self.trainings))
        linear = pl_module.schedule.linear.chunk(len(self.trainings))
        for name, error, best, starts in zip(self.trainings, errors, bests, linear, strict=True):
            state = {
                "epoch": trainer.current_epoch + 1,
                "epochs": trainer.max_epochs,
                "linear": bool(starts.any()),
                "error": float(error.mean()),
                "best": float(best.min()) if bool(best.isfinite().any()) else None,
            }
            self.report(name, state)


def _hush() -> None:
    """Lightning's hints (devices, workers of loaders) do not apply to tables in memory."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
    warnings.filterwarnings("ignore", message=".*isinstance.*LeafSpec.*")
