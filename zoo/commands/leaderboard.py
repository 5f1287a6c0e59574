"""zoo leaderboard [results_dir=results] [--check]

Make the leaderboard from all records in results_dir/runs: README.md, leaderboard.html, .md and .csv.
With --check nothing is written; the exit status is 1 if a file is not up to date.
"""

from tasks.errors import UserError
from zoo.commands import Given, Grammar
from zoo.leaderboard.generate import check, write

GRAMMAR = Grammar(names=("results_dir",), bare="results_dir", flags=("check",))


def main(given: Given) -> None:
    folder = given.results_dir
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; expected one with records in its folder runs/")
    stale = (check if "check" in given.flags else write)(folder)
    if "check" in given.flags and stale:
        raise UserError(f"not up to date: {', '.join(stale)}; type zoo leaderboard, and commit what it writes")
    number = len(list((folder / "runs").glob("*.json")))
    print(f"{'written: ' + ', '.join(stale) if stale else 'up to date'} ({number} records)")
