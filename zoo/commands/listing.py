"""Names in conf/, chosen by a pattern."""

from fnmatch import fnmatch
from pathlib import Path

from tasks.errors import UserError, nearest


def matching(pattern: str | None, names: list[str], what: str) -> list[str]:
    """Choose the names that match a pattern such as memn2n*, or contain it."""
    if pattern is None:
        return names
    found = [name for name in names if fnmatch(name, pattern)] or [name for name in names if pattern in name]
    if not found:
        raise UserError(f"no {what} matches '{pattern}'{nearest(pattern, names)} ({', '.join(names)})")
    return found


def headline(file: Path) -> str:
    """Read the comment that begins a file of the configuration."""
    comments = [line.lstrip("# ") for line in file.read_text().splitlines() if line.startswith("#")]
    return next((comment for comment in comments if not comment.startswith("@package")), "")
