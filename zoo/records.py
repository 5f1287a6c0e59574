"""What a run leaves behind: a record (JSON) and, beside it, its curves, test predictions and examples (npz)."""

import hashlib
import json
import os
import platform
import re
import resource
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch

from tasks.corpus import Data
from tasks.errors import UserError, nearest
from tasks.files import write_atomically

ROOT = Path(__file__).parent.parent
SCHEMA = 1
SELECTION = (
    "of each restart the epoch of lowest validation error, of equals the last; of the restarts the one of lowest "
    "validation error, of equals that of lowest validation loss in the last epoch; test read once, at the end"
)
SEQUENCE_SELECTION = (
    "of each restart the epoch of fewest bits on validation sequences, of equals the last; of the restarts the one of "
    "fewest bits; test sequences read once, at the end"
)
CURVES = ("train_loss", "valid_loss", "valid_error")  # (E, R), for every training
OF_A_PART = (  # of a record that others are joined to
    "identity", "command", "commit", "dirty", "resumed", "workers", "train_seconds", "wall_seconds", "trainings",
    "environment",
)  # fmt: skip
PACKAGES = ("memory-zoo", "torch", "pytorch-lightning", "hydra-core", "numpy")


def settings_of(config: dict, experiment: str | None, data: Data, programs: list[list[str]]) -> dict:
    """All that decides the figures of a run and its row; no folder, no logger, no number of processes.

    Args:
        config: the resolved configuration.
        experiment: its name, if there is one.
        data: what is learned.
        programs: the trainings of each.
    """
    without = ["source", "download", "protocol"]
    if data.source in ("official", "partial") and not data.filled:  # then nothing was generated
        without += ["generator", "fill_missing"]
    task = {key: value for key, value in config["task"].items() if key not in without}
    compiled = config["trainer"]["compile"]
    together = [sorted(names, key=int) for names in programs if len(names) > 1]  # they have one size
    if "ids" in task:
        task["ids"] = sorted(task["ids"])
    return {
        "experiment": experiment,
        "model": config["model"],
        "task": task | {"source": data.source},
        "protocol": config["protocol"],
        "restarts": config["restarts"],
        "seed": config["seed"],
        "max_epochs": config["trainer"]["max_epochs"],
        "accelerator": config["trainer"]["accelerator"],
        **({} if compiled == "auto" else {"compile": compiled}),  # it rounds otherwise
        **({"together": sorted(together)} if together else {}),
        "data_sha256": data.fingerprint,
    }


def selection_of(family: str) -> str:
    return SEQUENCE_SELECTION if family == "algorithmic" else SELECTION


