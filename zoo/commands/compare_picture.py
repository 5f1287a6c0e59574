"""A picture of several networks that answer one question: where each one looked, and what each one said."""

from html import escape
from pathlib import Path
from typing import NamedTuple

from tasks.errors import UserError
from tasks.files import write_atomically
from zoo import records
from zoo.commands import Given
from zoo.commands.asking import asked, load, read_story
from zoo.families import family_of
from zoo.kinds.attention import example, probability
from zoo.records import Record
from zoo.traces import traces_of

MARGIN, ROW, CELL, GAP, BLOCK = 16, 22, 37, 14, 120  # pixels; BLOCK is the least width of a network's columns
LETTER = 6.7  # pixels, the width of a letter of the story
NOTHING = 0.005  # smaller weights are drawn in grey, and passes without a larger one at the end are left out
SHOWN = {  # what the numbers of a network are
    "weights": "attention",
    "gates": "gate",
    "writing": "origin of the read",
    "nothing": "does not say",
}


class Answered(NamedTuple):
    """A network's answer to the question, with where it looked."""

    name: str
    traces: str  # a key of SHOWN
    attention: list[list[float]]  # per hop, a weight for each of the last sentences of the story
    said: str
    probability: float
    right: bool | None  # None: the file does not give the answer
    facts: list[int]  # positions of the supporting facts, counted from the last sentence: -1


def draw(given: Given) -> Path:
    """Draw the picture that the arguments of `zoo draw` ask for, and return its file."""
    story, task = given["story"], given.get("task")
    if task is None:
        raise UserError(f"story={story}: task= is missing; task=2 asks the networks that learned task 2")
    if given.get("form"):
        raise UserError("form= is for sequences, and story= for questions; leave one of them out")
    lines = read_story(story)
    told, question = _last_question(lines, story)
    answers = [_answer(name, task, lines, given.results_dir) for name in given["run"].split(",")]
    out = Path(given.get("out") or given.results_dir / "pictures" / f"{Path(story).stem}.svg")
    text = picture(told, question, answers)
    write_atomically(out, lambda stream: stream.write(text.encode()))
    return out


def _last_question(lines: list[str], story: str) -> tuple[list[str], str]:
    """Find the last question of a file, and the sentences before it, as they are written there."""
    told: list[str] = []
    found = None
    for line in lines:
        said = line.partition("\t")[0].strip()
        if not said:
            told = []
        elif said.endswith("?"):
            found = list(told), said
        else:
            told.append(said)
    if found is None:
        raise UserError(f"story={story}: no line ends with a question mark; expected sentences, and a question")
    return found


def _answer(run: str, task: str, lines: list[str], results_dir: Path) -> Answered:
    """Ask the network of a run the last question."""
    record = _with_weights(run, task, results_dir)
    if not family_of(record.family).tells_stories:
        raise UserError(f"run={run}: {record.name} is of no bAbI task; no story can be told to it")
    training = records.KINDS[record.kind].training_of(record, task)
    ensemble, words, learned, sizes = load(record, training)
    *_, corpus = asked(lines, words, learned, sizes)
    shown = example(ensemble, 0, corpus, corpus.test, 0)
    right = shown["said"] == shown["answer"] if shown["answer"] else None
    likely = probability(ensemble, 0, corpus, corpus.test, 0)
    traces = traces_of(record) or "nothing"
    facts = [fact - len(shown["story"]) for fact in shown["facts"]]
    attention = list(shown["attention"])
    while attention and max(attention[-1]) < NOTHING:  # of passes that were not made
        attention.pop()
    return Answered(record.model, traces, attention, shown["said"], likely, right, facts)


def _with_weights(run: str, task: str, results_dir: Path) -> Record:
    """Find a record whose weights are here: among the results, or among runs that were made again."""
    made = results_dir / "repeated"
    for folder in (results_dir, made):
        try:
            record = records.read(records.find(run, folder, task))
        except (UserError, OSError):
            continue
        if records.weights_of(record.file).exists():
            return record
    return records.read(records.find(run, results_dir, task))  # `load` then says how to make the weights


