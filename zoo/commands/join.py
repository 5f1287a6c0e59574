"""python -m zoo.join RECORD RECORD ...: makes one record of runs that differ in nothing but their seeds.

So restarts can be added to a run, or be made on several machines: a run with restarts=3 and one with seed=3 restarts=7
are ten restarts together. RECORD is a file in results/runs, or the beginning of its name, of which the newest is taken.
Validation selects among all restarts, as in one run. The new record holds the command of every part, by which
zoo.repeat makes it again, and takes the place of the parts, whose files are removed.
"""

import argparse
import os
import shlex
import sys
from pathlib import Path

import numpy as np
import torch

from tasks.errors import UserError
from zoo import records
from zoo.command import composed
from zoo.mistakes import explained


def join(files: list[Path]) -> Path:
    """Writes one record of several, removes theirs, and returns its path."""
    found = sorted(((file, records.read(file)) for file in files), key=lambda of: of[1]["settings"]["seed"])
    files, whole = [file for file, _ in found], [record for _, record in found]
    arrays = [dict(records.arrays(file)) for file in files]
    _check(files, whole, arrays)
    restarts = sum(record["settings"]["restarts"] for record in whole)
    chosen = {training: _chosen(whole, arrays, training) for training in whole[0]["trainings"]}  # part and restart
    joined = _joined(whole, restarts)
    if "tests" in joined:  # of sequences
        ((_, selected),) = chosen.values()
        joined["tests"] = {form: _lists([record["tests"][form] for record in whole]) for form in joined["tests"]}
        joined["validation"] = _lists([record["validation"] for record in whole]) | {"selected": selected}
    else:
        joined["tasks"] = {
            task: _lists([record["tasks"][task] for record in whole]) | {"selected": chosen[of_first["training"]][1]}
            for task, of_first in joined["tasks"].items()
        }
    together = {name: _array(name, [of[name] for of in arrays], chosen) for name in arrays[0]}
    file = records.store(
        files[0].parent.parent, files[0].stem.rsplit("-", 2)[0], joined, together, _weights(files, chosen)
    )
    for part in files:
        for stored in (part, part.with_suffix(".npz"), records.weights_of(part)):
            stored.unlink(missing_ok=True)
    return file


def _check(files: list[Path], whole: list[dict], arrays: list[dict[str, np.ndarray]]) -> None:
    first, *others = whole
    if not others:
        raise UserError(f"{files[0].name}: nothing to join it with; expected two records or more")
    if len({file.parent.resolve() for file in files}) > 1:
        raise UserError(f"{files[0]} and {files[-1]} lie in two folders; copy all of them, with their .npz, into one")
    kept = [(_kinds(record), set(of)) for record, of in zip(whole, arrays, strict=True)]
    for file, record, kinds in zip(files, whole, kept, strict=True):
        settings = _comparable(record) | {name: first["settings"][name] for name in ("restarts", "seed")}
        for name, one, other in records.changed(_comparable(first), settings):
            raise UserError(f"{name} is {one} in {files[0].name}, and {other} in {file.name}: they are no one run")
        if kinds != kept[0]:
            raise UserError(f"{file.name} does not keep the same figures as {files[0].name}; make the older one again")
    after = first["settings"]["seed"]
    for file, record in zip(files, whole, strict=True):
        seed, restarts = (record["settings"][name] for name in ("seed", "restarts"))
        if seed != after:
            raise UserError(
                f"{file.name} has the seeds {seed} to {seed + restarts - 1}; expected them to begin with {after}"
            )
        after += restarts


def _comparable(record: dict) -> dict:
    """The settings; compiled programs only round otherwise, and `zoo.repeat` says of each part whether it had them."""
    return {name: value for name, value in record["settings"].items() if name != "compile"}


def _kinds(record: dict) -> dict:
    """What there is a figure of for every restart, and what not."""
    parts = record["tests"] | {"": record["validation"]} if "tests" in record else record["tasks"]
    return {part: {name: type(value) for name, value in of_part.items()} for part, of_part in parts.items()}


