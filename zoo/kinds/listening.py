"""The memory of a network that is told a story sentence by sentence, and asked at any time; in word ids.

A model that can go on (`MemoryNetwork.goes_on`) moves its state on, and keeps what it reads of each sentence. Every
other model keeps the sentences, all of them or the last of its window, and reads them when it is asked. So the cost of
a sentence does not grow with what was told before, and an answer is that of the batch form.
"""

from collections.abc import Callable
from itertools import islice
from typing import Any, NamedTuple, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tasks.batch import NONE, PAD, Candidates, Questions
from zoo import kernels
from zoo.interface import MemoryNetwork, Told, Trace

AT_ONCE = 1024  # sentences that a state moves on by in one call
MANY = 64  # sentences that repay loading kernels, or compiling them
SHOWN = 60  # sentences that an index shows a network at most
ROUNDS = 6  # of a search: the last shows the facts of five others


class Grown:
    """Rows that are appended. What a row costs does not depend on their number, and rows never change."""

    def __init__(self, first: Tensor) -> None:
        self._room = first.clone()
        self.count = len(first)

    def __len__(self) -> int:
        return self.count

    @property
    def rows(self) -> Tensor:
        return self._room[: self.count]

    def append(self, more: Tensor) -> None:
        needed = self.count + len(more)
        if needed > len(self._room):
            larger = self._room.new_empty(max(needed, 2 * len(self._room)), *self._room.shape[1:])
            larger[: self.count] = self.rows
            self._room = larger
        self._room[self.count : needed] = more
        self.count = needed


class Sentences:
    """All sentences in the order in which they were told; each distinct one is stored once.

    Args:
        length: words of a sentence, J.
    """

    def __init__(self, length: int) -> None:
        self._number = {bytes(8 * length): 0}  # of each distinct sentence; 0 is the empty one
        self._table = Grown(torch.zeros(1, length, dtype=torch.long))
        self._told = Grown(torch.zeros(0, dtype=torch.long))

    def append(self, sentences: np.ndarray) -> Tensor:
        """Add sentences, (T, J) word ids, and return their rows of the table."""
        number, before = self._number, len(self._table)
        as_bytes = np.ascontiguousarray(sentences).view(f"V{8 * sentences.shape[1]}").ravel().tolist()
        told = torch.tensor([number.setdefault(sentence, len(number)) for sentence in as_bytes])
        if len(number) > before:
            new = b"".join(list(islice(reversed(number), len(number) - before))[::-1])
            self._table.append(torch.from_numpy(np.frombuffer(new, np.int64).reshape(-1, sentences.shape[1]).copy()))
        self._told.append(told)
        return told

    @property
    def table(self) -> Tensor:
        """The distinct sentences, (U, J); row 0 is the empty one."""
        return self._table.rows

    @property
    def told(self) -> Tensor:
        """Rows of the table, (T,), oldest first."""
        return self._told.rows


class Window:
    """The last sentences that were told, as `Sentences` holds all of them.

    Args:
        length: words of a sentence, J.
        window: how many are kept.
    """

    def __init__(self, length: int, window: int) -> None:
        self.window = window
        self.table, self.told = torch.zeros(1, length, dtype=torch.long), torch.zeros(0, dtype=torch.long)

    def append(self, sentences: np.ndarray) -> None:
        kept = torch.cat([self.table[1:], torch.from_numpy(sentences)])[-self.window :]
        self.table = torch.cat([torch.zeros_like(self.table[:1]), kept])
        self.told = torch.arange(1, len(self.table))


class Found(NamedTuple):
    """An answer, and where it was found."""

    scores: Tensor  # (V,) or, of candidates, (C,)
    table: Tensor  # (U, J) word ids of distinct sentences
    told: Tensor  # (T,) rows of the table: the sentences that could be seen, oldest first
    look: Callable[[], Tensor]  # computes the attention to each of them at each hop, (K, T)
    places: np.ndarray | None = None  # (T,) of these sentences in the story, if only some were looked at


