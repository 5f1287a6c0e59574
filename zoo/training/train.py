"""Training a pack: the ensembles of one task or of several in one program, from a configuration to figures."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments import LightningEnvironment

from tasks import tensors
from tasks.errors import UserError
from tasks.leases import Lease
from zoo import kernels
from zoo.interface import MemoryNetwork
from zoo.kinds import Kind, kind_of
from zoo.training import CHECKPOINT, FIGURES, loggers
from zoo.training.batches import Blocks, EvaluationBatches, TrainingBatches
from zoo.training.build import build
from zoo.training.callbacks import AtomicCheckpoints, Checkpoint, Report, hush, save, undamaged
from zoo.training.ensemble import Ensemble
from zoo.training.flags import trainer_flags
from zoo.training.module import EnsembleTraining
from zoo.training.packing import PackedBatches, pad_to_one_size
from zoo.training.recipe import Recipe


def finished(folder: Path) -> dict[str, dict] | None:
    """Read the figures of a pack that was trained to its end; None if it was not, or if they are damaged."""
    try:
        figures: dict[str, dict] = tensors.load(folder / FIGURES)
        return figures
    except FileNotFoundError:
        return None
    except (OSError, tensors.Damaged) as error:
        print(f"{error}: this training begins anew", file=sys.stderr)
        (folder / FIGURES).unlink(missing_ok=True)
        return None


def train(
    config: dict,
    corpora: dict[str, Any],
    folder: Path,
    report: Callable[[str, dict], None],
    lease: Lease | None = None,
) -> dict[str, dict]:
    """Train the ensembles of a pack, and test the best epoch of each restart.

    Args:
        config: the resolved configuration.
        corpora: the data of each training, by its name within the run; for several see `packing.pack`.
        folder: holds the checkpoint of an interrupted pack, and the figures of a finished one.
        report: is called after every epoch with the name of a training and its state for a progress display.
        lease: of the folder, where several processes share it; `Lost` or `Stopped` end the training.

    Returns:
        The figures of each training: tensors and numbers, as `tasks.tensors` reads them back.
    """
    if (earlier := finished(folder)) is not None:
        return earlier
    hush()
    if lease is None:  # whose folder is there; one that is gone was finished by another process
        folder.mkdir(parents=True, exist_ok=True)
    recipe = Recipe.from_config(config["model"].get("recipe", {})).shortened(config["trainer"]["max_epochs"])
    seeds = [config["seed"] + k for k in range(config["restarts"])]
    if len(corpora) > 1:
        sizes, corpora = pad_to_one_size(corpora)
    else:
        (sizes,) = (corpus.sizes for corpus in corpora.values())

    def networks() -> list[MemoryNetwork]:
        return [build(config["model"], sizes, seed) for seed in seeds]

    tasks = [f"{name}/" for name in corpora] if len(corpora) > 1 else [""]
    training = EnsembleTraining(Ensemble([network for _ in corpora for network in networks()]), recipe, tasks)
    kind = kind_of(next(iter(corpora.values())))
    options, figures = config["trainer"], {}
    with kernels.switched(options["kernels"]) as used:
        corpora = _fit(training, kind, config, corpora, seeds, folder / CHECKPOINT, report, lease)
        again = None
        if recipe.refit:
            again = EnsembleTraining(Ensemble(networks()), recipe, model=training)
            _fit_again(again, kind, config, corpora, seeds, folder / "refit.ckpt", lease)
            training.seconds += again.seconds
        # a pack's epochs are those of its last network; each training has an equal share of its time
        for number, (name, corpus) in enumerate(corpora.items()):
            mine = slice(number * len(seeds), (number + 1) * len(seeds))
            ensembles = [Ensemble(networks()).to(training.device) for _ in range(2 if recipe.refit else 1)]
            figures[name] = {
                "kernels": used and training.device.type == "cpu",
                "sizes": list(sizes),
                "seconds": float(training.seconds) / len(corpora),
                **_test(training, ensembles, mine, kind, corpus, again),
            }
            alone = Ensemble(networks()[:1]).to(training.device)
            figures[name]["half"] = _in_half(alone, figures[name], kind, corpus)
    save(folder / FIGURES, figures, lease)
    return figures


def _fit(
    training: EnsembleTraining,
    kind: Kind,
    config: dict,
    corpora: dict[str, Any],
    seeds: list[int],
    checkpoint: Path,
    report: Callable[[str, dict], None],
    lease: Lease | None,
) -> dict[str, Any]:
    """Train to the end, and return the data, moved to the device."""
    ensemble, recipe, trainer_options = training.ensemble, training.recipe, config["trainer"]
    name = "+".join(corpora)
    logs = _logs(config)
    opened = loggers.open_all(config["logger"], str(logs.parent), logs.name, name)
    flags = trainer_flags(trainer_options.get("lightning", {}), logs / name)
    try:
        trainer = pl.Trainer(
            accelerator=trainer_options["accelerator"],
            devices=1,
            max_epochs=training.most_epochs,
            logger=opened or False,
            # of Slurm's environment nothing is taken: Lightning would requeue the job itself, and count its tasks
            plugins=[AtomicCheckpoints(lease), LightningEnvironment()],
            callbacks=[
                Checkpoint(checkpoint, trainer_options["checkpoint_seconds"], lease),
                Report(list(corpora), report),
                *flags.pop("callbacks"),
            ],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            **flags,
        )
        device = trainer.strategy.root_device
        corpora = {name: corpus.to(device) for name, corpus in corpora.items()}
        batches, valid = _batches(kind, corpora, ensemble.network, seeds, recipe)
        trainer.fit(training, Blocks(batches), valid, ckpt_path=undamaged(checkpoint), weights_only=True)
    except (SystemExit, RuntimeError) as error:
        # at an interrupt Lightning ends the process itself, or fails where it has no batches yet to put away
        if isinstance(error, SystemExit) or isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
    finally:
        loggers.close(opened)
    training.to(device)
    return corpora


def _fit_again(
    training: EnsembleTraining,
    kind: Kind,
    config: dict,
    corpora: dict[str, Any],
    seeds: list[int],
    checkpoint: Path,
    lease: Lease | None,
) -> None:
    """Repeat a course with the questions of validation among those that are learned; nothing is told of it."""
    if training.most_epochs:  # else no restart has an epoch to repeat
        learned = {name: kind.with_validation(corpus) for name, corpus in corpora.items()}
        silent = config | {"logger": {"targets": {}}}
        _fit(training, kind, silent, learned, seeds, checkpoint, lambda name, state: None, lease)


def _logs(config: dict) -> Path:
    """Name the folder of a run's learning curves."""
    return Path(config["results_dir"]) / "logs" / f"{config['run']['name']}-{config['run']['identity']}"


