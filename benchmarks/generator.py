"""python -m benchmarks.generator: compare generated stories with the release → results/generator.md."""

import argparse
import math
import os
import re
import statistics
import sys
import time
from collections import Counter
from itertools import chain
from pathlib import Path

from tasks.babi import TASKS
from tasks.babi.generator import BabiWorld, cast_of, generate
from tasks.babi.official import find, parts_of
from tasks.babi.oracle import readings
from tasks.babi.text import Question, Story, parse, write
from tasks.errors import UserError
from tasks.files import write_atomically
from zoo import records
from zoo.families import babi

ROOT = Path(__file__).parent.parent
EXPERIMENT = "sukhbaatar2015_memn2n_babi_1k"
# what is compared, and how many of it a story yields
MEASURES = ("answers", "story length", "told before", "distance", "statements")


def released(release: dict[str, dict[str, bytes]], task: int) -> tuple[list[Story], str]:
    """Read all official stories of a task, test and training, of 10k if they are there."""
    for subset in ("en-10k", "en"):
        texts = parts_of(task, release[subset], subset)
        if "train" in texts:
            return list(chain.from_iterable(parse(text.data, text.name) for text in texts.values())), subset
    raise UserError(f"task {task} is neither in en-10k nor in en")


def plain(task: int, line: str) -> str:
    """Replace people, places and objects of a statement or question."""
    cast = {word: role for role, words in cast_of(task, BabiWorld())._asdict().items() for word in words}
    cast |= {word.lower(): role for word, role in cast.items()}
    if not cast:
        return line
    words = "|".join(sorted(cast, key=len, reverse=True))
    return re.sub(rf"\b({words})\b", lambda found: cast[found[0]].upper(), line)


def measured(task: int, stories: list[Story]) -> dict[str, Counter]:
    """Measure distributions over stories or questions."""
    found = {name: Counter() for name in (*MEASURES, "questions", "words")}
    forms: dict[str, str] = {}
    for story in stories:
        told = 0
        for line in story:
            text = line if isinstance(line, str) else line.question
            if text not in forms:
                forms[text] = plain(task, text)
            found["words"].update(re.findall(r"[\w']+", text.lower()))
            if isinstance(line, str):
                told += 1
                found["statements"][forms[text]] += 1
            else:
                found["questions"][forms[text]] += 1
                found["answers"][line.answer] += 1
                found["words"].update([line.answer])
                found["told before"][told] += 1
                found["distance"].update(told - place for place in line.support)
        found["story length"][told] += 1
    return found


def divergence(one: Counter, other: Counter) -> float:
    """Compute the Jensen–Shannon divergence of two distributions, in thousandths of a bit, 0 to 1000."""
    total = 0.0
    for key in one.keys() | other.keys():
        p, q = one[key] / one.total(), other[key] / other.total()
        middle = (p + q) / 2
        total += sum(x * math.log2(x / middle) / 2 for x in (p, q) if x)
    return 1000 * total


def mean(counter: Counter) -> float:
    return sum(value * times for value, times in counter.items()) / counter.total()