class Listener:
    """A network, and what it keeps of one story.

    Args:
        network: on the CPU, in evaluation.
        length: words of a sentence, J.
        unseen: (V,) words that never occurred in training.
        candidates: the replies, if the network chooses among replies.
    """

    def __init__(
        self, network: MemoryNetwork, length: int, unseen: Tensor | None = None, candidates: Candidates | None = None
    ) -> None:
        self.network, self.length, self.unseen, self.candidates = network, length, unseen, candidates
        self._sentences = Sentences(length) if keeps_all(network) else Window(length, network.window)
        self._state: Any = None  # of a network that can go on
        self._each: Grown | None = None
        self.count = 0  # sentences told

    def tell(self, sentences: np.ndarray) -> None:
        """Hear sentences, (T, J) word ids, PAD behind the last word of each."""
        self.count += len(sentences)
        with torch.inference_mode(), kernels.switched(self._pays(len(sentences))):
            for begin in range(0, len(sentences), AT_ONCE):
                some = sentences[begin : begin + AT_ONCE]
                self._sentences.append(some)
                if self.network.goes_on:
                    self._go_on(torch.from_numpy(some))

    @staticmethod
    def _pays(sentences: int) -> bool | str:
        """Say whether so many sentences repay loading kernels: what `kernels.switched` takes."""
        return "auto" if sentences >= MANY else False

    def _go_on(self, sentences: Tensor) -> None:
        distinct, row = torch.unique(sentences, dim=0, return_inverse=True)
        batch = self._batch(torch.cat([torch.zeros_like(distinct[:1]), distinct]), 1 + row[None], PAD, len(sentences))
        write = cast(Callable[..., Told], self.network.write)
        before = self.network.first_memory() if self._state is None else Told(self._state, None)
        self._state, each = write(self.network.encode(batch), batch, before)
        if each is not None and self._each is None:
            self._each = Grown(each[0])
        elif each is not None and self._each is not None:
            self._each.append(each[0])

    def ask(self, question: np.ndarray) -> Found:
        """Answer a question, (J,) word ids, about all that was told so far."""
        with torch.inference_mode(), kernels.switched(self._pays(self.count)):
            return (self._recalled if self.network.goes_on else self._read)(torch.from_numpy(question))

    def _recalled(self, question: Tensor) -> Found:
        """Answer from the state."""
        told, state, sentences = self.count, self._state, self._sentences
        each = None if self._each is None else self._each.rows
        # what a sentence wrote is needed for the trace alone
        read = each[-1:] if each is not None and self.network.traces == "writing" else each
        table, rows = sentences.table, sentences.told

        def answer(each: Tensor | None) -> tuple[Tensor, Trace]:
            length = told if each is None else len(each)
            stories = torch.zeros(1, 1, dtype=torch.long).expand(1, length)
            batch = self._batch(torch.stack([torch.zeros_like(question), question]), stories, 1, told)
            memory = Told(state, None if each is None else each[None])
            recall, trace = self.network.read(memory, self.network.encode(batch), batch)
            scores = self.network.respond(recall) if self.candidates is None else self.network.rank(recall, batch)
            return scores[0], cast(Trace, self.network.traced(trace, batch))

        scores, trace = answer(read)

        def look() -> Tensor:
            with torch.inference_mode(), kernels.switched(self._pays(told)):
                if each is None and self.network.traces != "nothing":  # only the whole story tells
                    return self._whole(table, rows, question)[1]
                return (trace if read is each else answer(each)[1]).attention[0]

        return Found(scores, table, rows, look)

    def _read(self, question: Tensor) -> Found:
        """Answer about the sentences that are kept."""
        table, told = self._sentences.table, self._sentences.told
        scores, attention = self._whole(table, told, question)
        return Found(scores, table, told, lambda: attention)

    def _whole(self, table: Tensor, told: Tensor, question: Tensor) -> tuple[Tensor, Tensor]:
        """Compute scores and attention as the batch form does."""
        slots = self.network.window if self.network.counts_empty else max(1, len(told))
        stories = F.pad(told[None], (0, slots - len(told)), value=PAD)
        batch = self._batch(torch.cat([table, question[None]]), stories, len(table), len(told))
        answer = self.network(batch)
        return answer.scores[0], cast(Trace, answer.trace).attention[0, :, : len(told)]

    def _batch(self, table: Tensor, stories: Tensor, question: int, told: int) -> Questions:
        """One story, and a question about it."""
        one = torch.ones(1, dtype=torch.long)
        return Questions(
            table, stories, one - 1, told * one, question * one, one, torch.full((1, 1), NONE),
            candidates=self.candidates, unseen=self.unseen,
        )  # fmt: skip


