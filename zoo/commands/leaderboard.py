"""python -m zoo.leaderboard [--check] [results_dir]: writes the leaderboard, or tells whether it is up to date."""

import argparse
import sys
from pathlib import Path

from tasks.errors import UserError
from tasks.files import write_atomically
from zoo.leaderboard import history, tables
from zoo.leaderboard.families import BESIDE_BABI, FAMILIES
from zoo.leaderboard.page import as_html
from zoo.leaderboard.report import as_report

ROOT = Path(__file__).parent.parent.parent
BEGIN, END = "<!-- {}: made by python -m zoo.leaderboard -->\n\n", "\n\n<!-- end of {} -->"


def pages(results_dir: Path, commits: dict[str, str]) -> dict[Path, str]:
    """What every generated file should hold; the README too, if these are the results that it shows.

    Args:
        commits: those that the records name, and what is known of them.
    """
    rows = {family: family.rows_of(results_dir) for family in FAMILIES}
    found = {results_dir / family.CSV: family.as_csv(of) for family, of in rows.items()}
    sheets = [family.sheet_of(rows[family], results_dir) for family in BESIDE_BABI if rows[family]]
    lines = [line for family, of in rows.items() for line in family.lines_of(of)]
    published = tables.read_published(results_dir / "published.csv")
    found |= {
        results_dir / "leaderboard.md": "\n".join(filter(None, (f.as_markdown(of) for f, of in rows.items()))),
        results_dir / "commits.csv": history.as_csv(commits),
        results_dir / "leaderboard.html": as_html(rows[tables], sheets, published, results_dir, commits),
        results_dir / "README.md": as_report(lines, results_dir, commits),
    }
    readme = ROOT / "README.md"
    if results_dir.resolve() == ROOT / "results" and readme.exists():
        found[readme] = readme.read_text()
        for family, of in rows.items():
            found[readme] = between_markers(found[readme], Path(family.CSV).stem, family.as_short_markdown(of))
    return found


def between_markers(readme: str, name: str, text: str) -> str:
    """A README whose part of that name says the text, all else as it was."""
    marks = BEGIN.format(name), END.format(name)
    before, begin, rest = readme.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not begin or not end:
        raise UserError(f"README.md has lost its markers {marks[0].strip()} and {marks[1].strip()}; put them back")
    return before + begin + text + end + after


def write(results_dir: Path) -> list[str]:
    """Makes every generated file say what it should, and names those that did not."""
    commits = history.asked(history.named(results_dir), history.read(results_dir / "commits.csv"), ROOT)
    stale = _stale(pages(results_dir, commits))
    for file, text in stale.items():
        write_atomically(file, lambda stream, text=text: stream.write(text.encode()))
    return [file.name for file in stale]


def check(results_dir: Path) -> list[str]:
    """Names the generated files that do not say what they should; git is not asked."""
    earlier = history.read(results_dir / "commits.csv")
    commits = {commit: earlier.get(commit, history.UNKNOWN) for commit in history.named(results_dir)}
    return [file.name for file in _stale(pages(results_dir, commits))]


def _stale(texts: dict[Path, str]) -> dict[Path, str]:
    return {file: text for file, text in texts.items() if not file.exists() or file.read_bytes() != text.encode()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m zoo.leaderboard", description="Records of runs → leaderboard.")
    parser.add_argument("results_dir", nargs="?", type=Path, default=ROOT / "results", help="holds runs/*.json")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not up to date")
    given = parser.parse_args()
    if not given.results_dir.is_dir():
        raise UserError(f"{given.results_dir} is not a folder; expected one with records in its folder runs/")
    stale = (check if given.check else write)(given.results_dir)
    if given.check and stale:
        raise UserError(
            f"not up to date: {', '.join(stale)}; type python -m zoo.leaderboard, and commit what it writes"
        )
    records = len(list((given.results_dir / "runs").glob("*.json")))
    print(f"{'written: ' + ', '.join(stale) if stale else 'up to date'} ({records} records)")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
