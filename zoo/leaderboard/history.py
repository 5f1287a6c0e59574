"""Whether records can still be made by the code as it is: results/commits.csv, and the settings of their commands.

git is asked when the leaderboard is written. Its answers are kept in a file, so that the page can be checked, to the
byte, at a later commit, in a shallow clone and in an archive without git.
"""

import csv
import functools
import io
import shlex
import subprocess
from pathlib import Path

from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from zoo import records
from zoo.command import composed

IN, GONE, UNKNOWN = "in the history", "no longer in the history", "unknown"


def named(results_dir: Path) -> set[str]:
    """The commits that records name."""
    files = (results_dir / "runs").glob("*.json")
    return {commit for file in files for commit in records.commits_of(records.read(file))}


def read(file: Path) -> dict[str, str]:
    rows = csv.DictReader(file.read_text().splitlines()) if file.exists() else ()
    return {row["commit"]: row["state"] for row in rows}


def marks(record: dict, states: dict[str, str]) -> list[str]:
    """What a reader should mind about the code of a record, and about the command that is to make it again."""
    gone = any(states.get(commit) == GONE for commit in records.commits_of(record))
    parts = records.parts_of(record)
    changed = dict.fromkeys(name for part in parts if part["command"] for name in _changed(record["settings"], part))
    return [
        *(["code no longer in the history"] if gone else []),
        *([f"settings changed since: {', '.join(changed)}"] if changed else []),
    ]


def _changed(then: dict, part: dict) -> list[str]:
    """The settings that the command of a run has now and did not have then; no data are looked at."""
    now = _settings(part["command"])
    if now is None:
        return ["its command is no longer known"]
    # auto finds a source, and generated data have options that official ones have not
    task = {name: value for name, value in then["task"].items() if name in now["task"] and name != "source"}
    were = {name: then[name] for name in now if name in then} | {name: part[name] for name in ("restarts", "seed")}
    are = now | {"task": {name: now["task"][name] for name in task}}
    return [name for name, _, _ in records.changed(were | {"task": task}, are)]


@functools.cache  # the page and the report both ask
def _settings(command: str) -> dict | None:
    """What a command sets, as records keep it; None where the configuration knows it no longer."""
    try:
        config = OmegaConf.to_container(composed(shlex.split(command)[2:])[0], resolve=True)  # after python run.py
    except (HydraException, OmegaConfBaseException):
        return None
    if "ids" in config["task"]:
        config["task"]["ids"].sort()
    return {name: config[name] for name in ("model", "task", "restarts", "seed")} | {
        "max_epochs": config["trainer"]["max_epochs"]
    }


def as_csv(states: dict[str, str]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerows([("commit", "state"), *sorted(states.items())])
    return stream.getvalue()


def ask(commit: str, root: Path) -> str:
    """Whether the code of a commit led to the code that is checked out; git must know the whole history to deny it."""

    def git(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run(("git", *words), cwd=root, capture_output=True, text=True, timeout=20)

    try:
        if git("merge-base", "--is-ancestor", commit, "HEAD").returncode == 0:
            return IN
        whole = git("rev-parse", "--is-shallow-repository").stdout.strip() == "false"
    except (OSError, subprocess.SubprocessError):
        return UNKNOWN
    return GONE if whole else UNKNOWN


def asked(commits: set[str], earlier: dict[str, str], root: Path) -> dict[str, str]:
    """What git says of each commit now, or what it said earlier if it cannot tell."""
    states = {commit: ask(commit, root) for commit in commits}
    return {commit: earlier.get(commit, UNKNOWN) if state == UNKNOWN else state for commit, state in states.items()}