def picture(told: list[str], question: str, answers: list[Answered]) -> str:
    """Draw an SVG: a row per sentence, and a block of columns per network, one column per hop.

    Args:
        told: the sentences of the story.
        question: stands below them.
        answers: of every network. A dot marks the supporting facts that they name.
    """
    facts = {len(told) + fact for answer in answers for fact in answer.facts}
    left = MARGIN + 16 + LETTER * max(len(said) for said in [*told, question])
    top = MARGIN + 3 * ROW
    bottom = top + ROW * len(told) + 8
    parts = []
    for place, said in enumerate(told):
        y = top + ROW * place + 15
        if place in facts:
            parts.append(f'<circle cx="{MARGIN + 4}" cy="{y - 5}" r="4" fill="#c2410c"/>')
        parts.append(_text(MARGIN + 16, y, said))
    parts.append(_text(MARGIN + 16, bottom + 15, question, weight="bold"))
    if facts:
        parts.append(f'<circle cx="{MARGIN + 4}" cy="{MARGIN + 2 * ROW + 10}" r="4" fill="#c2410c"/>')
        parts.append(_text(MARGIN + 16, MARGIN + 2 * ROW + 15, "supporting fact", size=11))
    x = left + GAP
    for answer in answers:
        parts += _block(answer, x, top, bottom, len(told))
        x += max(BLOCK, CELL * len(answer.attention)) + GAP
    width, height = x - GAP + MARGIN, bottom + 2 * ROW + MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" font-family="Helvetica, Arial, sans-serif" role="img">\n'
        f"<title>{escape(question)} {escape('; '.join(f'{of.name}: {of.said}' for of in answers))}</title>\n"
        '<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _block(answer: Answered, x: float, top: float, bottom: float, sentences: int) -> list[str]:
    """Draw the columns of a network: its name, a cell per sentence and hop, and its answer."""
    parts = [
        _text(x, MARGIN + 14, answer.name, weight="bold"),
        _text(x, MARGIN + ROW + 12, SHOWN[answer.traces], size=11),
    ]
    for hop, weights in enumerate(answer.attention):
        across = x + CELL * hop
        parts.append(_text(across + CELL / 2, MARGIN + 2 * ROW + 15, f"hop {hop + 1}", size=11, anchor="middle"))
        largest = max([*weights, 0.0]) or 1.0
        first = sentences - len(weights)  # earlier sentences are outside of the network's window
        for place, weight in enumerate(weights):
            share = max(weight, 0.0) / largest
            colour = f"rgb({round(255 - 175 * share)},{round(255 - 95 * share)},255)"
            y = top + ROW * (first + place)
            parts.append(
                f'<rect x="{across:.1f}" y="{y}" width="{CELL - 1}" height="{ROW - 1}" fill="{colour}" '
                'stroke="#d4d4d8" stroke-width="0.5"/>'
            )
            grey = "#a1a1aa" if weight < NOTHING else "#18181b"
            parts.append(_text(across + (CELL - 1) / 2, y + 15, f"{weight:.2f}", 11, "middle", grey))
    parts.append(_text(x, bottom + 15, answer.said, weight="bold"))
    verdict, colour = {True: ("✓ right, ", "#15803d"), False: ("✗ wrong, ", "#b91c1c"), None: ("", "#18181b")}[
        answer.right
    ]
    parts.append(_text(x, bottom + ROW + 13, f"{verdict}{100 * answer.probability:.0f} %", size=12, colour=colour))
    return parts


def _text(
    x: float,
    y: float,
    said: str,
    size: int = 13,
    anchor: str = "start",
    colour: str = "#18181b",
    weight: str = "normal",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" '
        f'fill="{colour}">{escape(said)}</text>'
    )
