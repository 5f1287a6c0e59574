"""What every task yields and every model reads: questions about stories, or sequences.

Axis letters, here and in every model: U distinct sentences, J words a sentence, B stories or sequences of a batch, T
sentences of a story or steps of a sequence, N questions, F supporting facts, R restarts, V vocabulary, C candidate
replies, d width, K hops.
"""

from typing import NamedTuple

from torch import Tensor

PAD = 0  # the empty word, the empty sentence (row 0 of the table) and "no answer asked"
NONE = -1  # no (further) supporting fact


def is_right(said: Tensor, answer: Tensor, golds: Tensor | None) -> Tensor:
    """Whether answers, (..., N), are the one of each question or, where it has several, among them."""
    return said == answer if golds is None else (said[..., None] == golds).any(-1)


class Candidates(NamedTuple):
    """The replies that a task allows, for tasks whose answer is one of them and not a word.

    With match types (Bordes et al., 2017) some words are entities of a type, a telephone number for example, and each
    type is a word of the vocabulary. It is one word more of a candidate that has an entity of the type which was also
    said in the story or in the question. Without match types there are no types.
    """

    words: Tensor  # (C, J) word ids, 0 where a reply is shorter; row 0 is the empty reply, which is never right
    types: Tensor  # (M,) the word of each type
    entities: Tensor  # (M, C, E) the words of each reply that are entities of each type, 0 where there are fewer


class Questions(NamedTuple):
    """Three tables: distinct sentences, the stories told with them, the questions asked about the stories.

    A batch drawn *by question* holds one story a question, cut to what had been told when it was asked: `story` is
    0, 1, 2 …, and the question sees its whole row. A batch drawn *by story* holds each story once and all of its
    questions, each of which sees the first `told` sentences of its story only.
    """

    sentences: Tensor  # (U, J) word ids, 0 where a sentence is shorter; row 0 is the empty sentence
    stories: Tensor  # (B, T) rows of `sentences`, oldest first, 0 behind the last
    story: Tensor  # (N,) the row of `stories` that a question is about
    told: Tensor  # (N,) how many sentences of it had been told
    question: Tensor  # (N,) row of `sentences`
    answer: Tensor  # (N,) word id, or row of the candidates; PAD where a story has fewer questions than another
    support: Tensor  # (N, F) positions in the story of the supporting facts, NONE where there are fewer; see `golds`
    noise: Tensor | None = None  # what a model drew for this step of training, see MemoryNetwork.noise
    candidates: Candidates | None = None  # where an answer is one of these and not a word
    # (N, G) where several answers are right: all of them, PAD where there are fewer; then each fact is enough for one
    golds: Tensor | None = None
    unseen: Tensor | None = None  # (V,) words that nothing has which the task is learned from; None: nobody knows

    @property
    def rows(self) -> int:
        """The number of stories, of each restart if there are several."""
        return self.stories.shape[-2]

    def right(self, said: Tensor) -> Tensor:
        """Whether answers, (..., N), are right."""
        return is_right(said, self.answer, self.golds)

    @property
    def asked(self) -> Tensor:
        """How many questions it holds, with restarts (R,)."""
        return (self.answer != PAD).sum(-1)


class Sequences(NamedTuple):
    """Sequences of vectors, and the bits that are to be produced while or after they are seen."""

    inputs: Tensor  # (B, T, I)
    targets: Tensor  # (B, T, O) bits, 0 or 1
    mask: Tensor  # (B, T) true in the steps whose targets are asked for

    @property
    def rows(self) -> int:
        """The number of sequences, of each restart if there are several."""
        return self.inputs.shape[-3]

    @property
    def asked(self) -> Tensor:
        """How many sequences it holds, with restarts (R,)."""
        return self.mask.any(-1).sum(-1)


Batch = Questions | Sequences


class Sizes(NamedTuple):
    """How large a model's tables must be to hold a task of `Questions`."""

    vocabulary: int  # V, the empty word included
    sentence_length: int  # J of the longest sentence or question
    story_length: int  # sentences of the longest story


class Widths(NamedTuple):
    """How wide the vectors of a task of `Sequences` are."""

    inputs: int  # I
    outputs: int  # O
