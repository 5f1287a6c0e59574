"""python -m tests.kills [kills=300] [seed=0] [scene=…,…]

Kill a run, a join, a leaderboard and a campaign, and give the same command again. It must end with the figures of an
undisturbed one, and leave no process, no lock, no temporary file, nothing unfinished and no file without its record.

Of every model a run with two workers, kernels on, is among them; it must be equal to the run with one.

Killed is the first process, one that it has started, or all of them: before a file operation, each in its turn, or at
a random moment. `kills` are drawn from all that there are; kills=0 makes every one. `scene` chooses by a part of their
names. Prints a table, and exits with 1 if anything else has happened.
"""

import collections
import functools
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning.loggers  # noqa: F401  # loaded once, for all forks
import tensorboard  # noqa: F401
import wandb  # noqa: F401
from omegaconf import OmegaConf

from tests.configs import MODELS
from tests.forks import Ended, Kill, forked
from tests.runs import QUICK, figures
from zoo import records
from zoo.commands import campaign, join, parse
from zoo.leaderboard.generate import check, write
from zoo.records import weights
from zoo.runs import cells, compose, plan
from zoo.runs import run as made
from zoo.runs.messages import ends_with_message
from zoo.training import train  # noqa: F401

ONE = (*QUICK, "task.ids=[1]", "trainer.max_epochs=2", "trainer.checkpoint_seconds=0")
TWO = (*ONE, "task.ids=[1,2]", "trainer.workers=2")
OTHER = (*TWO, "model.dim=5")
LOGGERS = ("none", "csv", "tensorboard", "wandb")
MOMENTS = 10  # random ones, of a scene


class Scene(NamedTuple):
    """Something that is killed."""

    act: Callable[[Path], object]  # in a folder
    whom: tuple[str, ...] = ("it",)  # is killed, in turns; see `Kill`
    is_counted: bool = True  # whether its processes are forks, whose file operations can be counted
    has_parts: bool = False  # whether two records that can be joined lie there
    moments: int = MOMENTS
    alike: Callable[[Path], object] | None = None  # ends, undisturbed, with the same figures


def make(arguments: tuple[str, ...], folder: Path) -> None:
    with ends_with_message(list(arguments)):
        made.run(plan.plan_of([*arguments, *_folders(folder)]))


def make_with_forks(act: Callable[[Path], object], folder: Path) -> None:
    """Fork the workers; new interpreters would take seconds."""
    context = multiprocessing.get_context("fork")
    multiprocessing.get_context = lambda method=None: context
    act(folder)


def make_with_kernels(folder: Path) -> None:
    """Compile the kernels too."""
    os.environ["ZOO_CACHE"] = str(folder / "compiled")
    make(ONE, folder)


def make_campaign(folder: Path) -> None:
    (folder / "list.yaml").write_text(f"runs:\n  - {' '.join(ONE)}\n  - {' '.join(OTHER)}\n")
    with ends_with_message([]):
        campaign.main(parse("campaign", campaign.GRAMMAR, [str(folder / "list.yaml"), *_folders(folder)]))


def make_join(folder: Path) -> None:
    names = (folder / "parts.txt").read_text().split()
    with ends_with_message([]):
        join.main(parse("join", join.GRAMMAR, [*names, f"results_dir={folder / 'results'}"]))


def make_leaderboard(folder: Path) -> None:
    with ends_with_message([]):
        write(folder / "results")


def _folders(folder: Path) -> tuple[str, str]:
    return f"results_dir={folder / 'results'}", f"cache_dir={folder / 'cache'}"


def _forks(act: Callable[[Path], object]) -> Callable[[Path], object]:
    return functools.partial(make_with_forks, act)


def prepare(scratch: Path) -> None:
    """Do once, for all forks, what takes long and makes no file: imports, composing, git, digesting the code."""
    composed = functools.cache(lambda arguments: compose.compose_config(list(arguments)))

    def compose_once(arguments: list[str]) -> tuple:
        folders = dict(word.split("=") for word in arguments if word.startswith(("results_dir=", "cache_dir=")))
        config, labels = composed(tuple(word for word in arguments if word.split("=")[0] not in folders))
        return OmegaConf.merge(config, folders), labels

    commit = records.commit_of_code(scratch)
    plan.compose_config = compose_once
    records.commit_of_code = lambda results: commit
    for arguments in (ONE, *((*ONE, f"logger={name}") for name in LOGGERS), TWO, OTHER):
        known = plan.plan_of([*arguments, *_folders(scratch)])
        cells.work_of(known)  # the digest of its code is kept