def _joined(whole: list[dict], restarts: int) -> dict:
    """All but the figures."""
    first, newest = whole[0], max(whole, key=lambda record: record["environment"]["finished"])
    compiled = [record["settings"].get("compile") for record in whole]
    alike = first["settings"] if len(set(compiled)) == 1 else _comparable(first)
    settings = alike | {"restarts": restarts}
    parts = [part for record in whole for part in records.parts_of(record)]
    trainings = {
        training: of_first
        | {
            "examples": sum(record["trainings"][training]["examples"] for record in whole),
            "seconds": round(sum(record["trainings"][training]["seconds"] for record in whole), 2),
        }
        for training, of_first in first["trainings"].items()
    }
    examples, seconds = (sum(of[name] for of in trainings.values()) for name in ("examples", "seconds"))
    return first | {
        "identity": records.identity(settings, first.get("family", "babi")),
        "overrides": _overrides(first, restarts),
        "command": " && ".join(part["command"] for part in parts),
        "settings": settings,
        **{name: newest[name] for name in ("commit", "environment")},  # the parts have theirs
        "dirty": None if None in (states := [part["dirty"] for part in parts]) else any(states),
        "resumed": any(part["resumed"] for part in parts),
        "workers": max(part["workers"] or 1 for part in parts),
        **{name: round(sum(part[name] for part in parts), 1) for name in ("train_seconds", "wall_seconds")},
        "trainings": trainings,
        "examples_per_second": round(examples / max(1e-9, seconds)),
        "parts": parts,
    }


def _overrides(record: dict, restarts: int) -> list[str]:
    """What a command would have to say to make so many restarts at once: what the label of the row is made from."""
    arguments = shlex.split(records.parts_of(record)[0]["command"])[2:]  # after python run.py
    others, arguments = (
        [said for said in of if not said.startswith(("restarts=", "seed="))] for of in (record["overrides"], arguments)
    )
    usual, _ = composed(arguments)
    now = {"restarts": restarts, "seed": record["settings"]["seed"]}
    return sorted([*others, *(f"{name}={value}" for name, value in now.items() if usual[name] != value)])


def _chosen(whole: list[dict], arrays: list[dict[str, np.ndarray]], training: str) -> tuple[int, int]:
    """The part whose restart validation selects, and the restart's place among all."""
    found, before = [], 0
    for part, record in enumerate(whole):
        if "validation" in record:
            got, errors = record["validation"], [record["validation"]["bits"]]
        else:
            learned = [of_task for of_task in record["tasks"].values() if of_task["training"] == training]
            got, errors = learned[0], [of_task["valid_errors"] for of_task in learned]
        k = got["selected"]
        loss, curve = (arrays[part][f"{training}/{name}"] for name in ("valid_loss", "valid_error"))
        # of several tasks the curve has the error over all questions, if with three digits
        error = errors[0][k] if len(errors) == 1 else curve[got["best_epochs"][k], k]
        known = loss[~np.isnan(loss[:, k]), k]  # what has been joined before may be filled up
        found.append((error, known[-1] if len(known) else np.inf, before + k, part))
        before += record["settings"]["restarts"]
    *_, selected, part = min(found)
    return part, selected


def _lists(parts: list[dict]) -> dict:
    """What there is a figure of for every restart, of all of them; all else is alike in the parts."""
    return {
        name: [figure for part in parts for figure in part[name]] if isinstance(of_first, list) else of_first
        for name, of_first in parts[0].items()
    }


def _weights(files: list[Path], chosen: dict[str, tuple[int, int]]) -> dict | None:
    """Those of the selected restarts, if all of them are here."""
    needed = {part: records.weights_of(files[part]) for part, _ in chosen.values()}
    if not all(file.exists() for file in needed.values()):
        return None
    stored = {part: torch.load(file, weights_only=True) for part, file in needed.items()}
    return {training: stored[part][training] for training, (part, _) in chosen.items()}


def _array(name: str, parts: list[np.ndarray], chosen: dict[str, tuple[int, int]]) -> np.ndarray:
    training, _, array = name.rpartition("/")
    if array in records.CURVES:  # those that end early are filled up
        epochs = max(len(part) for part in parts)
        filled = (np.pad(part, ((0, epochs - len(part)), (0, 0)), constant_values=np.nan) for part in parts)
        return np.concatenate(list(filled), axis=1)
    if array.startswith("predictions"):
        return np.concatenate(parts)
    # of the selected restart, or alike in all; a run on sequences, whose arrays have names of forms, is one training
    part, _ = chosen.get(training) or next(iter(chosen.values()))
    return parts[part]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m zoo.join", description=__doc__.partition(":")[2].strip())
    parser.add_argument("records", nargs="+", metavar="RECORD", help="a file, or the beginning of a record's name")
    parser.add_argument("--results", type=Path, default=Path("results"), help="holds runs/*.json")
    given = parser.parse_args(arguments)
    files = [records.find(name, given.results) for name in given.records]
    if len(set(files)) < len(files):
        raise UserError(f"{next(file for file in files if files.count(file) > 1).name} is named twice")
    joined = join(files)
    print(f"record: {joined}, in place of {' and '.join(file.name for file in files)}")


if __name__ == "__main__":
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    with explained(sys.argv[1:]):
        main(sys.argv[1:])
