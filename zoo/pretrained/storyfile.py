"""Stories that somebody has written: a file with a sentence per line, and questions among them."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from tasks.errors import UserError, nearest
from zoo.pretrained.network import Network
from zoo.pretrained.reply import Reply


class Asked(NamedTuple):
    """A question of the story, answered."""

    reply: Reply
    told: int  # sentences before it
    answer: str  # as the file has it; empty if it does not say
    facts: list[int]  # positions of the supporting facts among the sentences


def read_story(story: str) -> list[str]:
    """Read the lines of a story file."""
    if not Path(story).is_file():
        raise UserError(f"story={story}: no such file; story=- reads what you type")
    try:
        return Path(story).read_text("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise UserError(f"story={story}: not a text in UTF-8 ({error.reason} at byte {error.start})") from None


def asked(network: Network, lines: Iterable[str], forgiving: bool = False) -> Iterator[Asked]:
    """Tell a network the lines of a story, and yield its answer to every question among them.

    An empty line begins a new story. A question may be followed by a tab and its answer, then by a tab and the numbers
    of the lines that hold the supporting facts, as in bAbI's files.

    Args:
        network: is told the story.
        lines: one sentence or question each.
        forgiving: print what is wrong with a line and wait for another, instead of raising an error.
    """
    memory = network.listen()
    places: list[int | None] = []  # of each line of the story: the position of its sentence, None for a question
    for line in lines:
        said, _, known = line.partition("\t")
        if not said.strip():
            memory, places = network.listen(), []
            continue
        try:
            if not said.rstrip().endswith("?"):
                memory.tell(said)
                places.append(len(memory) - 1)
                continue
            answer, facts = _known(known, network, places)
            reply = memory.ask(said)
        except UserError as error:
            if not forgiving:
                raise
            print(error)
            continue
        places.append(None)
        yield Asked(reply, len(memory), answer, facts)


def _known(known: str, network: Network, places: list[int | None]) -> tuple[str, list[int]]:
    """Read the answer and the supporting facts behind a question; empty if they are not given."""
    answer, _, facts = (part.strip().lower() for part in known.partition("\t"))
    if answer and answer not in network.answers:
        raise UserError(f"'{answer}' is no answer of this task{nearest(answer, network.answers)}")
    found = []
    for line in facts.split():
        place = places[int(line) - 1] if re.fullmatch("[1-9][0-9]{0,8}", line) and int(line) <= len(places) else None
        if place is None:
            raise UserError(f"supporting fact '{line}': expected the number of a sentence of the story")
        found.append(place)
    return answer, found