def fidelity(release: dict[str, dict[str, bytes]]) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Make a row of divergences and a row of means for each task."""
    divergences, means = [], []
    for task in TASKS:
        official, subset = released(release, task)
        asked = sum(isinstance(line, Question) for story in official for line in story)
        ours = measured(task, generate(task, {"train": asked}, 0, BabiWorld())["train"])
        theirs = measured(task, official)
        half = len(official) // 2
        one, other = measured(task, official[:half]), measured(task, official[half:])
        same = all(ours[name].keys() == theirs[name].keys() for name in ("words", "statements", "questions", "answers"))
        row = [str(task), f"{asked:,}" + ("" if subset == "en-10k" else " (1k)"), "equal" if same else "DIFFERENT"]
        for name in MEASURES:
            # two halves are half as large, so they differ twice as much by chance
            row.append(f"{divergence(ours[name], theirs[name]):.1f} ({divergence(one[name], other[name]) / 2:.1f})")
        divergences.append(tuple(row))
        pair = []
        for name in ("story length", "told before", "distance"):
            pair.append(f"{mean(theirs[name]):.2f} / {mean(ours[name]):.2f}")
        most = [f"{100 * max(got['answers'].values()) / got['answers'].total():.1f}" for got in (theirs, ours)]
        means.append((str(task), *pair, " / ".join(most)))
    return divergences, means


def second_reading(release: dict[str, dict[str, bytes]]) -> list[tuple[str, ...]]:
    """Count where the answer checker disagrees with the release and with generated stories, task by task."""
    rows = []
    for task in TASKS:
        official = Counter()
        for subset in ("en", "en-10k"):
            texts = parts_of(task, release[subset], subset)
            for text in texts.values():
                for story in parse(text.data, text.name):
                    official += _judged(task, story)
        ours = Counter()
        for story in generate(task, {"train": 5000}, 1, BabiWorld())["train"]:
            ours += _judged(task, story)
        rows.append(
            (
                str(task),
                *(
                    f"{got[name]:,}"
                    for got in (official, ours)
                    for name in ("questions", "undecided", "otherwise", "facts")
                ),
            )
        )
    return rows


def _judged(task: int, story: Story) -> Counter:
    found = Counter()
    for asked, reading in readings(task, story):
        found["questions"] += 1
        found["undecided"] += not reading.decided
        found["otherwise"] += asked.answer not in reading.answers
        found["facts"] += bool(reading.support) and reading.support != asked.support
    return found


def transfer(results: Path) -> list[tuple[str, ...]]:
    """Collect test errors on official questions, learned from official and from generated stories, from the records."""
    found = {
        babi.source_of(row.record): {
            task: {"selected": got.selected, "test_errors": got.test_errors} for task, got in row.record.tasks.items()
        }
        for row in babi.FAMILY.rows(map(records.read, records.files(results)), results)
        if babi.is_complete(row)
        and (row.setting, babi.size_of(row.record), row.record.protocol) == (EXPERIMENT, "1k", "per_task")
    }
    if not {"official", "transfer"} <= found.keys():
        return []
    rows = []
    for task in map(str, TASKS):
        one, other = (found[source][task] for source in ("official", "transfer"))
        chosen = [got["test_errors"][got["selected"]] for got in (one, other)]
        every = [statistics.fmean(got["test_errors"]) for got in (one, other)]
        rows.append(
            (task, *(f"{e:.1f}" for e in chosen), f"{chosen[1] - chosen[0]:+.1f}", *(f"{e:.1f}" for e in every))
        )
    means = [
        statistics.fmean(
            got["test_errors"][got["selected"]] if k == 0 else statistics.fmean(got["test_errors"])
            for got in found[source].values()
        )
        for k in (0, 1)
        for source in ("official", "transfer")
    ]
    total = (
        "**mean**",
        *(f"{m:.2f}" for m in means[:2]),
        f"{means[1] - means[0]:+.2f}",
        *(f"{m:.2f}" for m in means[2:]),
    )
    return [*rows, total]


def speed() -> tuple[float, float]:
    """Measure questions per second over the twenty tasks, as text, and the seconds for all of them at 1k."""
    best = math.inf
    for _ in range(3):
        began = time.perf_counter()
        for task in TASKS:
            for part in generate(task, {"train": 1000, "test": 1000}, 0, BabiWorld()).values():
                write(part)
        best = min(best, time.perf_counter() - began)
    return len(TASKS) * 2000 / best, best


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    rule = ("--:",) * len(header)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def page(release: dict[str, dict[str, bytes]], results: Path) -> str:
    divergences, means = fidelity(release)
    parts = [
        "# The generator beside the release",
        "Made by `python -m benchmarks.generator`; do not edit it. Official stories are those of bAbI v1.2, test and "
        "10k training together; of task 3, whose 10k training file is not at hand, those of 1k. Generated stories are "
        "as many questions with seed 0.",
        "## Distributions",
        "*Sets*: whether the words, the forms of statements and of questions (people, places and objects aside) and "
        "the answers are the same sets. The other columns are Jensen–Shannon divergences between official and "
        "generated, in thousandths of a bit (1000 for distributions without anything in common), and in brackets what "
        "two official samples of this size differ by chance. *Distance*: sentences between a supporting fact and the "
        "question. *Told before*: sentences before a question.",
        table(("task", "questions", "sets", *MEASURES), divergences),
        "Official / generated:",
        table(("task", "story length, mean", "told before, mean", "distance, mean", "commonest answer, %"), means),
        "What is left: in task 18 the release asks fewer different questions about a story than we do, by a rule that "
        "we have not found; in task 5 it asks, twice in a thousand questions, what somebody gave somebody to whom he "
        "has given something else since, which we leave out.",
        "## A second reading",
        "The answer checker (`tasks/babi/oracle.py`) reads the sentences without knowing how they came about. "
        "*Undecided*: the sentences allow several answers, or none. *Otherwise*: the answer given is none of them. "
        "*Facts*: other supporting facts than the checker's. Official are all files of `en` and `en-10k`, "
        "of which the second begin with the first; generated are 5,000 questions a task.",
        table(
            ("task", "official", "undecided", "otherwise", "facts", "generated", "undecided", "otherwise", "facts"),
            second_reading(release),
        ),
        "In the release: task 16 asks about animals whose kind has several colours (the answer is the colour of the "
        "animal of its kind that was named last; so it is in ours); task 5 has the questions just mentioned. The "
        "supporting facts of task 18 follow from no rule where there are several chains; the checker names none.",
    ]
    moved = transfer(results)
    if moved:
        parts += [
            "## Transfer",
            f"MemN2N (`experiment={EXPERIMENT}`, ten restarts), tested on the official test questions: learned from "
            "the official 1k, and from as many generated questions (`task.source=transfer`). Test error in percent, of "
            "the restart that validation selects, and the mean of all restarts.",
            table(("task", "official", "generated", "difference", "official, all", "generated, all"), moved),
        ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generator", description=__doc__)
    usual = Path(os.environ.get("ZOO_DATA", "data"))
    parser.add_argument("--data", type=Path, default=usual, help="folder with the release (default: ZOO_DATA or data)")
    parser.add_argument("--results", type=Path, default=ROOT / "results", help="records in, page out")
    given = parser.parse_args()
    found = find(given.data)
    if found is None:
        raise UserError(f"the official bAbI v1.2 is not in {given.data}; give its folder: --data DIR")
    rate, seconds = speed()
    print(f"{rate:,.0f} questions a second over the 20 tasks; all of them at 1k, train and test, in {seconds:.2f} s")
    release = {subset: found.files(subset) for subset in ("en", "en-10k")}
    file = given.results / "generator.md"
    write_atomically(file, lambda stream: stream.write(page(release, given.results).encode()))
    print(f"written: {file.name}")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
