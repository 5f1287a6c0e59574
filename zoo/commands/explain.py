"""zoo explain run=RECORD task=15 [story=FILE] [length=1000000] [results_dir=results]

Show where a network looked when it answered. RECORD is a file in results/runs, the beginning of its name
(run=memn2n-1k) or its experiment. Of several records that have the task, those on official data are preferred, then
those without exchanged names, then those that were not trained once more with the questions of validation, then the
newest; for story= and length= first of all those whose weights are here.

Without story= the questions are shown that the record keeps. story=FILE asks the questions of a file, and story=- those
that you type: one sentence per line; a line that ends with a question mark is answered. A question may be followed by a
tab and its answer, and by a tab and the numbers of the lines with the supporting facts. A story needs the weights,
which lie in results/weights where the run was made.

length=1000000, of a run of task=haystack, tells a new story of so many sentences, most of them about strangers, and
shows the sentences that the network looked at, with their numbers. A network that can use an index of words uses it.
"""

import sys
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tasks.errors import UserError
from tasks.haystack import needles
from zoo import records
from zoo.commands import Given, Grammar
from zoo.families import family_of
from zoo.families.board import titled
from zoo.pretrained.find import has_file
from zoo.pretrained.load import of_record, of_stories
from zoo.pretrained.network import Network
from zoo.pretrained.reply import Reply, cell
from zoo.pretrained.storyfile import Asked, asked, read_story
from zoo.records import Record
from zoo.traces import TRACES, traces_of

AT_ONCE = 10_000  # sentences
GRAMMAR = Grammar(names=("run", "task", "story", "length", "results_dir"), required=("run", "task"), bare="run")


def kept(record: Record, training: str, task: str) -> list[dict]:
    """Read the questions that a record keeps of a task."""
    looks = records.looks_of(records.arrays(record), training)
    if looks is None:
        raise UserError(f"{record.name} was made before records kept questions to look at; make it again: rerun=true")
    return [look.model_dump() for look in looks if look.task == int(task)]


def shown_of(one: Asked) -> dict:
    """Put an answer to a typed question into the form of those that a record keeps."""
    story, before = one.reply.story, one.told - len(one.reply.story)
    return {
        "story": story,
        "question": one.reply.question,
        "answer": one.answer,
        "said": one.reply.answer,
        "facts": [fact - before for fact in one.facts],
        "attention": one.reply.attention.tolist(),
    }


def shown_among(reply: Reply, question: needles.Asked) -> dict:
    """Put an answer about a long story into the same form, with the sentences that were looked at and the facts."""
    looks = {look.place: look for look in reply.looked_at}
    places = sorted(looks)
    return {
        "story": [f"{place + 1:,}: {looks[place].sentence}" for place in places],
        "question": reply.question,
        "answer": question.answer,
        "said": reply.answer,
        "facts": [places.index(fact) for fact in question.support if fact in looks],
        "attention": [list(hop) for hop in zip(*(looks[place].weights for place in places), strict=True)],
    }


def told_long(network: Network, task: int, length: int) -> Iterator[dict]:
    """Tell a network a story of so many sentences, and ask it."""
    least = needles.SENTENCES[task]
    if length < least:
        raise UserError(f"length={length}: expected {least} sentences at least")
    memory = network.listen(index=network.can_search)
    stream = needles.Stream(task, "explained", length)
    sentences = iter(stream)
    while texts := list(islice(sentences, AT_ONCE)):
        memory.tell(*texts)
    for question in stream.questions:
        yield shown_among(memory.ask(question.question), question)


def show(shown: dict, traces: str, console: Console, answered: bool = True) -> None:
    """Print a story with a column per hop; a dot marks each supporting fact."""
    console.print(f"[dim]{TRACES[traces if shown['attention'] else 'nothing']}[/dim]")
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    table.add_column("story", overflow="fold")
    for hop in range(len(shown["attention"])):
        table.add_column(f"{hop + 1}", justify="right", no_wrap=True)
    for place, sentence in enumerate(shown["story"]):
        cells = [cell(hop[place], max(hop)) for hop in shown["attention"]]
        table.add_row("•" if place in shown["facts"] else "", Text(sentence), *cells)
    console.print(table)
    said = Text.assemble(f"{shown['question']}?  ", (shown["said"], "bold"))
    if answered:
        right = f", {shown['said']}, " in f", {shown['answer']}, "  # one of those that are right
        said.append("  right" if right else f"  wrong: {shown['answer']}", "green" if right else "red")
    console.print(said, "\n", sep="", highlight=False)


def main(given: Given) -> None:
    story, length = given.get("story"), given.whole("length", 0)
    asks_anew = story is not None or length > 0
    first = {"before_others": partial(has_file, results_dir=given.results_dir)} if asks_anew else {}
    file = records.find(given["run"], given.results_dir, given["task"], **first)
    record, console = records.read(file), Console()
    training = records.KINDS[record.kind].training_of(record, given["task"])
    traces = traces_of(record) or "nothing"
    console.print(f"{titled(record)}; task {given['task']}", markup=False, highlight=False, soft_wrap=True)
    if length:
        if story is not None:
            raise UserError(f"story={story} length={length}: type one of them")
        if record.family != "haystack":
            raise UserError(f"length={length}: {file.name} is of another task; expected a record of task=haystack")
        network = of_stories(of_record(record, given["task"], given.results_dir))
        for shown in told_long(network, int(given["task"]), length):
            show(shown, traces, console)
        return
    if story is None:
        for shown in kept(record, training, given["task"]):
            show(shown, traces, console)
        return
    if not family_of(record.family).tells_stories:
        raise UserError(f"story={story}: {file.name} is of no bAbI task; leave story= out to see what it keeps")
    network = of_stories(of_record(record, given["task"], given.results_dir))
    typing = story == "-" and sys.stdin.isatty()
    if story == "-":
        if typing:
            console.print("one sentence per line, a question ends with ?, Ctrl-D ends")
        lines: Iterable[str] = sys.stdin
    else:
        lines = read_story(story)
    questions = 0
    for one in asked(network, lines, forgiving=typing):
        show(shown_of(one), traces, console, answered=bool(one.answer))
        questions += 1
    if not questions and not typing:
        raise UserError(f"story={story}: no question; expected a line that ends with a question mark")