def identity(settings: dict, family: str) -> str:
    """Ten hexadecimal digits that two runs share only if they are to give the same figures for the same row."""
    text = json.dumps({"schema": SCHEMA, "selection": selection_of(family)} | settings, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def oldest_first(results_dir: Path) -> list[Path]:
    """All records; their names end with the moment when they were finished."""
    return sorted((results_dir / "runs").glob("*.json"), key=lambda file: file.stem.rpartition("-")[2])


def find(name: str, results: Path, task: str | None = None) -> Path:
    """A record by its file, or the newest whose name begins so, or that is of an experiment of that name.

    Where a task is asked for, of those that have it; and one of official data before any other.
    """
    if Path(name).suffix == ".json" and Path(name).exists():
        return Path(name)
    runs = {file: read(file) for file in oldest_first(results)}
    # memn2n is not memn2n_mine, if there are both
    whole = [file for file in runs if file.stem.startswith(f"{name}-") or runs[file]["experiment"] == name]
    fitting = whole or [file for file in runs if file.stem.startswith(name)]
    if not fitting:
        known = sorted({file.stem.partition("-")[0] for file in runs})
        experiments = sorted({record["experiment"] for record in runs.values() if record["experiment"]})
        raise UserError(
            f"{name}: no record in {results}/runs begins so, or is of this experiment"
            f"{nearest(name, [*known, *experiments])} ({', '.join(known)})"
        )
    with_task = [file for file in fitting if task in runs[file].get("tasks", ())] or fitting
    return ([file for file in with_task if runs[file]["source"] == "official"] or with_task)[-1]


def files_of(results_dir: Path, name: str, run_identity: str) -> list[Path]:
    """The records of this very run, or those it is a part of, the oldest first; several where it was made again."""

    def holds_it(file: Path) -> bool:
        return file.stem.startswith(f"{name}-{run_identity}-") or any(
            part["identity"] == run_identity for part in read(file).get("parts", ())
        )

    return [file for file in oldest_first(results_dir) if file.stem.rsplit("-", 2)[0] == name and holds_it(file)]


def parts_of(record: dict) -> list[dict]:
    """The runs that a record was joined from, as `zoo.join` keeps them; most are of one run."""
    if "parts" in record:
        return record["parts"]
    of_settings = {name: record["settings"][name] for name in ("restarts", "seed")}
    return [of_settings | {name: record.get(name) for name in OF_A_PART}]


def commits_of(record: dict) -> list[str]:
    """Those of the code that made it, as far as they are known."""
    return [part["commit"] for part in record.get("parts", [record]) if part["commit"]]


def changed(then: dict, now: dict, above: str = "") -> list[tuple[str, object, object]]:
    """The settings that differ, with their full names."""
    found = []
    for name in dict.fromkeys((*then, *now)):
        before, after = then.get(name), now.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            found += changed(before, after, f"{above}{name}.")
        elif before != after:
            found.append((above + name, before, after))
    return found


def arrays(file: Path) -> np.lib.npyio.NpzFile:
    """What lies beside a record."""
    stored = file.with_suffix(".npz")
    if not stored.exists():
        raise UserError(f"{stored}: missing beside its record; restore it with git, or make the run again")
    try:
        return np.load(stored)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{stored} is damaged ({error}); restore it with git, or make the run again") from None


def read(file: Path) -> dict:
    try:
        record = json.loads(file.read_text())
        if record["schema"] != SCHEMA:
            raise UserError(f"{file}: schema {record['schema']}, expected {SCHEMA}; it was written by another version")
        for part in ("identity", "settings", "trainings", "environment", "commit"):
            record[part]
    except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise UserError(f"{file} is not a record of a run ({error!r}); remove it or restore it with git") from None
    return record


def write(results_dir: Path, name: str, run: dict, figures: dict[str, dict]) -> Path:
    """Writes a run's record and the arrays beside it, and returns the record's path.

    Args:
        results_dir: the record goes into its folder `runs`.
        name: first part of the file name, for people.
        run: what the runner knows: identity, settings, labels, times.
        figures: of every training, as `zoo.training.train.train` returns them.
    """
    arrays = {
        f"{training}/{part}": got["curves"][part].numpy().astype(np.float16)
        for training, got in figures.items()
        for part in CURVES
    }
    add = _sequences if run["family"] == "algorithmic" else _stories
    record = {"schema": SCHEMA, "selection": selection_of(run["family"])} | run | add(figures, arrays)
    record["trainings"] = {
        training: {name: got[name] for name in ("parameters", "state_size", "examples", "compiled")}
        | {"seconds": round(got["seconds"], 2)}
        for training, got in figures.items()
    }
    record["examples_per_second"] = round(
        sum(got["examples"] for got in figures.values()) / max(1e-9, sum(got["seconds"] for got in figures.values()))
    )
    record["environment"] = environment()
    # what `zoo.explain` asks; of most runs too large to be committed, and made again from the record
    kept = {
        training: {name: got[name] for name in ("weights", "words", "learned", "sizes") if name in got}
        for training, got in figures.items()
    }
    return store(results_dir, name, record, arrays, kept)


def store(results_dir: Path, name: str, record: dict, arrays: dict[str, np.ndarray], weights: dict | None) -> Path:
    """Writes a record, the arrays beside it and, where they are at hand, the weights of the selected restarts."""
    moment = re.sub(r"\D", "", record["environment"]["finished"])  # so two machines never write the same file
    file = results_dir / "runs" / f"{name}-{record['identity']}-{moment}.json"
    # the record last: one that can be seen is complete
    if weights is not None:
        write_atomically(weights_of(file), lambda stream: torch.save(weights, stream))
    write_atomically(file.with_suffix(".npz"), lambda stream: np.savez_compressed(stream, **arrays))
    write_atomically(file, lambda stream: stream.write(dump(record).encode()))
    return file


def weights_of(file: Path) -> Path:
    """Where the weights of the selected restarts of a record lie, on the machine that made it."""
    return file.parent.parent / "weights" / f"{file.stem}.pt"


def _stories(figures: dict[str, dict], arrays: dict[str, np.ndarray]) -> dict:
    """Errors task by task; the predictions that they follow from go to `arrays`."""
    tasks = {}
    for training, got in figures.items():
        for part, predicted in got["predictions"].items():
            arrays[f"{training}/predictions" + ("" if part == "test" else f"_{part}")] = predicted.numpy()
        arrays[f"{training}/words"] = np.array(got["words"])
        for part, of_question in got["questions"].items():
            arrays[f"{training}/{part}"] = of_question.numpy()
        arrays[f"{training}/looks"] = np.array(json.dumps(got["looks"]))
        for task in got["errors"]["test"]:
            tasks[str(task)] = {
                **{f"{part}_errors": _rounded(errors[task]) for part, errors in got["errors"].items()},
                **{f"{part}_dialog_errors": _rounded(errors[task]) for part, errors in got["dialog_errors"].items()},
                "facts_found": None if got["facts_found"][task] is None else _rounded(got["facts_found"][task]),
                "selected": got["selected"],
                "best_epochs": got["best_epoch"].tolist(),
                "training": training,
            }
    return {"tasks": {task: tasks[task] for task in sorted(tasks, key=int)}}


def _sequences(figures: dict[str, dict], arrays: dict[str, np.ndarray]) -> dict:
    """Bits form by form; what the heads did with one sequence of each form goes to `arrays`, as `FORM/reading`."""
    (got,) = figures.values()
    for form, tape in got["tapes"].items():
        arrays |= {f"{form}/{name}": table.numpy() for name, table in tape.items()}
    return {
        "validation": {name: _rounded(of_all) for name, of_all in got["valid"].items()}
        | {"selected": got["selected"], "best_epochs": got["best_epoch"].tolist()},
        "tests": {
            form: {name: _rounded(of_all) for name, of_all in costs.items()} | {"optimal_bits": got["optimal"][form]}
            for form, costs in got["test"].items()
        },
    }


def dump(record: dict) -> str:
    """JSON for people: a key a line, lists of numbers on one line."""
    return _dump(record, "") + "\n"


def _dump(value: object, indent: str) -> str:
    if not isinstance(value, dict) or not value:
        return json.dumps(value)
    rows = (f"{indent}  {json.dumps(key)}: {_dump(entry, indent + '  ')}" for key, entry in value.items())
    return "{\n" + ",\n".join(rows) + f"\n{indent}}}"


def _rounded(errors: torch.Tensor) -> list[float]:
    return [round(float(error), 4) for error in errors]


def environment() -> dict:
    """On what a run was made; no host, user or path."""
    usage = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "finished": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "peak_memory_mb": round(usage / (2**20 if sys.platform == "darwin" else 2**10)),
        "processor": _processor(),
        "cores": cores(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": f"{platform.system()} {platform.machine()}",
        "versions": _versions(),
    }


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def _versions() -> dict[str, str | None]:
    return {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def fingerprint() -> str:
    """Of all code that a run may use, ours, committed or not, and others'; no documents, settings or results."""
    found = hashlib.sha256(json.dumps(_versions()).encode())
    for file in sorted(file for folder in ("zoo", "tasks") for file in (ROOT / folder).rglob("*.py")):
        found.update(f"{file.relative_to(ROOT).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    return found.hexdigest()


def commit(results_dir: Path) -> dict:
    """The commit of the code and whether the tree differed from it; results and the README do not count."""
    home = results_dir.resolve()
    results = ["results"] + ([home.relative_to(ROOT).as_posix()] if ROOT in home.parents else [])

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(("git", *words), cwd=ROOT, capture_output=True, text=True, timeout=20, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    head = git("rev-parse", "HEAD")
    changed = git("status", "--porcelain", "--", ".", ":!README.md", *(f":!{folder}" for folder in results))
    return {"commit": head, "dirty": None if changed is None else bool(changed)}