def _scene_of(model: str) -> Scene:
    small = [word for word in ONE if not word.startswith("model")]
    one, two = ((f"model={model}", *small, "task.ids=[1,2]", f"trainer.workers={workers}") for workers in (1, 2))
    act = _forks(functools.partial(make, two))
    return Scene(act, ("it", "parent", "all"), False, moments=4, alike=functools.partial(make, one))


SCENES = {f"run, logger={name}": Scene(functools.partial(make, (*ONE, f"logger={name}"))) for name in LOGGERS} | {
    "run, two workers": Scene(_forks(functools.partial(make, TWO)), ("it", "parent", "all")),
    "run, two interpreters": Scene(functools.partial(make, TWO), ("parent", "worker", "all"), False, moments=3),
    "run, kernels compiled": Scene(make_with_kernels, ("parent", "worker", "all"), False, moments=3),
    "campaign": Scene(_forks(make_campaign), ("it", "parent", "all")),
    "join": Scene(make_join, has_parts=True),
    "leaderboard": Scene(make_leaderboard, has_parts=True),
    **{f"run, model={name}": _scene_of(name) for name in MODELS},
}


def leftovers(home: Path) -> list[str]:
    """Name what nobody needs any more."""
    results = home / "results"
    found = [file for file in home.rglob("*") if file.suffix == ".lock" or file.name.startswith(".")]
    found += (results / "unfinished").glob("*")
    stems = {file.stem for file in (results / "runs").glob("*.json")}
    for folder, suffix in (("runs", ".npz"), ("weights", ".safetensors")):
        found += [file for file in (results / folder).glob(f"*{suffix}") if file.stem not in stems]
    attempts = collections.defaultdict(list)
    for attempt in (results / "logs").glob("wandb/offline-run-*"):
        attempts[attempt.name.rpartition("-")[2]].append(attempt)  # by the id of the run
    found += [second for of_run in attempts.values() for second in of_run[1:]]
    return sorted(str(file.relative_to(home)) for file in found)


def outcome(results: Path) -> list:
    """All that must be the same: figures, arrays and weights of every record, and curves as csv."""
    found: list[Any] = []
    for file in records.files(results):
        arrays = records.arrays(records.read(file))
        _, trained = weights.load(records.weights_of(file))
        found.append(
            {
                # a campaign gives a run as many workers as there are free cores
                "record": figures(json.loads(file.read_text())) | {"workers": None},
                "arrays": {name: arrays[name].tobytes() for name in sorted(arrays)},
                "weights": {
                    f"{training}/{name}": table.tobytes()
                    for training, of in trained.items()
                    for name, table in of.weights.items()
                },
            }
        )
    found.sort(key=lambda one: one["record"]["identity"])
    return found + [file.read_text() for file in sorted((results / "logs").rglob("metrics.csv"))]


def difference(got: Any, expected: Any, name: str = "") -> str:
    """Name the first place where two outcomes differ; empty if there is none."""
    if got == expected:
        return ""
    if isinstance(got, dict) and isinstance(expected, dict) and got.keys() == expected.keys():
        return next(filter(None, (difference(got[key], expected[key], f"{name}/{key}") for key in got)))
    if isinstance(got, list) and isinstance(expected, list) and len(got) == len(expected):
        return next(
            filter(None, (difference(*pair, f"{name}/{n}") for n, pair in enumerate(zip(got, expected, strict=True))))
        )
    return f"{name} is {str(got)[:80]}, expected {str(expected)[:80]}"


def prepared(folder: Path, parts: Path | None) -> Path:
    """Make the folder of a scene; the records of `parts` lie in it."""
    folder.mkdir()
    if parts:
        shutil.copytree(parts / "results", folder / "results")
        names = [str(folder / "results/runs" / file.name) for file in records.files(parts / "results")]
        (folder / "parts.txt").write_text(" ".join(names))
    return folder


