"""zoo join RECORD RECORD … [results_dir=results]

Make one record of runs that differ in their seeds only. So restarts can be added to a run, or be made on several
machines: a run with restarts=3 and one with seed=3 restarts=7 are ten restarts together. RECORD is a file in
results/runs, or the beginning of its name; of several records the newest is taken.

Validation selects among all restarts, as in one run. The new record holds the command of every part, by which zoo
repeat makes it again. It takes the place of the parts, whose files are removed.
"""

from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path

import numpy as np

from tasks.errors import UserError
from tasks.files import remove_left
from zoo import records
from zoo.commands import Given, Grammar
from zoo.records import Record, weights
from zoo.records.weights import Trained
from zoo.runs.compose import arguments_of, compose_config

ROUNDING = ("compile", "kernels")  # settings that only round otherwise; every part says what it had
GRAMMAR = Grammar(names=("results_dir",), several=True)


def main(given: Given) -> None:
    if not given.bare:
        raise UserError("expected two records or more; zoo join --help shows the arguments")
    for joined in _finish_earlier(given.results_dir, given.bare):
        print(f"record: {joined}, which holds all of them")
        return
    files = [records.find(name, given.results_dir) for name in given.bare]
    if len(set(files)) < len(files):
        raise UserError(f"{next(file for file in files if files.count(file) > 1).name} is named twice")
    joined = join(files)
    print(f"record: {joined}, in place of {' and '.join(file.name for file in files)}")


def _finish_earlier(results: Path, names: list[str]) -> list[Path]:
    """Remove parts that an interrupted join has left beside its record, and find the record that holds all `names`."""
    found = []
    for folder in ("runs", "weights"):
        remove_left(results / folder)
    for file, record in records.readable(results).items():
        if len(record.parts) > 1:
            parts = [records.file_of(record, part) for part in record.parts]
            _remove(held for held, place in zip(parts, _places(record), strict=True) if _holds(record, held, place))
            if all(any(part.stem.startswith(Path(name).stem) for part in parts) for name in names):
                found.append(file)
    return found


def _places(record: Record) -> list[int]:
    """Count the restarts before each part of a record."""
    return [0, *accumulate(part.restarts for part in record.parts[:-1])]


def _holds(whole: Record, file: Path, before: int) -> bool:
    """Tell whether a record is a part of another, figure by figure; the other may have been written by anybody."""
    if not file.exists():
        return True  # its arrays or weights may be left
    try:
        part = records.read(file)
    except UserError:
        return False
    of_whole, of_part = (records.KINDS[record.kind].parts_of(record) for record in (whole, part))
    return part.parts[0] in whole.parts and all(
        name in of_whole
        and all(
            value == getattr(of_whole[name], figure)[before : before + part.restarts]
            for figure, value in figures.model_dump().items()
            if isinstance(value, list)
        )
        for name, figures in of_part.items()
    )


def _remove(parts: Iterable[Path]) -> None:
    """Remove records that another one holds, with all that lies beside them."""
    for part in parts:
        for stored in (part, part.with_suffix(".npz"), records.weights_of(part)):
            stored.unlink(missing_ok=True)


def join(files: list[Path]) -> Path:
    """Write one record of several, remove theirs, and return its path."""
    whole = sorted((records.read(file) for file in files), key=lambda record: record.settings["seed"])
    files = [record.file for record in whole]
    arrays = [records.arrays(record) for record in whole]
    _check(whole, arrays)
    kind = records.KINDS[whole[0].kind]
    chosen = {training: _chosen(whole, arrays, training) for training in whole[0].trainings}
    figures = kind.join(whole, {training: selected for training, (_, selected) in chosen.items()})
    together = {name: _array(name, [of[name] for of in arrays], chosen) for name in arrays[0]}
    joined = _joined(whole) | figures
    networks, licence = _networks(files, chosen)
    file = records.store(files[0].parent.parent, whole[0].title, joined, together, networks, licence)
    _remove(files)
    return file


def _check(whole: list[Record], arrays: list[dict[str, np.ndarray]]) -> None:
    """Refuse records that are no parts of one run."""
    first, *others = whole
    if not others:
        raise UserError(f"{first.file.name}: nothing to join it with; expected two records or more")
    if len({record.file.parent.resolve() for record in whole}) > 1:
        raise UserError(f"{first.file} and {whole[-1].file} lie in two folders; copy all of them, with .npz, into one")
    kept = [(_fields(record), set(of)) for record, of in zip(whole, arrays, strict=True)]
    for record, fields in zip(whole, kept, strict=True):
        settings = _comparable(record) | {name: first.settings[name] for name in ("restarts", "seed")}
        for name, one, other in records.changed(_comparable(first), settings):
            raise UserError(
                f"{name} is {one} in {first.file.name}, and {other} in {record.file.name}: they are no one run"
            )
        if fields != kept[0]:
            raise UserError(
                f"{record.file.name} does not keep the same figures as {first.file.name}; make the older one again"
            )
    after = first.settings["seed"]
    for record in whole:
        seed = record.settings["seed"]
        if seed != after:
            raise UserError(
                f"{record.file.name} has the seeds {seed} to {seed + record.restarts - 1}; expected them to begin with "
                f"{after}"
            )
        after += record.restarts


