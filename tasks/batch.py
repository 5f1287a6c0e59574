"""What every task yields and every model reads.

Axis letters, here and in every model: U distinct sentences, J words a sentence, B stories of a batch, T sentences of
a story, N questions, F supporting facts, R restarts, V vocabulary, d width, K hops.
"""

from typing import NamedTuple

from torch import Tensor

PAD = 0  # the empty word, the empty sentence (row 0 of the table) and "no answer asked"
NONE = -1  # no (further) supporting fact


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
    answer: Tensor  # (N,) word id; PAD where a story of the batch has fewer questions than another
    support: Tensor  # (N, F) positions in the story of the supporting facts, NONE where there are fewer
    noise: Tensor | None = None  # what a model drew for this step of training, see MemoryNetwork.noise


class Sizes(NamedTuple):
    """How large a model's tables must be to hold a task."""

    vocabulary: int  # V, the empty word included
    sentence_length: int  # J of the longest sentence or question
    story_length: int  # sentences of the longest story
