"""Every file that is made from records: written, or checked to be up to date."""

import sys
from operator import methodcaller
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tasks.errors import UserError, printable
from tasks.files import write_atomically
from zoo.families import FAMILIES, babi, family_of
from zoo.leaderboard import findings, provenance
from zoo.leaderboard.markdown import as_markdown, as_short_markdown, between_markers
from zoo.leaderboard.page import as_html
from zoo.leaderboard.report import as_report
from zoo.leaderboard.table_csv import as_csv
from zoo.paths import IS_CHECKOUT, ROOT
from zoo.records import Record, arrays, read
from zoo.runs.known import check_known

# what a record that does not fit together may raise where it is shown
INCOMPLETE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, AssertionError)
DOCUMENTS = ("README.md", "docs/tasks.md")  # hold tables of the committed results


class Loaded(NamedTuple):
    """All that the leaderboard is made from."""

    records: list[Record]
    arrays: dict[str, dict[str, np.ndarray]]  # beside each record, by its name
    left_out: list[str]  # sentences about records that are damaged, or whose family is not known


def load(results_dir: Path) -> Loaded:
    """Read every record; one that is damaged is left out, and stops nothing."""
    loaded = Loaded([], {}, [])
    for file in sorted((results_dir / "runs").glob("*.json")):
        try:
            record, found = load_one(file)
        except UserError as error:
            loaded.left_out.append(str(error).replace(f"{results_dir}/", ""))
            continue
        loaded.records.append(record)
        loaded.arrays[record.name] = found
    return loaded


def load_one(file: Path) -> tuple[Record, dict[str, np.ndarray]]:
    """Read a record and its arrays; one that no table can show is refused in one sentence."""
    record = read(file)
    _try(record)
    check_known(record)
    found = arrays(record)
    return record, found


def _try(record: Record) -> None:
    """Make everything that tables need of one record; a field that it lacks shows now."""
    try:
        family = family_of(record.family)
    except UserError as error:
        raise UserError(f"{record.file}: {error}") from None
    try:
        row = family.row_of(record)
        family.line(row)
        family.order(row)
        family.parts_of(record)
        family.grids([row])
        family.short([row])
        list(family.csv_rows(row))
    except INCOMPLETE as error:
        raise UserError(
            f"{record.file} is not a complete record of {family.title} ({error!r}); remove it or restore it with git"
        ) from None


def shown(results_dir: Path, loaded: Loaded, commits: dict[str, str]) -> dict[Path, str]:
    """Make every generated file, as `pages` does; a record that a page cannot show is left out too."""
    try:
        return pages(results_dir, loaded, commits)
    except UserError:
        raise
    except INCOMPLETE:
        kept = Loaded([], {}, list(loaded.left_out))
        for record in loaded.records:
            alone = Loaded([record], {record.name: loaded.arrays[record.name]}, [])
            try:
                pages(results_dir, alone, commits)
            except INCOMPLETE as error:
                kept.left_out.append(f"{record.file.relative_to(results_dir)} does not fit its arrays ({error!r})")
                continue
            kept.records.append(record)
            kept.arrays[record.name] = loaded.arrays[record.name]
        if len(kept.records) == len(loaded.records):  # none of them is the cause
            raise
        loaded.left_out[:] = kept.left_out
        return pages(results_dir, kept, commits)


def pages(results_dir: Path, loaded: Loaded, commits: dict[str, str]) -> dict[Path, str]:
    """Make every generated file; documents too, if these are the results that they show.

    Args:
        results_dir: holds published figures, remarks and pages.
        loaded: all records.
        commits: the state of each commit that the records name.
    """
    rows = {family: family.rows(loaded.records, results_dir) for family in FAMILIES.values()}
    # a family that nobody has run has no file, but for the one that people look for first
    first = next(iter(rows))
    found = {results_dir / f.csv_file: as_csv(f, of) for f, of in rows.items() if of or f is first}
    found |= {
        results_dir / name: text
        for f, of in rows.items()
        for name, text in f.files(of, f.published(results_dir)).items()
    }
    lines = [family.line(row) for family, of in rows.items() for row in of]
    found |= {
        results_dir / "leaderboard.md": as_markdown(rows, babi.FAMILY.published(results_dir)),
        results_dir / "commits.csv": provenance.as_csv(commits),
        results_dir / "leaderboard.html": as_html(rows, loaded.arrays, loaded.left_out, results_dir, commits),
        results_dir / "README.md": as_report(lines, loaded.left_out, results_dir, commits),
    }
    if IS_CHECKOUT and results_dir.resolve() == ROOT / "results":
        for document in filter(Path.exists, (ROOT / name for name in DOCUMENTS)):
            text = document.read_text()
            for family, of in rows.items():
                text = between_markers(text, Path(family.csv_file).stem, as_short_markdown(family, of))
            found[document] = between_markers(text, "findings", findings.as_markdown(rows[babi.FAMILY]))
    return found


def write(results_dir: Path) -> list[str]:
    """Bring every generated file up to date, and name those that were not."""
    loaded = load(results_dir)
    earlier = provenance.read(results_dir / "commits.csv")
    commits = provenance.asked(provenance.named(loaded.records), earlier, ROOT)
    stale = _stale(shown(results_dir, loaded, commits))
    for file, text in stale.items():
        write_atomically(file, methodcaller("write", text.encode()))
    for said in loaded.left_out:
        print(f"left out: {printable(said)}", file=sys.stderr)
    return [file.name for file in stale]


def check(results_dir: Path) -> list[str]:
    """Name the generated files that are not up to date; git is not asked."""
    loaded = load(results_dir)
    earlier = provenance.read(results_dir / "commits.csv")
    commits = {commit: earlier.get(commit, provenance.UNKNOWN) for commit in provenance.named(loaded.records)}
    return [file.name for file in _stale(shown(results_dir, loaded, commits))]


def _stale(texts: dict[Path, str]) -> dict[Path, str]:
    return {file: text for file, text in texts.items() if not file.exists() or file.read_bytes() != text.encode()}
