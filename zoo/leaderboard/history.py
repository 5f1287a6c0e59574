"""Which commits that records name are in the history of the code: results/commits.csv.

git is asked when the leaderboard is written. Its answers are kept in a file, so that the page can be checked, to the
byte, at a later commit, in a shallow clone and in an archive without git.
"""

import csv
import io
import subprocess
from pathlib import Path

from zoo import records

IN, GONE, UNKNOWN = "in the history", "no longer in the history", "unknown"


def named(results_dir: Path) -> set[str]:
    """The commits that records name."""
    files = (results_dir / "runs").glob("*.json")
    return {commit for file in files for commit in records.commits_of(records.read(file))}


def read(file: Path) -> dict[str, str]:
    rows = csv.DictReader(file.read_text().splitlines()) if file.exists() else ()
    return {row["commit"]: row["state"] for row in rows}


def marks(record: dict, states: dict[str, str]) -> list[str]:
    """What a reader should mind about the code of a record."""
    gone = any(states.get(commit) == GONE for commit in records.commits_of(record))
    return ["code no longer in the history"] if gone else []


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
