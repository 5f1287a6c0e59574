"""Trained networks, and questions for them that somebody types: `zoo explain` and `zoo draw story=` share them."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from tasks import tensors
from tasks.babi.text import WORD
from tasks.batch import NONE, PAD, Sizes
from tasks.corpus import Corpus, Split
from tasks.errors import UserError, nearest
from zoo import records
from zoo.records import Record
from zoo.runs.bounds import check_layers, check_networks
from zoo.runs.known import check_known
from zoo.training.build import build
from zoo.training.ensemble import Ensemble
from zoo.training.packing import spoken_words


def load(record: Record, training: str) -> tuple[Ensemble, list[str], Tensor, Sizes]:
    """Load the network that validation selected, the words of its task, a mask of the learned ones, and its sizes."""
    weights = records.weights_of(record.file)
    if not weights.exists():
        part = "" if training == "joint" else f" task={training}"
        raise UserError(
            f"{weights} is not here: weights stay on the machine that made a run\n"
            f"  to make them here:  zoo repeat run={record.name}{part}\n"
            "  and then ask with:  results_dir=results/repeated"
        )
    check_known(record)
    try:
        stored = tensors.load(weights)[training]
        sizes, words = Sizes(*stored["sizes"]), stored["words"]
        check_layers(record.settings["model"])
        with torch.device("meta"):
            check_networks(build(record.settings["model"], sizes, seed=0), 1, 1)
        ensemble = Ensemble([build(record.settings["model"], sizes, seed=0)])
        with torch.no_grad():
            ensemble.weights[0] = stored["weights"]
        learned = stored.get("learned", torch.ones(len(words), dtype=torch.bool))
    except UserError as error:
        raise UserError(f"{record.file}: {error}") from None
    except (OSError, tensors.Damaged, LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        said = str(error).partition("\n")[0]
        raise UserError(f"{weights}: {said}; zoo repeat run={record.name} makes the weights again") from None
    return ensemble, words, learned, sizes


def read_story(story: str) -> list[str]:
    """Read the lines of a story file."""
    if not Path(story).is_file():
        raise UserError(f"story={story}: no such file; story=- reads what you type")
    try:
        return Path(story).read_text("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise UserError(f"story={story}: not a text in UTF-8 ({error.reason} at byte {error.start})") from None


def asked(
    lines: Iterable[str], words: list[str], learned: Tensor, sizes: Sizes, forgiving: bool = False
) -> Iterator[Corpus]:
    """Yield a corpus for every question: the question itself and the sentences before it.

    An empty line begins a new story. A question may be followed by a tab and its answer, then by a tab and the numbers
    of the lines that hold the supporting facts, as in bAbI's files. Without an answer the answer is PAD.

    Args:
        lines: one sentence or question each.
        words: of the network's task.
        learned: a mask of the words that occurred in training.
        sizes: of the network.
        forgiving: print what is wrong with a line and wait for another, instead of raising an error.
    """
    number = {word: i for i, word in enumerate(words)}
    told: list[list[int]] = []
    places: list[int] = []  # of each line of the story: the position of its sentence, NONE for a question
    for line in lines:
        said, _, known = line.partition("\t")
        is_question = said.rstrip().endswith("?")
        try:
            row = _word_ids(said, number, words, sizes)
            if is_question and not told:
                raise UserError("a question before any sentence: tell a story first, a sentence a line")
            answer, facts = _answer(known, number, places)
        except UserError as error:
            if not forgiving:
                raise
            print(error)
            continue
        if not row:
            told, places = [], []
            continue
        places.append(NONE if is_question else len(told))
        if not is_question:
            told.append(row)
            continue
        table = [[], *told, row]
        sentences = torch.tensor([of + [0] * (sizes.sentence_length - len(of)) for of in table])
        one = torch.tensor([0])
        split = Split(
            torch.arange(1, len(told) + 1), torch.tensor([0, len(told)]), one, one + len(told),
            one + len(told) + 1, one + answer, torch.tensor([facts or [NONE]]), one,
        )  # fmt: skip
        yield Corpus(words, sentences, split, split, split, learned=learned)


def _word_ids(line: str, number: dict[str, int], words: list[str], sizes: Sizes) -> list[int]:
    """Turn the words of a line into their numbers."""
    spoken = WORD.findall(line.lower())
    if unknown := [word for word in spoken if word not in number]:
        known = spoken_words(words)
        near = nearest(unknown[0], known)
        raise UserError(f"'{unknown[0]}' is no word of this task{near} (it has {', '.join(known)})")
    if len(spoken) > sizes.sentence_length:
        raise UserError(f"{len(spoken)} words: expected at most {sizes.sentence_length} ({line.strip()})")
    return [number[word] for word in spoken]


def _answer(known: str, number: dict[str, int], places: list[int]) -> tuple[int, list[int]]:
    """Read the answer and the supporting facts behind a question; PAD and no facts if they are not given."""
    answer, _, facts = (part.strip().lower() for part in known.partition("\t"))
    if answer and answer not in number:
        raise UserError(f"'{answer}' is no answer of this task{nearest(answer, list(number))}")
    lines = facts.split()
    for line in lines:
        if not re.fullmatch("[0-9]{1,9}", line) or not 1 <= int(line) <= len(places) or places[int(line) - 1] == NONE:
            raise UserError(f"supporting fact '{line}': expected the number of a sentence of the story")
    return number[answer] if answer else PAD, [places[int(line) - 1] for line in lines]
