"""Records on the disk: found, read and written."""

import io
import json
import re
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from tasks.errors import UserError, nearest
from tasks.files import make_folder, place_once
from zoo.records import sequences, stories, weights
from zoo.records.arrays import CURVES
from zoo.records.environment import environment
from zoo.records.identity import SCHEMA, SELECTIONS
from zoo.records.record import Part, Record, parse, sealed
from zoo.records.weights import About, Facts, Trained

MOMENT = "%Y-%m-%dT%H:%M:%SZ"
_KINDS: dict[str, Any] = {"stories": stories, "sequences": sequences}


class AlreadyMade(Exception):  # noqa: N818
    """Another process has made this very record."""


def read(file: Path) -> Record:
    """Read a record and check it; older ones are completed."""
    return parse(file)


def files(results_dir: Path) -> list[Path]:
    """List all records, oldest first; their names end with the moment when they were finished."""
    return sorted((results_dir / "runs").glob("*.json"), key=lambda file: file.stem.rpartition("-")[2])


def readable(results: Path) -> dict[Path, Record]:
    """Read all records, oldest first; one that is damaged is named and left out."""
    found = {}
    for file in files(results):
        try:
            found[file] = read(file)
        except UserError as error:
            print(f"left out: {error}", file=sys.stderr)
    return found


def find(
    name: str, results: Path, task: str | None = None, before_others: Callable[[Record], bool] = lambda record: True
) -> Path:
    """Find a record by its file, the beginning of its name or its experiment.

    Of several the newest is taken, but one of which `before_others` is true before any other, then one of official
    data, then one whose names were not exchanged, then one that was not trained once more with the questions of
    validation; and with `task` only those that have it.
    """
    if Path(name).suffix == ".json" and Path(name).exists():
        return Path(name)
    runs = readable(results)
    # memn2n is not memn2n_mine, if there are both
    whole = [file for file, record in runs.items() if file.stem.startswith(f"{name}-") or record.experiment == name]
    fitting = whole or [file for file in runs if file.stem.startswith(name)]
    if not fitting:
        for file in files(results):
            if file.stem.startswith(name):
                read(file)  # it is damaged, and says so
        known = sorted({file.stem.partition("-")[0] for file in runs})
        experiments = sorted({record.experiment for record in runs.values() if record.experiment})
        raise UserError(
            f"{name}: no record in {results}/runs begins so, or is of this experiment"
            f"{nearest(name, [*known, *experiments])} ({', '.join(known)})"
        )
    with_task = [file for file in fitting if task in runs[file].tasks] or fitting
    return max(enumerate(with_task), key=lambda one: (before_others(runs[one[1]]), *_plain(runs[one[1]]), one[0]))[1]


def _plain(record: Record) -> tuple[bool, bool, bool]:
    return record.source == "official", not record.renamed, not record.refit


def find_identity(results_dir: Path, title: str, identity: str) -> list[Path]:
    """Find records of a run, or of a joined record that contains it, oldest first; several after `rerun=true`."""

    found = []
    for file in files(results_dir):
        if file.stem.rsplit("-", 2)[0] != title:
            continue
        try:
            record = read(file)
        except UserError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        if identity in (record.identity, *(part.identity for part in record.parts)):
            found.append(file)
    return found


def write(
    results_dir: Path,
    title: str,
    kind: str,
    run: dict,
    trainings: dict[str, dict],
    licence: str = "",
    **placing: Any,
) -> Path:
    """Write the record of a run and the arrays beside it, and return the record's path.

    Args:
        results_dir: the record goes into its folder `runs`.
        title: first part of the file name, for people.
        kind: of the data, "stories" or "sequences".
        run: what the runner knows: identity, settings, labels, times.
        trainings: figures of every training, as `zoo.training.train.train` returns them.
        licence: of the data.
        placing: `stage` and `check`, see `store`.
    """
    tables = {
        f"{training}/{part}": got["curves"][part].numpy().astype(np.float16)
        for training, got in trainings.items()
        for part in CURVES
    }
    record = {"schema": SCHEMA, "selection": SELECTIONS[kind]} | run | _KINDS[kind].figures_of(trainings, tables)
    record["trainings"] = {
        training: {name: got[name] for name in ("parameters", "state_size", "examples", "kernels")}
        | {"seconds": round(got["seconds"], 2)}
        for training, got in trainings.items()
    }
    record["examples_per_second"] = round(
        sum(got["examples"] for got in trainings.values())
        / max(1e-9, sum(got["seconds"] for got in trainings.values()))
    )
    record["environment"] = environment() | run.get("environment", {})
    networks = {training: _trained(record, kind, training, got) for training, got in trainings.items()}
    return store(results_dir, title, record, tables, networks, licence, **placing)


