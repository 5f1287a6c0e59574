"""Batches: questions about stories, or sequences of vectors. Every task yields them, every model reads them.

Axis letters, here and in every model: U distinct sentences, J words per sentence, B stories or sequences per batch, T
sentences per story or steps per sequence, N questions, F supporting facts, R restarts, V vocabulary, C candidate
replies, d width, K hops.
"""

from typing import NamedTuple

from torch import Tensor

PAD = 0  # the empty word, the empty sentence (row 0 of the table) and "no answer asked"
NONE = -1  # no (further) supporting fact


def is_right(said: Tensor, answer: Tensor, golds: Tensor | None) -> Tensor:
    """Mark the answers, (..., N), that are the question's answer or, if it has several, one of them."""
    return said == answer if golds is None else (said[..., None] == golds).any(-1)


class Candidates(NamedTuple):
    """The allowed replies, for tasks whose answer is one of them and not a word.

    With match types (Bordes et al., 2017) some words are entities of a type, a telephone number for example, and each
    type is a word of the vocabulary. A candidate gets that word in addition if it holds an entity of the type that
    also occurs in the story or the question. Without match types there are no types.
    """

    words: Tensor  # (C, J) word ids, 0 where a reply is shorter; row 0 is the empty reply, which is never right
    types: Tensor  # (M,) the word of each type
    entities: Tensor  # (M, C, E) the words of each reply that are entities of each type, 0 where there are fewer


class Questions(NamedTuple):
    """Three tables: distinct sentences, stories told with them, questions asked about the stories.

    A batch drawn *by question* holds one story per question, cut to the sentences told before it: `story` is 0, 1, 2 …,
    and the question sees its whole row. A batch drawn *by story* holds each story once and all of its questions, each
    of which sees only the first `told` sentences of its story.
    """

    sentences: Tensor  # (U, J) word ids, 0 where a sentence is shorter; row 0 is the empty sentence
    stories: Tensor  # (B, T) rows of `sentences`, oldest first, 0 behind the last
    story: Tensor  # (N,) row of `stories` for each question
    told: Tensor  # (N,) number of sentences of the story that the question sees
    question: Tensor  # (N,) row of `sentences`
    answer: Tensor  # (N,) word id, or row of the candidates; PAD where a story has fewer questions than another
    support: Tensor  # (N, F) positions of the supporting facts in the story, NONE where there are fewer; see `golds`
    noise: Tensor | None = None  # random inputs of this training step, see MemoryNetwork.noise
    candidates: Candidates | None = None  # the replies to choose from, if an answer is a reply and not a word
    # (N, G) all right answers where a question may have several, PAD where it has fewer; each fact then suffices alone
    golds: Tensor | None = None
    unseen: Tensor | None = None  # (V,) words that never occur in training; None if unknown

    @property
    def rows(self) -> int:
        """The number of stories, of each restart if there are several."""
        return self.stories.shape[-2]

    def right(self, said: Tensor) -> Tensor:
        """Mark the answers, (..., N), that are right."""
        return is_right(said, self.answer, self.golds)

    @property
    def asked(self) -> Tensor:
        """The number of questions, without padding; with an axis of restarts (R,)."""
        return (self.answer != PAD).sum(-1)


class Sequences(NamedTuple):
    """Sequences of vectors, and the bits to produce while or after they are shown."""

    inputs: Tensor  # (B, T, I)
    targets: Tensor  # (B, T, O) bits, 0 or 1
    mask: Tensor  # (B, T) true in the steps whose targets are scored

    @property
    def rows(self) -> int:
        """The number of sequences, of each restart if there are several."""
        return self.inputs.shape[-3]

    @property
    def asked(self) -> Tensor:
        """The number of sequences; with an axis of restarts (R,)."""
        return self.mask.any(-1).sum(-1)


Batch = Questions | Sequences


class Sizes(NamedTuple):
    """The table sizes that a model needs for a task of `Questions`."""

    vocabulary: int  # V, the empty word included
    sentence_length: int  # J of the longest sentence or question
    story_length: int  # sentences of the longest story


class Widths(NamedTuple):
    """The vector widths of a task of `Sequences`."""

    inputs: int  # I
    outputs: int  # O
