"""python -m zoo.explain run=RECORD task=15 [story=FILE]: where a network looked when it answered.

RECORD is a file in results/runs, the beginning of its name (run=memn2n-1k) or the experiment that it is of; of
several that have the task the newest is taken, and one of official data before others. Without a story the questions
are shown that the record keeps; story=FILE asks others, and story=- those that you type: a sentence a line, and a
line that ends with a question mark is answered. That needs the weights, which lie in results/weights where the run
was made.
"""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from rich.text import Text
from torch import Tensor

from tasks.babi.text import WORD
from tasks.batch import NONE, Sizes
from tasks.corpus import Corpus, Split
from tasks.errors import UserError, nearest
from zoo import records
from zoo.interface import TRACES
from zoo.kinds.attention import example
from zoo.leaderboard.tables import named, setting_of
from zoo.mistakes import explained
from zoo.training.build import build
from zoo.training.ensemble import Ensemble
from zoo.training.packing import spoken_words

HELP = {"--help", "-h"}


def titled(file: Path, record: dict) -> str:
    """A record's name, its setting and its data: several have a like name."""
    return f"{file.stem}: {setting_of(record, ())}, {named(record['source'])}"


def training_of(record: dict, task: str) -> str:
    if task not in record["tasks"]:
        raise UserError(f"task={task}: this run has the tasks {', '.join(record['tasks'])}")
    return record["tasks"][task]["training"]


def kept(file: Path, training: str, task: str) -> list[dict]:
    """The questions that a record keeps."""
    with records.arrays(file) as arrays:
        if f"{training}/looks" not in arrays:
            raise UserError(f"{file.name} was made before records kept questions to look at; make it again: rerun=true")
        return [shown for shown in json.loads(str(arrays[f"{training}/looks"])) if shown["task"] == int(task)]


def load(file: Path, record: dict, training: str) -> tuple[Ensemble, list[str], Tensor, Sizes]:
    """The network that validation selected, the words of its task, which of them it has learned, and its sizes."""
    weights = records.weights_of(file)
    if not weights.exists():
        part = "" if training == "joint" else f" task={training}"
        raise UserError(
            f"{weights} is not here: weights stay on the machine that made a run\n"
            f"  to make them here:  python -m zoo.repeat run={file.stem}{part}\n"
            "  and then ask with:  results_dir=results/repeated"
        )
    stored = torch.load(weights, weights_only=True)[training]
    sizes = Sizes(*stored["sizes"])
    ensemble = Ensemble([build(record["settings"]["model"], sizes, seed=0)])
    with torch.no_grad():
        ensemble.weights[0] = stored["weights"]
    words = stored["words"]
    return ensemble, words, stored.get("learned", torch.ones(len(words), dtype=torch.bool)), sizes


def asked(
    lines: Iterable[str], words: list[str], learned: Tensor, sizes: Sizes, forgiving: bool = False
) -> Iterator[Corpus]:
    """For every question among the lines a corpus with it and the sentences before it; an empty line begins anew.

    A forgiving listener says what is wrong with a line, and waits for another.
    """
    number = {word: i for i, word in enumerate(words)}
    told: list[list[int]] = []
    for line in lines:
        is_question = line.rstrip().endswith("?")
        try:
            row = _heard(line, number, words, sizes)
            if is_question and not told:
                raise UserError("a question before any sentence: tell a story first, a sentence a line")
        except UserError as error:
            if not forgiving:
                raise
            print(error)
            continue
        if not row:
            told = []
        elif not is_question:
            told.append(row)
        else:
            table = [[], *told, row]
            sentences = torch.tensor([of + [0] * (sizes.sentence_length - len(of)) for of in table])
            one = torch.tensor([0])
            split = Split(
                torch.arange(1, len(told) + 1), torch.tensor([0, len(told)]), one, one + len(told),
                one + len(told) + 1, one + 1, torch.full((1, 1), NONE), one,
            )  # fmt: skip
            yield Corpus(words, sentences, split, split, split, learned=learned)


