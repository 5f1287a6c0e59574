"""python -m tests.mutate_records [mutations=10000] [seed=0]

Change committed records, arrays and csv files at random, one change at a time, and make the leaderboard of each. It
must come, without the damaged record, or a sentence with the name of the damaged file. Prints a table; exits 1 if
anything else has happened, with its number: number=17 makes this one alone.
"""

import collections
import contextlib
import io
import random
import sys
import tempfile
import traceback
from pathlib import Path

from tasks.errors import UserError
from tests.mutations import mutated, small
from zoo.families import FAMILIES
from zoo.leaderboard import provenance
from zoo.leaderboard.generate import load, load_one, shown, write
from zoo.leaderboard.report import as_report


def outcome(results: Path, file: Path, whole: bool) -> str:
    """Make the leaderboard of a folder one of whose files is changed, and say in a word how it ended.

    Args:
        results: the folder.
        file: the changed file.
        whole: whether the leaderboard is made, of all records; else a changed record is only read, as for it.
    """
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            if not whole:
                look_at(results, file)
                return "made"
            if file.suffix == ".csv":
                write(results)
                return "made"
            loaded = load(results)
            shown(results, loaded, {})
    except UserError as error:
        if file.name not in str(error) and file.stem not in str(error):
            raise AssertionError(f"a sentence without the name of the file: {error}") from error
        return "a sentence" if whole or file.suffix == ".csv" else "left out"
    if not loaded.left_out:
        return "made"
    assert all(file.stem in of for of in loaded.left_out), loaded.left_out
    return "left out"


def look_at(results: Path, file: Path) -> None:
    """Read a file as the leaderboard reads it."""
    if file.suffix != ".csv":
        load_one(file.with_suffix(".json"))
        return
    for family in FAMILIES.values():
        family.published(results)
    as_report([], [], results, {})
    provenance.read(results / "commits.csv")
    provenance.read_verified(results)


def main(mutations: int = 10_000, seed: int = 0, number: int = -1) -> int:
    only = {number} - {-1}
    found: collections.Counter[tuple[str, str]] = collections.Counter()
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        files = small(results)
        for number in only or range(mutations):
            rng = random.Random(f"{seed} {number}")
            file = rng.choice(files)
            before = file.read_bytes()
            file.write_bytes(mutated(file, rng))
            try:
                said = outcome(results, file, whole=number % 10 == 0 or number in only)
            except Exception as error:
                said = "TRACEBACK"
                last = traceback.extract_tb(error.__traceback__)[-1]
                wrong.append(f"{number}: {file.name}: {error!r}"[:300] + f"  {last.filename}:{last.lineno}")
            found[file.suffix, said] += 1
            file.write_bytes(before)
    for (suffix, said), count in sorted(found.items()):
        print(f"{suffix:6} {said:12} {count:6}")
    print("\n".join(wrong[:40]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(**{name: int(value) for name, _, value in (word.partition("=") for word in sys.argv[1:])}))