def _batches(
    kind: Kind, corpora: dict[str, Any], network: MemoryNetwork, seeds: list[int], recipe: Recipe
) -> tuple[TrainingBatches | PackedBatches, EvaluationBatches | PackedBatches]:
    """Make the batches of training and of validation."""
    of_recipe = recipe.batch_size, recipe.by_length, recipe.grow_epochs, recipe.mixed, recipe.batched_by
    train = [kind.training_batches(corpus, network, seeds, *of_recipe) for corpus in corpora.values()]
    valid = [kind.evaluation_batches(corpus, corpus.valid, network) for corpus in corpora.values()]
    if len(corpora) == 1:
        return train[0], valid[0]
    return PackedBatches(train, len(seeds)), PackedBatches(valid, len(seeds))


def _in_half(alone: Ensemble, figures: dict, kind: Kind, corpus: Any) -> bool:
    """Tell whether the selected network answers every test question alike in half precision.

    Args:
        alone: a single network, which gets the rounded weights.
        figures: of the training.
        kind: answers.
        corpus: has the questions.
    """
    alone.set(0, {name: table.half().float() for name, table in figures["weights"].items()})
    return kind.answers_alike(alone, corpus, figures)


def _test(
    training: EnsembleTraining,
    ensembles: list[Ensemble],
    mine: slice,
    kind: Kind,
    corpus: Any,
    again: EnsembleTraining | None,
) -> dict:
    """Read the test splits, once, with the best epoch of every restart.

    Args:
        training: of all networks of the pack.
        ensembles: get the weights of the networks that have learned the task, those of each training one.
        mine: the places of these networks in the pack.
        kind: scores them.
        corpus: the task.
        again: the training that has repeated the first with all questions, and is tested in its place.
    """
    best = training.best
    if bool((best.epoch[mine] < 0).all()):
        raise UserError(
            f"after no epoch was the loss on validation a finite number, in any restart; type a smaller rate than "
            f"model.recipe.learning_rate={training.recipe.learning_rate}"
        )
    examples = int(training.epochs) * len(corpus.train)
    if again is not None:
        examples += int(again.epochs) * len(kind.with_validation(corpus).train)
    for of, ensemble in zip([training] if again is None else [again, training], ensembles, strict=True):
        with torch.no_grad():
            ensemble.weights.copy_(of.best.weights[mine])
            if ensemble.linear is not None:
                ensemble.linear.fill_(False)
    ensemble, *judged = ensembles
    epochs, selected = int(training.epochs), best.restart(mine)
    return kind.figures(ensemble, corpus, selected, *judged) | {
        "selected": selected,
        "best_epoch": best.epoch[mine].cpu(),
        "curves": {
            name: getattr(training, f"{name}_curve")[:epochs, mine].cpu()
            for name in ("train_loss", "valid_loss", "valid_error")
        },
        "weights": ensemble.of(selected),
        "parameters": ensemble.weights.shape[1],
        "examples": examples * len(ensemble),
    }