def _heard(line: str, number: dict[str, int], words: list[str], sizes: Sizes) -> list[int]:
    """The words of a line, by their numbers."""
    spoken = WORD.findall(line.lower())
    if unknown := [word for word in spoken if word not in number]:
        known = spoken_words(words)
        near = nearest(unknown[0], known)
        raise UserError(f"'{unknown[0]}' is no word of this task{near} (it has {', '.join(known)})")
    if len(spoken) > sizes.sentence_length:
        raise UserError(f"{len(spoken)} words: expected at most {sizes.sentence_length} ({line.strip()})")
    return [number[word] for word in spoken]


def show(shown: dict, traces: str, console: Console, answered: bool = True) -> None:
    """A story with a column for each hop; the supporting facts are marked."""
    console.print(f"[dim]{TRACES[traces if shown['attention'] else 'nothing']}[/dim]")
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    table.add_column("story", overflow="fold")
    for hop in range(len(shown["attention"])):
        table.add_column(f"{hop + 1}", justify="right", no_wrap=True)
    for place, sentence in enumerate(shown["story"]):
        cells = []
        for hop in shown["attention"]:
            share = hop[place] / (max(hop) or 1.0)
            style = f"on rgb({round(255 - 175 * share)},{round(255 - 95 * share)},255)" if share > 0.05 else "dim"
            cells.append(Text(f" {hop[place]:.2f} ", style=f"black {style}" if share > 0.05 else style))
        table.add_row("•" if place in shown["facts"] else "", sentence, *cells)
    console.print(table)
    said = f"{shown['question']}?  [bold]{shown['said']}[/bold]"
    if answered:
        right = f", {shown['said']}, " in f", {shown['answer']}, "  # one of those that are right
        said += "  [green]right[/green]" if right else f"  [red]wrong: {shown['answer']}[/red]"
    console.print(said + "\n", highlight=False)


def main(arguments: list[str]) -> None:
    if HELP & set(arguments):
        print(__doc__.strip())
        return
    options = {"results_dir": "results"}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or name not in ("run", "task", "story", "results_dir"):
            raise UserError(f"'{argument}': expected run=, task=, story= or results_dir=\n\n{__doc__.strip()}")
        options[name] = value
    if missing := [name for name in ("run", "task") if name not in options]:
        raise UserError(f"{missing[0]}= is missing\n\n{__doc__.strip()}")
    file = records.find(options["run"], Path(options["results_dir"]), options["task"])
    record, console = records.read(file), Console()
    if record.get("family") == "algorithmic":
        raise UserError(f"{file.name} is a run on sequences: python -m zoo.pictures {file.stem} draws it")
    training = training_of(record, options["task"])
    network = build(record["settings"]["model"], Sizes(2, 1, 1), seed=0)
    console.print(f"{titled(file, record)}; task {options['task']}", highlight=False, soft_wrap=True)
    if "story" not in options:
        for shown in kept(file, training, options["task"]):
            show(shown, network.traces, console)
        return
    if record.get("family", "babi") != "babi":
        raise UserError(
            f"story={options['story']}: {file.name} is of no bAbI task; leave story= out to see what it keeps"
        )
    ensemble, words, learned, sizes = load(file, record, training)
    typing = options["story"] == "-" and sys.stdin.isatty()
    if options["story"] == "-":
        if typing:
            console.print("a sentence a line, a question ends with ?, Ctrl-D ends")
        lines: Iterable[str] = sys.stdin
    elif Path(options["story"]).is_file():
        lines = Path(options["story"]).read_text().splitlines()
    else:
        raise UserError(f"story={options['story']}: no such file; story=- reads what you type")
    for corpus in asked(lines, words, learned, sizes, forgiving=typing):
        show(example(ensemble, 0, corpus, corpus.test, 0), network.traces, console, answered=False)


if __name__ == "__main__":
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    with explained(sys.argv[1:]):
        main(sys.argv[1:])