def _trained(record: dict, kind: str, training: str, got: dict) -> Trained:
    """Collect what belongs to the selected network of a training."""
    learned = got.get("learned")
    facts = Facts(
        sizes=list(got["sizes"]),
        words=got.get("words_of_sentences", []),
        unlearned=[] if learned is None else (~learned).nonzero()[:, 0].tolist(),
        **_KINDS[kind].errors_of(record, training),
    )
    number = np.float16 if got["half"] else np.float32
    return Trained(
        facts,
        {name: of.numpy().astype(number) for name, of in got["weights"].items()},
        {name: of.numpy() for name, of in got.get("candidates", {}).items()},
    )


def store(
    results_dir: Path,
    title: str,
    record: dict,
    tables: dict[str, np.ndarray],
    networks: dict[str, Trained] | None,
    licence: str,
    stage: Path | None = None,
    check: Callable[[], None] = lambda: None,
) -> Path:
    """Write a record, its arrays and, where they are at hand, the weights of the selected restarts.

    Args:
        results_dir: the record goes into its folder `runs`.
        title: first part of the file name.
        record: without its checksums.
        tables: its arrays.
        networks: by training.
        licence: of the data.
        stage: a folder that all processes share that may write this very record. They agree there on its name, and
            once the folder is gone nothing is written: so there is one record, whoever is paused or killed.
        check: is called before the record is put in its place, and may raise; if it raises `AlreadyMade`, what was
            written is removed.
    """
    runs = results_dir / "runs"
    make_folder(runs)
    if stage is None:
        remove_unrecorded(results_dir, f"{title}-{record['identity']}")
        stage = runs
    moment = _free_moment(runs, title, record)
    if stage != runs:
        place_once(stage / "moment", lambda stream: stream.write(moment.encode()), stage)
        moment = (stage / "moment").read_text()
    file = runs / f"{title}-{record['identity']}-{re.sub(r'[^0-9]', '', moment)}.json"
    arrays = file.with_suffix(".npz")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **tables)  # type: ignore[arg-type]  # to the stubs, a table may be `allow_pickle`
    # the record last: one that can be seen is complete
    if networks is not None:
        about = about_of(file, title, record, networks, licence)
        weights.save(weights_of(file), about, networks, lambda place, write: place_once(place, write, stage))
    place_once(arrays, lambda stream: stream.write(buffer.getbuffer()), stage)
    try:
        check()
    except AlreadyMade:
        if not file.exists():
            arrays.unlink(missing_ok=True)
            weights_of(file).unlink(missing_ok=True)
        raise
    record = sealed(record | {"environment": record["environment"] | {"finished": moment}}, arrays.read_bytes())
    place_once(file, lambda stream: stream.write(dump(record).encode()), stage)
    return file


def about_of(file: Path, title: str, record: dict, networks: dict[str, Trained], licence: str) -> About:
    """Collect the metadata of a record's weights.

    Args:
        file: the record.
        title: first part of its name.
        record: as it is written.
        networks: of its trainings, or of some.
        licence: of the data.
    """
    model, protocol = record["model"], record["settings"]["protocol"]
    return About(
        format=1,
        record=file.stem,
        label=title.removeprefix(f"{model}-").removesuffix(f"-{protocol}"),
        protocol=protocol,
        licence=licence,
        trainings={name: of.facts for name, of in networks.items()},
        **{name: record[name] for name in ("model", "experiment", "family", "source", "supervision", "settings")},
    )


def _free_moment(runs: Path, title: str, record: dict) -> str:
    """Find the moment when a record was finished, or the first second after it whose name is free."""
    finished = datetime.strptime(record["environment"]["finished"], MOMENT)
    while (runs / f"{title}-{record['identity']}-{finished:%Y%m%d%H%M%S}.json").exists():
        finished += timedelta(seconds=1)
    return finished.strftime(MOMENT)


def remove_unrecorded(results_dir: Path, beginning: str) -> None:
    """Remove arrays and weights without a record: a run was killed while it wrote them.

    Args:
        results_dir: holds them.
        beginning: of their names: title and identity of the run.
    """
    for folder, suffix in (("runs", ".npz"), ("weights", ".safetensors")):
        for left in (results_dir / folder).glob(f"{beginning}-*{suffix}"):
            if not (results_dir / "runs" / f"{left.stem}.json").exists():
                left.unlink()


def file_of(record: Record, part: Part) -> Path:
    """Name the record that one of the runs of a joined record had before it was joined."""
    moment = re.sub(r"\D", "", part.environment.finished)
    return record.file.with_name(f"{record.title}-{part.identity}-{moment}.json")


def weights_of(file: Path) -> Path:
    """Name the file with the weights of the selected restarts, which lies on the machine that made a record."""
    return file.parent.parent / "weights" / f"{file.stem}.safetensors"


def dump(record: dict) -> str:
    """Format JSON for people: one key per line, lists of numbers on one line."""
    return _dump(record, "") + "\n"


def _dump(value: object, indent: str) -> str:
    if not isinstance(value, dict) or not value:
        return json.dumps(value)
    rows = (f"{indent}  {json.dumps(key)}: {_dump(entry, indent + '  ')}" for key, entry in value.items())
    return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
