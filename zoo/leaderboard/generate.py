"""Every file that is made from records: written, or checked to be up to date."""

from pathlib import Path

from tasks.files import write_atomically
from zoo import records
from zoo.families import FAMILIES
from zoo.leaderboard import provenance
from zoo.leaderboard.markdown import as_markdown, as_short_markdown, between_markers
from zoo.leaderboard.page import as_html
from zoo.leaderboard.report import as_report
from zoo.leaderboard.table_csv import as_csv
from zoo.paths import IS_CHECKOUT, ROOT

DOCUMENTS = ("README.md", "docs/tasks.md", "docs/results.md")  # hold tables of the committed results


def pages(results_dir: Path, everything: list[records.Record], commits: dict[str, str]) -> dict[Path, str]:
    """Make every generated file; documents too, if these are the results that they show.

    Args:
        results_dir: holds published figures, remarks and pages.
        everything: all records.
        commits: the state of each commit that the records name.
    """
    rows = {family: family.rows(everything, results_dir) for family in FAMILIES.values()}
    # a family that nobody has run has no file; bAbI's are the ones that people look for first
    found = {results_dir / f.csv_file: as_csv(f, of) for f, of in rows.items() if of or f.name == "babi"}
    lines = [family.line(row) for family, of in rows.items() for row in of]
    found |= {
        results_dir / "leaderboard.md": as_markdown(rows),
        results_dir / "commits.csv": provenance.as_csv(commits),
        results_dir / "leaderboard.html": as_html(rows, results_dir, commits),
        results_dir / "README.md": as_report(lines, results_dir, commits),
    }
    if IS_CHECKOUT and results_dir.resolve() == ROOT / "results":
        for document in filter(Path.exists, (ROOT / name for name in DOCUMENTS)):
            text = document.read_text()
            for family, of in rows.items():
                text = between_markers(text, Path(family.csv_file).stem, as_short_markdown(family, of))
            found[document] = text
    return found


def write(results_dir: Path) -> list[str]:
    """Bring every generated file up to date, and name those that were not."""
    everything = _read(results_dir)
    commits = provenance.asked(provenance.named(everything), provenance.read(results_dir / "commits.csv"), ROOT)
    stale = _stale(pages(results_dir, everything, commits))
    for file, text in stale.items():
        write_atomically(file, lambda stream, text=text: stream.write(text.encode()))
    return [file.name for file in stale]


def check(results_dir: Path) -> list[str]:
    """Name the generated files that are not up to date; git is not asked."""
    everything = _read(results_dir)
    earlier = provenance.read(results_dir / "commits.csv")
    commits = {commit: earlier.get(commit, provenance.UNKNOWN) for commit in provenance.named(everything)}
    return [file.name for file in _stale(pages(results_dir, everything, commits))]


def _read(results_dir: Path) -> list[records.Record]:
    return [records.read(file) for file in sorted((results_dir / "runs").glob("*.json"))]


def _stale(texts: dict[Path, str]) -> dict[Path, str]:
    return {file: text for file, text in texts.items() if not file.exists() or file.read_bytes() != text.encode()}