def undisturbed(scene: Scene, folder: Path) -> tuple[Ended, list]:
    """Act a scene to the end, and return what came of it."""
    ended = forked(functools.partial(scene.act, folder), folder)
    assert ended.status == 0, ended.said
    assert not (left := leftovers(folder)), left
    found = outcome(folder / "results")
    shutil.rmtree(folder)
    return ended, found


def killed(scene: Scene, kill: Kill, folder: Path, expected: list) -> str:
    """Kill a scene, act it again to the end, and say who was killed; an AssertionError says what is wrong."""
    act = functools.partial(scene.act, folder)
    first = forked(act, folder, kill)
    assert "Traceback" not in first.said, first.said
    last = forked(act, folder)
    assert last.status == 0, f"status {last.status}: {last.said}"
    assert "Traceback" not in last.said, last.said
    assert not (said := difference(outcome(folder / "results"), expected)), said
    assert not (left := leftovers(folder)), left
    if (folder / "results/leaderboard.md").exists():
        assert not (stale := check(folder / "results")), f"{stale} do not follow from the records"
    return kill.who if first.status else "had ended before"


def campaign_of(home: Path, kills: int, seed: int, chosen: dict[str, Scene]) -> tuple[collections.Counter, list[str]]:
    """Kill, and count by scene, moment and process; also return what went wrong."""
    rng = random.Random(seed)
    prepare(home / "scratch")
    parts = home / "parts"
    for first in (3, 5):
        forked(functools.partial(make, (*ONE, f"seed={first}"), parts), home / "scratch")
    whole: dict[str, list] = {}
    planned: list[tuple[str, Kill]] = []
    for name, scene in chosen.items():
        ended, whole[name] = undisturbed(scene, prepared(home / "whole", parts if scene.has_parts else None))
        if scene.alike:
            _, found = undisturbed(scene._replace(act=scene.alike), prepared(home / "alike", None))
            found[0]["record"]["command"] = whole[name][0]["record"]["command"]  # names the workers
            assert not (said := difference(found, whole[name])), f"{name}: {said}"
            assert all(one["record"]["trainings"][task]["kernels"] for one in found for task in ("1", "2")), name
        print(f"{name}: {ended.operations} file operations, {ended.seconds:.1f} s", flush=True)
        operations = ended.operations if scene.is_counted else 0
        turns = [Kill("", at=at) for at in range(1, operations + 1)]
        turns += [Kill("", after=rng.uniform(0, ended.seconds)) for _ in range(scene.moments)]
        planned += [(name, kill._replace(who=scene.whom[turn % len(scene.whom)])) for turn, kill in enumerate(turns)]
    rng.shuffle(planned)
    table: collections.Counter[tuple[str, str, str]] = collections.Counter()
    wrong: list[str] = []
    for number, (name, kill) in enumerate(planned[: kills or None]):
        folder = prepared(home / str(number), parts if chosen[name].has_parts else None)
        who = "wrong"
        try:
            who = killed(chosen[name], kill, folder, whole[name])
        except AssertionError as error:
            wrong.append(f"{name}, {kill}: {error}")
            print(wrong[-1], flush=True)
        if number % 25 == 24:
            print(f"{number + 1} kills, {len(wrong)} of them with another end", flush=True)
        table[name, "a file operation" if kill.at else "a random moment", who] += 1
        shutil.rmtree(folder)
    return table, wrong


def main(kills: int = 300, seed: int = 0, scene: str = "") -> int:
    home = Path(tempfile.mkdtemp())
    try:
        chosen = {name: one for name, one in SCENES.items() if any(part in name for part in scene.split(","))}
        table, wrong = campaign_of(home, kills, seed, chosen)
    finally:
        shutil.rmtree(home)
    for (name, when, who), count in sorted(table.items()):
        print(f"{name:32} {when:18} {who:18} {count:5}")
    print(f"{sum(table.values())} kills, {len(wrong)} of them with another end")
    return 1 if wrong else 0


if __name__ == "__main__":
    given = dict(word.split("=", 1) for word in sys.argv[1:])
    sys.exit(main(**{name: value if name == "scene" else int(value) for name, value in given.items()}))
