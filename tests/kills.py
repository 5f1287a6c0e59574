"""python -m tests.kills [kills=300] [seed=0]

Kill a run, a join and a leaderboard, at every file operation and at random moments, with each logger that needs no
network, and do it again to the end. It must end with the same figures, and leave no lock, no temporary file, nothing
unfinished and no file without its record. Prints a table; exits 1 if anything else has happened.

Each attempt is a fork of this process, so that nothing is loaded anew. Operations are counted by Python's audit events;
the product knows nothing of it.
"""

import collections
import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.runs import QUICK, made
from zoo import records
from zoo.commands import Given
from zoo.commands.join import main as join
from zoo.leaderboard.generate import write

CHANGING = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate")
LOGGERS = ("none", "csv", "tensorboard")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def forked(action: Callable[[], object], root: Path, at: int | None = None, after: float | None = None) -> int:
    """Do something in a child process, and return how many file operations it has made, or -1 if it was killed.

    Args:
        action: what to do.
        root: operations on files below it are counted.
        at: the operation before which the process kills itself.
        after: seconds after which it is killed.
    """
    count, told = 0, root.parent / "operations"
    told.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)

        def hook(event: str, given: tuple) -> None:
            nonlocal count
            changes = event in CHANGING or (event == "open" and isinstance(given[2], int) and given[2] & WRITES)
            if not changes or not isinstance(given[0], str | os.PathLike) or str(root) not in os.fspath(given[0]):
                return
            count += 1
            if count == at:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        status = 1
        with contextlib.suppress(BaseException):
            action()
            told.write_text(str(count))
            status = 0
        os._exit(status)
    if after is not None:
        time.sleep(after)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return -1
    if status:
        raise AssertionError(f"ended with status {os.WEXITSTATUS(status)}")
    return int(told.read_text())


def leftovers(results: Path) -> list[str]:
    """Name what nobody needs any more."""
    files = [file for file in results.rglob("*") if "logs" not in file.parts]
    found = [file for file in files if file.suffix == ".lock" or file.name.startswith(".")]
    found += list((results / "unfinished").glob("*"))
    for folder, suffix in (("runs", ".npz"), ("weights", ".pt")):
        stems = {file.stem for file in (results / "runs").glob("*.json")}
        found += [file for file in (results / folder).glob(f"*{suffix}") if file.stem not in stems]
    return sorted({str(file.relative_to(results)) for file in found})


def figures(results: Path) -> list:
    """All that must be the same: figures and arrays of every record, and the pages."""
    found: list = []
    for file in records.files(results):
        record = records.read(file)
        arrays = records.arrays(record)
        found.append((record.identity, record.tasks, {name: arrays[name].tobytes() for name in sorted(arrays)}))
    return found


def age(results: Path) -> None:
    """Let an hour and more pass, after which temporary files are taken for those of killed processes."""
    for file in results.rglob(".*"):
        os.utime(file, (0, 0))


def scenes(home: Path) -> dict[str, tuple[Callable[[Path], None], Callable[[Path], object]]]:
    """What is killed, by name: a function that prepares a folder, and one that works in it."""
    one = (*QUICK, "task.ids=[1]", "trainer.max_epochs=2", "trainer.checkpoint_seconds=0")
    made(home / "parts", *one)
    made(home / "parts", *one, "seed=5")
    parts = [str(file) for file in records.files(home / "parts/results")]

    def parts_here(folder: Path) -> None:
        shutil.copytree(home / "parts/results", folder / "results")

    def joined(folder: Path) -> None:
        join(
            Given(
                {"results_dir": str(folder / "results")}, [str(folder / "results/runs" / Path(p).name) for p in parts]
            )
        )

    def nothing(folder: Path) -> None:
        (folder / "results").mkdir(parents=True)

    found = {
        f"run, logger={logger}": (nothing, lambda folder, logger=logger: made(folder, *one, f"logger={logger}"))
        for logger in LOGGERS
    }
    found["join"] = parts_here, joined
    found["leaderboard"] = parts_here, lambda folder: write(folder / "results")
    return found


def main(kills: int = 300, seed: int = 0) -> int:
    rng, table, wrong = random.Random(seed), collections.Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        all_scenes = scenes(home)
        whole = {}
        for name, (prepare, act) in all_scenes.items():
            prepare(home / "whole" / name)
            began = time.monotonic()
            operations = forked(lambda act=act, name=name: act(home / "whole" / name), home / "whole" / name)
            whole[name] = operations, time.monotonic() - began, figures(home / "whole" / name / "results")
        planned = [(name, at, None) for name, (operations, _, _) in whole.items() for at in range(1, operations + 1)]
        planned += [(name, None, rng.uniform(0, whole[name][1])) for name in all_scenes for _ in range(10)]
        rng.shuffle(planned)
        for number, (name, at, after) in enumerate(planned[:kills]):
            prepare, act = all_scenes[name]
            here = home / f"{number}" / "it"
            prepare(here)
            killed = forked(lambda act=act, here=here: act(here), here, at, after) < 0
            age(here / "results")
            said = f"{name}, {'a file operation' if at else 'a random moment'}"
            try:
                forked(lambda act=act, here=here: act(here), here)
                assert figures(here / "results") == whole[name][2], "other figures"
                assert not leftovers(here / "results"), leftovers(here / "results")
            except AssertionError as error:
                wrong.append(f"{said} ({at or after}): {error}")
            table[said, "killed" if killed else "had ended before"] += 1
            shutil.rmtree(here.parent)
    for (said, how), count in sorted(table.items()):
        print(f"{said:48} {how:18} {count:5}")
    print("\n".join(wrong[:40]) or "all ended with the same figures, and left nothing behind")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(**{name: int(value) for name, _, value in (word.partition("=") for word in sys.argv[1:])}))