class Index:
    """Words → the sentences that have them. What a sentence costs, and a search, does not grow with the story.

    Each word of a sentence knows where the same word was said before, and each word where it was said last.
    """

    def __init__(self, length: int) -> None:
        self.length, self.told = length, 0
        self._before = Grown(torch.zeros(0, dtype=torch.int32))  # (T J,) of each word told; NONE for the first
        self._last = np.full(0, NONE, np.int32)  # (V,) where each word was told last
        self.count = np.zeros(0, np.int64)  # (V,) how often each word was told

    def append(self, sentences: np.ndarray) -> None:
        """Add sentences, (T, J) word ids."""
        words = sentences.ravel()
        order = words.argsort(kind="stable")  # those of a word lie together, the oldest first
        of_word = words[order]
        first = np.flatnonzero(np.r_[True, of_word[1:] != of_word[:-1]])
        distinct, place = of_word[first], order.astype(np.int32) + np.int32(self.told * self.length)
        if (missing := int(distinct[-1]) + 1 - len(self._last)) > 0:
            self._last = np.r_[self._last, np.full(missing, NONE, np.int32)]
            self.count = np.r_[self.count, np.zeros(missing, np.int64)]
        previous = np.r_[place[:1], place[:-1]]
        previous[first] = self._last[distinct]
        before = np.empty_like(previous)
        before[order] = previous
        self._before.append(torch.from_numpy(before))
        ends = np.r_[first[1:], len(words)]
        self._last[distinct] = place[ends - 1]
        self.count[distinct] += ends - first
        self.told += len(sentences)

    def last(self, words: np.ndarray) -> int | None:
        """Find the last sentence that has the rarest of these words; None if none of them was told."""
        words = words[(words != PAD) & (words < len(self.count))]
        words = words[self.count[words] > 0]
        return int(self._last[words[self.count[words].argmin()]]) // self.length if len(words) else None

    def find(self, words: np.ndarray, most: int) -> np.ndarray:
        """Find up to `most` sentences that have one of these words, (T,) places, oldest first.

        The rarest words come first, and a word that is in more sentences than there is room for finds nothing.
        """
        words = np.unique(words)
        words = words[(words != PAD) & (words < len(self.count))]
        words = words[self.count[words] > 0]
        found: set[int] = set()
        before = self._before.rows.numpy()
        for word in words[self.count[words].argsort(kind="stable")].tolist():
            if self.count[word] > most:
                break
            places, at = set(), int(self._last[word])
            while at != NONE:
                places.add(at // self.length)
                at = int(before[at])
            if len(found | places) > most:
                break
            found |= places
        return np.array(sorted(found), np.int64)


def keeps_all(network: MemoryNetwork) -> bool:
    """Tell whether a network keeps what all sentences have left, and not those of a window alone."""
    return network.goes_on or network.unbounded or network.batched_by == "story"


def can_search(network: MemoryNetwork) -> bool:
    """Tell whether an index can follow what a network looks at: it keeps sentences, and attends to them."""
    return not network.goes_on and network.traces == "weights"


class Searching:
    """A network that is shown only the sentences that an index of words finds.

    Args:
        network: on the CPU, in evaluation.
        length: words of a sentence, J.
        unseen: (V,) words that never occurred in training.
        follow: "facts": the index is asked for the words of the question and of the facts that the network looked at
            most, until it looks at no other; "words": for those of the question, and of all sentences that these find,
            which needs no network.
    """

    def __init__(
        self, network: MemoryNetwork, length: int, unseen: Tensor | None = None, follow: str = "facts"
    ) -> None:
        self.network, self.length, self.unseen, self.follow = network, length, unseen, follow
        self._index, self._sentences = Index(length), Sentences(length)
        self.most = min(SHOWN, network.window) if not network.unbounded else SHOWN

    @property
    def count(self) -> int:
        """The number of sentences that were told."""
        return self._index.told

    def tell(self, sentences: np.ndarray) -> None:
        """Hear sentences, (T, J) word ids, PAD behind the last word of each."""
        for begin in range(0, len(sentences), AT_ONCE):
            self._index.append(sentences[begin : begin + AT_ONCE])
            self._sentences.append(sentences[begin : begin + AT_ONCE])

    def ask(self, question: np.ndarray) -> Found:
        """Answer a question, (J,) word ids, about what the index finds; without any find, about the last sentences."""
        places = self.found(question)
        if self.follow == "words":
            return self._about(question, places)
        asked: set[int] = set()
        for _ in range(ROUNDS):
            answer = self._about(question, places)
            attention = answer.look()
            facts = {int(places[at]) for at in attention.argmax(1).tolist()} if len(attention) else set()
            if facts <= asked:
                break
            asked |= facts
            words = np.concatenate([question, self.sentences(sorted(asked)).ravel()])
            places = self.found(words)
        return answer

    def found(self, words: np.ndarray) -> np.ndarray:
        """Find the places of the sentences to look at."""
        places = self._index.find(words, self.most)
        if len(places) and self.follow == "words":
            more = self._index.find(np.concatenate([words, self.sentences(places).ravel()]), self.most)
            places = more if len(more) else places
        return places if len(places) else np.arange(max(0, self.count - self.most), self.count)

    def sentences(self, places: np.ndarray | list[int]) -> np.ndarray:
        """Get sentences by their places, (T, J) word ids."""
        return self._sentences.table[self._sentences.told[torch.as_tensor(places)]].numpy()

    def _about(self, question: np.ndarray, places: np.ndarray) -> Found:
        listener = Listener(self.network, self.length, self.unseen)
        listener.tell(self.sentences(places))
        return listener.ask(question)._replace(places=places)
