"""A trained network that answers questions about stories in words."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tasks.batch import Candidates, Sizes
from tasks.errors import UserError, nearest
from tasks.wikimovies.text import Names
from zoo.families import family_of
from zoo.interface import MemoryNetwork
from zoo.kinds.listening import Found, Listener, Searching, can_search
from zoo.pretrained.reading import READERS, Reader
from zoo.pretrained.reply import Reply
from zoo.records.weights import About, Trained
from zoo.training.packing import spoken_words

KNOWN = 60  # words of a task that a message lists
REMEMBERED = 100_000  # texts that are read once
ROOM = 50  # new words that a network can be told, if it can read words that it has not learned


class Network:
    """A trained network, made by `zoo.load`.

    Attributes:
        model: the network, a `torch.nn.Module`; `model(batch)` is the batch form.
        words: of its task, by their numbers; the empty word is the first.
        about: what is known of its training: record, model, data, settings, errors.
        training: its name within the run: the number of a task, or "joint".
    """

    def __init__(self, model: MemoryNetwork, about: About, training: str, trained: Trained) -> None:
        self.model, self.about, self.training, self.trained = model, about, training, trained
        self.words = list(trained.facts.words)
        self.sizes = Sizes(*trained.facts.sizes)
        self.unseen = torch.zeros(len(self.words), dtype=torch.bool)
        self.unseen[trained.facts.unlearned] = True
        self._number = {word: number for number, word in enumerate(self.words)}
        self._told: dict[str, np.ndarray] = {}  # of texts that were read
        tables = {name: torch.from_numpy(table).long() for name, table in trained.candidates.items()}
        self.candidates = Candidates(**tables) if tables else None

    def __repr__(self) -> str:
        return f"{self.name}: {self.about.title}, task {self.training}, {self.about.said_error(self.training)}"

    @property
    def name(self) -> str:
        return self.about.model

    @cached_property
    def answers(self) -> list[str]:
        """The text of each answer, by its number."""
        if self.candidates is None:
            return self.words
        return [" ".join(self.words[word] for word in reply if word) for reply in self.candidates.words.tolist()]

    @property
    def can_search(self) -> bool:
        """Whether an index of words can find what it looks at; it answers with a word, not with a reply of a dialog."""
        return can_search(self.model) and self.candidates is None

    def listen(self, index: bool = False) -> "Memory":
        """Return an empty memory of this network, to be told a story and asked about it.

        Args:
            index: of a long story, the network sees only the sentences that an index of words finds: first those that
                share the rarest words with the question, then with the facts that it looks at. So the time of a
                question does not grow with the story. It takes a model that keeps sentences and attends to them.
        """
        return Memory(self, index)

    def answer(self, story: str | Iterable[str], question: str) -> Reply:
        """Answer a question about a story.

        Args:
            story: its sentences, or a text with one sentence per line.
            question: ends with a question mark or not.
        """
        if not isinstance(story, str | Iterable) or isinstance(story, bytes):
            raise UserError(f"a story {story!r}: expected sentences, or a text with one sentence per line")
        if not isinstance(question, str):
            raise UserError(f"a question {question!r}: expected a text, as in 'Where is Mary?'")
        sentences = [story] if isinstance(story, str) else list(story)
        for one in sentences:
            if not isinstance(one, str):
                raise UserError(f"a sentence {one!r}: expected a text, as in 'Mary took the milk.'")
        return self.listen().tell(*sentences).ask(question)

    @cached_property
    def _reader(self) -> Reader:
        return READERS[family_of(self.about.family).reads]

    @cached_property
    def _names(self) -> Names:
        """Entities of several words among the vocabulary, to be found in a question."""
        names = Names()
        for word in self.words[1:]:
            names.add(word)
        return names

    def told(self, text: str) -> np.ndarray:
        """Read a text that is told: its sentences as word ids, (sentences, J). A text that comes again is read once."""
        found = self._told.get(text)
        if found is None:
            rows = [self._row(words, text) for words in self._reader.told(text, self._names) if len(words)]
            found = np.stack(rows) if rows else np.zeros((0, self.sizes.sentence_length), np.int64)
            if len(self._told) < REMEMBERED:
                self._told[text] = found
        return found

    def asked(self, text: str) -> np.ndarray:
        """Read a question, (J,) word ids."""
        words = self._reader.asked(text, self._names)
        if not len(words):
            raise UserError(f"a question '{text}': expected words, as in 'Where is Mary?'")
        return self._row(words, text)

    def _row(self, spoken: Sequence[str], text: str) -> np.ndarray:
        """Number the words of a sentence.

        An unknown word is read as one where the model can, and otherwise refused with the nearest known one.
        """
        new = list(dict.fromkeys(word for word in spoken if word not in self._number))
        room = len(self.listener[1]) - len(self.words)
        if len(new) > room:
            known = spoken_words(self.words)
            listed = f"it has {', '.join(known)}" if len(known) <= KNOWN else f"it has {len(known):,} words"
            is_full = len(self.listener[1]) > self.sizes.vocabulary
            full = f", and the network has room for {ROOM} new ones only; load it again" if is_full else ""
            raise UserError(f"'{new[0]}' is no word of this task{full}{nearest(new[0], known)} ({listed})")
        if len(spoken) > self.sizes.sentence_length:
            raise UserError(
                f"a sentence of {len(spoken)} words: expected at most {self.sizes.sentence_length}, and each sentence "
                f"on a line of its own ({text.strip()})"
            )
        for word in new:
            self._number[word] = len(self.words)
            self.words.append(word)
        row = np.zeros(self.sizes.sentence_length, np.int64)
        row[: len(spoken)] = [self._number[word] for word in spoken]
        return row

    def text(self, sentence: Tensor) -> str:
        """Spell a sentence, (J,) word ids."""
        return " ".join(self.words[word] for word in sentence.tolist() if word)

    @cached_property
    def listener(self) -> tuple[MemoryNetwork, Tensor]:
        """The network that listens, with room for new words if it can read them, and which words are unseen."""
        wider = self.model.room_for(ROOM)
        if wider is None:
            return self.model, self.unseen
        return wider.eval().requires_grad_(False), F.pad(self.unseen, (0, ROOM), value=True)


class Memory:
    """A network's memory of a story. It is told sentences and asked questions, in any order.

    A sentence costs the same however many were told before. An answer is that of the batch form.
    """

    def __init__(self, network: Network, index: bool = False) -> None:
        self.network = network
        model, unseen = network.listener
        self._listener: Listener | Searching
        if not index:
            self._listener = Listener(model, network.sizes.sentence_length, unseen, network.candidates)
        elif not network.can_search:
            raise UserError(
                f"index=True: {network.name} has no use for it; it takes a model that keeps sentences, attends to them "
                "and answers with a word, as memn2n does"
            )
        else:
            self._listener = Searching(model, network.sizes.sentence_length, unseen)

    def __len__(self) -> int:
        """The number of sentences that were told."""
        return self._listener.count

    def tell(self, *sentences: str | np.ndarray | Sequence[str]) -> "Memory":
        """Tell sentences, the oldest first.

        Args:
            sentences: texts, with one sentence per line; or a list of them; or one array of word ids, (T, J) or shorter
                rows, with 0 behind the last word of a sentence, which is much faster for many.
        """
        length = self.network.sizes.sentence_length
        given: Any = sentences
        if len(sentences) == 1 and not isinstance(sentences[0], str):
            (given,) = sentences
            if not (isinstance(given, list | tuple) and any(isinstance(one, str) for one in given)):
                self._listener.tell(checked(given, length, len(self.network.words)))
                return self
        for one in given:
            if not isinstance(one, str):
                raise UserError(f"a sentence {one!r}: expected a text, or an array of word ids alone")
        texts = [line for one in given for line in (one.splitlines() if "\n" in one else [one])]
        if rows := [self.network.told(text) for text in texts if text.strip()]:
            self._listener.tell(np.concatenate(rows))
        return self

    def ask(self, question: str | np.ndarray) -> Reply:
        """Answer a question about all that was told so far; the question itself is not remembered."""
        network = self.network
        if not len(self) and network.candidates is None:  # in a dialog the user may speak first
            raise UserError("a question before any sentence: tell a story first, a sentence a line")
        if isinstance(question, str):
            row = network.asked(question)
        else:
            row = checked(np.asarray(question)[None], network.sizes.sentence_length, len(network.words))[0]
        found = self._listener.ask(row)
        return reply_of(network, row, found, len(self))


def reply_of(network: Network, question: np.ndarray, found: Found, told: int) -> Reply:
    """Put an answer into words."""

    def story() -> list[str]:
        texts = {row: network.text(found.table[row]) for row in found.told.unique().tolist()}
        return [texts[row] for row in found.told.tolist()]

    return Reply(
        network.name,
        network.text(torch.from_numpy(question)),
        network.answers,
        found.scores[: len(network.answers)].numpy(),  # without room for words that nobody has said
        np.arange(told - len(found.told), told) if found.places is None else found.places,
        story,
        lambda: found.look().numpy(),
        network.model.traces,
    )


def checked(sentences: np.ndarray, length: int, vocabulary: int) -> np.ndarray:
    """Check an array of sentences, and fill it up to (T, J)."""
    try:
        rows = np.asarray(sentences)
    except ValueError:
        raise UserError("rows of different lengths: expected an array, (sentences, words)") from None
    if rows.ndim != 2 or rows.dtype.kind not in "iu" or rows.shape[1] > length:
        raise UserError(f"an array of {rows.dtype}, {rows.shape}: expected whole numbers, (sentences, up to {length})")
    if rows.size and (rows.min() < 0 or rows.max() >= vocabulary):
        raise UserError(f"word ids from {rows.min()} to {rows.max()}: expected 0 to {vocabulary - 1}")
    filled = np.zeros((len(rows), length), np.int64)
    filled[:, : rows.shape[1]] = rows
    return filled