def _comparable(record: Record) -> dict:
    """Drop settings that only round otherwise: every part says whether it had compiled programs or kernels."""
    return {name: value for name, value in record.settings.items() if name not in ROUNDING}


def _fields(record: Record) -> dict:
    """The type of every recorded figure, to check that two records keep the same ones."""
    parts = records.KINDS[record.kind].parts_of(record)
    return {
        part: {name: type(value) for name, value in of_part.model_dump(exclude_unset=True).items()}
        for part, of_part in parts.items()
    }


def _joined(whole: list[Record]) -> dict:
    """Collect everything but the figures."""
    first, newest = whole[0], max(whole, key=lambda record: record.environment.finished)
    raw = first.model_dump(by_alias=True, exclude_unset=True)
    rounding = {tuple(record.settings.get(name) for name in ROUNDING) for record in whole}
    alike = first.settings if len(rounding) == 1 else _comparable(first)
    settings = alike | {"restarts": sum(record.restarts for record in whole)}
    parts = [part for record in whole for part in record.parts]
    trainings = {
        name: raw["trainings"][name]
        | {
            "examples": sum(record.trainings[name].examples for record in whole),
            "seconds": round(sum(record.trainings[name].seconds for record in whole), 2),
        }
        for name in first.trainings
    }
    examples, seconds = (sum(of[name] for of in trainings.values()) for name in ("examples", "seconds"))
    return raw | {
        "identity": records.identity_of(settings, first.kind),
        "overrides": _overrides(first, settings["restarts"]),
        "command": " && ".join(part.command for part in parts),
        "settings": settings,
        "commit": newest.commit,
        "environment": newest.environment.model_dump(),  # every part has its own
        "dirty": None if None in (states := [part.dirty for part in parts]) else any(states),
        "resumed": any(part.resumed for part in parts),
        "workers": max(part.workers for part in parts),
        "train_seconds": round(sum(part.train_seconds for part in parts), 1),
        "wall_seconds": round(sum(part.wall_seconds for part in parts), 1),
        "trainings": trainings,
        "examples_per_second": round(examples / max(1e-9, seconds)),
        "parts": [part.model_dump(exclude_unset=True) for part in parts],
    }


def _overrides(record: Record, restarts: int) -> list[str]:
    """List the overrides that make so many restarts at once; the label of the row is made from them."""
    arguments = arguments_of(record.parts[0].command)
    others, arguments = (
        [said for said in of if not said.startswith(("restarts=", "seed="))] for of in (record.overrides, arguments)
    )
    usual, _ = compose_config(arguments)
    now = {"restarts": restarts, "seed": record.settings["seed"]}
    return sorted([*others, *(f"{name}={value}" for name, value in now.items() if usual[name] != value)])


def _chosen(whole: list[Record], arrays: list[dict[str, np.ndarray]], training: str) -> tuple[int, int]:
    """Select as validation does: the part of the selected restart, and the restart's place among all."""
    found, before = [], 0
    for part, record in enumerate(whole):
        loss, curve = (arrays[part][f"{training}/{name}"] for name in ("valid_loss", "valid_error"))
        k, _, error = records.KINDS[record.kind].validation_of(record, training, curve)
        known = loss[~np.isnan(loss[:, k]), k]  # curves that were joined before may be filled up
        found.append((error, known[-1] if len(known) else np.inf, before + k, part))
        before += record.restarts
    *_, selected, part = min(found)
    return part, selected


def _networks(files: list[Path], chosen: dict[str, tuple[int, int]]) -> tuple[dict[str, Trained] | None, str]:
    """Collect the networks of the selected restarts, with the licence of their data; None if some are not here."""
    needed = {part: records.weights_of(files[part]) for part, _ in chosen.values()}
    if not all(file.exists() for file in needed.values()):
        return None, ""
    stored = {part: weights.load(file) for part, file in needed.items()}
    about, _ = next(iter(stored.values()))
    return {training: stored[part][1][training] for training, (part, _) in chosen.items()}, about.licence


def _array(name: str, parts: list[np.ndarray], chosen: dict[str, tuple[int, int]]) -> np.ndarray:
    """Join an array of every part."""
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
