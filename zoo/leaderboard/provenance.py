"""Marks on records that today's code would not make again: results/commits.csv, and the settings of their commands.

git is asked when the leaderboard is written. Its answers are kept in a file, so that the page can be checked, to the
byte, at a later commit, in a shallow clone and in an archive without git.
"""

import contextlib
import csv
import functools
import hashlib
import io
import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import cast

from omegaconf import OmegaConf

from tasks.files import write_atomically
from zoo import paths, records, sheets
from zoo.records import Part, Record
from zoo.runs.compose import arguments_of, compose_config

REPEATED = ("to the bit", "within 2 points", "no")  # how a cell that was made again agrees
IN, GONE, UNKNOWN = "in the history", "no longer in the history", "unknown"


def named(found: Iterable[Record]) -> set[str]:
    """Collect the commits that records name."""
    return {commit for record in found for commit in record.commits}


def read(file: Path) -> dict[str, str]:
    rows = sheets.read(file, ("commit", "state"), words={"state": (IN, GONE, UNKNOWN)})
    return {row["commit"]: row["state"] for row in rows}


def marks(record: Record, states: dict[str, str]) -> list[str]:
    """List what a reader should mind about the code of a record, and about the command that makes it again."""
    gone = any(states.get(commit) == GONE for commit in record.commits)
    changed = dict.fromkeys(name for part in record.parts for name in _changed(record.settings, part))
    return [
        *(["code no longer in the history"] if gone else []),
        *([f"settings changed since: {', '.join(changed)}"] if changed else []),
    ]


def _changed(then: dict, part: Part) -> list[str]:
    """List the settings that the command of a run has now and did not have then; no data are looked at."""
    now = _settings(part.command)
    if now is None:
        return ["its command is no longer known"]
    # auto finds a source, and generated data have options that official ones have not
    task = {name: value for name, value in then["task"].items() if name in now["task"] and name != "source"}
    were = {name: then[name] for name in now if name in then} | {"restarts": part.restarts, "seed": part.seed}
    are = now | {"task": {name: now["task"][name] for name in task}}
    return [name for name, _, _ in records.changed(were | {"task": task}, are)]


@functools.cache  # the page and the report both ask
def _settings(command: str) -> dict | None:
    """Compose a command, as records keep settings; None if the configuration no longer knows it.

    Composing takes a tenth of a second, so what came out is kept in the cache folder, for this configuration.
    """
    file = (
        paths.cache_dir() / "settings" / f"{hashlib.sha256(_configuration() + command.encode()).hexdigest()[:32]}.json"
    )
    with contextlib.suppress(OSError, ValueError):
        known: dict | None = json.loads(file.read_text())
        return known
    settings = _composed(command)
    with contextlib.suppress(OSError):  # a cache that cannot be written is no fault
        write_atomically(file, lambda stream: stream.write(json.dumps(settings).encode()))
    return settings


def _composed(command: str) -> dict | None:
    try:
        config = cast(dict, OmegaConf.to_container(compose_config(arguments_of(command))[0], resolve=True))
    except Exception:  # somebody else's words may break the composer in any way
        return None
    if isinstance(ids := config["task"].get("ids"), list):
        config["task"]["ids"] = sorted(ids, key=repr) if any(type(one) is not int for one in ids) else sorted(ids)
    settings = {name: config[name] for name in ("model", "task", "restarts", "seed")}
    return records.without_neutral(settings | {"max_epochs": config["trainer"]["max_epochs"]})


@functools.cache
def _configuration() -> bytes:
    """Digest every file of the configuration."""
    digest = hashlib.sha256()
    for folder in paths.conf_folders():
        for file in sorted(folder.rglob("*.yaml")):
            digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.digest()


def as_csv(states: dict[str, str]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerows([("commit", "state"), *sorted(states.items())])
    return stream.getvalue()


def ask(commit: str, root: Path) -> str:
    """Ask git whether a commit led to the code that is checked out; only a whole history can deny it."""

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
    """Ask git about each commit; where it cannot tell, keep its earlier answer."""
    states = {commit: ask(commit, root) for commit in commits}
    return {commit: earlier.get(commit, UNKNOWN) if state == UNKNOWN else state for commit, state in states.items()}


def read_verified(results_dir: Path) -> dict[str, dict[str, str]]:
    """Read what `zoo verify` has verified, by the names of records."""
    columns = ("record", "verified", "repeated", "repeated_on")
    rows = sheets.read(results_dir / "verified.csv", columns, words={"repeated": ("", *REPEATED)})
    return {row["record"]: row for row in rows}
