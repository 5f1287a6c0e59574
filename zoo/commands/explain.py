"""zoo explain run=RECORD task=15 [story=FILE] [results_dir=results]

Show where a network looked when it answered. RECORD is a file in results/runs, the beginning of its name
(run=memn2n-1k) or its experiment; of several that have the task the newest is taken, one of official data first.
Without a story the questions are shown that the record keeps. story=FILE asks others, and story=- those that you type:
one sentence per line; a line that ends with a question mark is answered. That needs the weights, which lie in
results/weights where the run was made.
"""

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
from zoo.commands import Given, Grammar
from zoo.families import family_of
from zoo.families.board import titled
from zoo.kinds.attention import example
from zoo.records import Record
from zoo.traces import TRACES, traces_of
from zoo.training.build import build
from zoo.training.ensemble import Ensemble
from zoo.training.packing import spoken_words

GRAMMAR = Grammar(names=("run", "task", "story", "results_dir"), required=("run", "task"), bare="run")


def kept(record: Record, training: str, task: str) -> list[dict]:
    """Read the questions that a record keeps of a task."""
    looks = records.looks_of(records.arrays(record), training)
    if looks is None:
        raise UserError(f"{record.name} was made before records kept questions to look at; make it again: rerun=true")
    return [look.model_dump() for look in looks if look.task == int(task)]


def load(record: Record, training: str) -> tuple[Ensemble, list[str], Tensor, Sizes]:
    """The network that validation selected, the words of its task, which of them it has learned, and its sizes."""
    weights = records.weights_of(record.file)
    if not weights.exists():
        part = "" if training == "joint" else f" task={training}"
        raise UserError(
            f"{weights} is not here: weights stay on the machine that made a run\n"
            f"  to make them here:  zoo repeat run={record.name}{part}\n"
            "  and then ask with:  results_dir=results/repeated"
        )
    stored = torch.load(weights, weights_only=True)[training]
    sizes = Sizes(*stored["sizes"])
    ensemble = Ensemble([build(record.settings["model"], sizes, seed=0)])
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


def main(given: Given) -> None:
    file = records.find(given["run"], given.results_dir, given["task"])
    record, console = records.read(file), Console()
    training = records.KINDS[record.kind].training_of(record, given["task"])
    traces = traces_of(record) or "nothing"
    console.print(f"{titled(record)}; task {given['task']}", highlight=False, soft_wrap=True)
    story = given.get("story")
    if story is None:
        for shown in kept(record, training, given["task"]):
            show(shown, traces, console)
        return
    if not family_of(record.family).tells_stories:
        raise UserError(f"story={story}: {file.name} is of no bAbI task; leave story= out to see what it keeps")
    ensemble, words, learned, sizes = load(record, training)
    typing = story == "-" and sys.stdin.isatty()
    if story == "-":
        if typing:
            console.print("one sentence per line, a question ends with ?, Ctrl-D ends")
        lines: Iterable[str] = sys.stdin
    elif Path(story).is_file():
        lines = Path(story).read_text().splitlines()
    else:
        raise UserError(f"story={story}: no such file; story=- reads what you type")
    for corpus in asked(lines, words, learned, sizes, forgiving=typing):
        show(example(ensemble, 0, corpus, corpus.test, 0), traces, console, answered=False)
