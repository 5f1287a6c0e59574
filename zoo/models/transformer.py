"""Transformer: the yardstick of today.

Paper: Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser and Polosukhin, 2017, "Attention Is All You Need"
(arXiv:1706.03762), section 3. Numbers of equations are the paper's.
Symbols: x the token of a sentence or of the question, Q K V queries, keys and values, d_k width of a head.
Deviations:
- Tokens are sentences, sums of word vectors with position encoding, as MemN2N reads them, not words: so it has the same
  view of a story as the memory networks, and a story is short enough. The question is a token of its own.
- Positions are learned vectors for how long ago a sentence was told, with gaps in training as in MemN2N.
- Normalisation comes before a sublayer, not behind it, and once more at the end.
- The question attends to the sentences only (it is carried along beside them), so that its attention is a trace.
- No dropout.
Dehghani et al., 2019, "Universal Transformers" (arXiv:1807.03819), have a Transformer on bAbI beside theirs. Options
make this model that one, but for positions and smoothed labels (experiment=dehghani2019_transformer_babi_10k). All
tokens see the question (`sees_question`); order within a sentence is learned (`word_masks`); the answer comes from the
mean of all tokens in the end (`answers_from`); there is dropout of the tokens at first and of what each sublayer finds
(`dropped`), here of a dimension for all tokens of a question at once.
"""

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from tasks.batch import PAD, Questions
from zoo.interface import MemoryNetwork, Paper, Trace, at_least, one_of
from zoo.parts.cells import rows
from zoo.parts.encoders import masked_sum, position_encoding
from zoo.parts.layers import Layer, normalise, transform
from zoo.parts.slots import time_index, time_with_gaps, times_told


class Transformer(MemoryNetwork):
    """Layers of self-attention over the sentences and the question; answers from the question's last vector.

    Args:
        vocabulary: V of the task.
        sentence_length: words of its longest sentence.
        story_length: sentences of its longest story.
        memory_size: sentences at most; of longer stories the last are kept.
        dim: d of the tokens; a multiple of `heads`.
        layers: number of layers.
        heads: of each layer.
        feed_forward: width of the hidden layer of the second sublayer.
        time_noise: share of empty memories among the sentences in training.
        sees_question: whether sentences attend to the question, and it to itself.
        word_masks: whether words are added up under masks that are learned, one for sentences and one for questions, as
            EntNet reads; else with position encoding.
        answers_from: the `question`'s last vector, or the `mean` of all.
        dropped: share of dimensions dropped in training.
    """

    paper = Paper(
        "Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser and Polosukhin",
        2017,
        "Attention Is All You Need",
        "https://arxiv.org/abs/1706.03762",
    )
    memory = "static"

    def __init__(
        self,
        vocabulary: int,
        sentence_length: int,
        story_length: int,
        memory_size: int = 70,
        dim: int = 64,
        layers: int = 3,
        heads: int = 4,
        feed_forward: int = 128,
        time_noise: float = 0.1,
        sees_question: bool = False,
        word_masks: bool = False,
        answers_from: str = "question",
        dropped: float = 0.0,
    ) -> None:
        super().__init__()
        at_least(1, memory_size=memory_size, dim=dim, layers=layers, heads=heads, feed_forward=feed_forward)
        at_least(0, time_noise=time_noise, dropped=dropped)
        one_of(("question", "mean"), answers_from=answers_from)
        if dropped >= 1:
            raise ValueError(f"model.dropped={dropped}: expected less than 1")
        if dim % heads:
            raise ValueError(f"model.dim={dim}: expected a multiple of model.heads={heads}")
        self.window = min(memory_size, story_length)
        self.heads, self.time_noise, self.dropped = heads, time_noise, dropped
        self.sees_question, self.from_all = sees_question, answers_from == "mean"

        def draw(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape) * math.sqrt(2 / (shape[-1] + shape[-2])))

        self.words = nn.Parameter(torch.randn(vocabulary, dim) * 0.1)
        self.times = nn.Parameter(torch.randn(self.window, dim) * 0.1)
        self.asked = nn.Parameter(torch.randn(dim) * 0.1)  # what tells the question from a sentence
        self.W_Q, self.W_K, self.W_V, self.W_O = (draw(layers, dim, dim) for _ in range(4))
        self.W_1, self.W_2 = draw(layers, feed_forward, dim), draw(layers, dim, feed_forward)
        self.b_1, self.b_2 = nn.Parameter(torch.zeros(layers, feed_forward)), nn.Parameter(torch.zeros(layers, dim))
        # of every sublayer's input, and of the output
        self.gain, self.shift = (
            nn.Parameter(torch.ones(2 * layers + 1, dim)),
            nn.Parameter(torch.zeros(2 * layers + 1, dim)),
        )
        self.answers = draw(vocabulary - 1, dim)
        # of sentences, and of questions
        self.masks = nn.Parameter(torch.ones(2, sentence_length, dim)) if word_masks else None

    def encode(self, batch: Questions) -> tuple[Tensor, Tensor]:
        """I: every distinct sentence as one of a story and as a question, (U, d) each."""
        if self.masks is None:
            sentences = position_encoding(batch.sentences, self.words)
            return sentences, sentences
        of_story, of_question = (masked_sum(batch.sentences, self.words, mask) for mask in self.masks)
        return of_story, of_question

    def write(self, features: tuple[Tensor, Tensor], batch: Questions) -> Tensor:
        """G: a token for each sentence, with its time, (B, T, d)."""
        time = times_told(batch).long()
        return rows(features[0], batch.stories) + rows(F.pad(self.times, (0, 0, 1, 0)), time)

    def read(self, memory: Tensor, features: tuple[Tensor, Tensor], batch: Questions) -> tuple[Tensor, Trace]:
        """O: the layers, and the attention of the question in each, averaged over the heads."""
        x = torch.cat([memory, (rows(features[1], batch.question) + self.asked)[:, None]], dim=1)
        seen = F.pad(batch.stories != PAD, (0, 1), value=self.sees_question)
        kept = None
        if self.dropped and batch.noise is not None:  # of the tokens at first, then of both sublayers of each layer
            share = batch.noise[:, self.window :].to(x.dtype) / (1 - self.dropped)
            kept = share.unflatten(1, (-1, x.shape[2]))
            x = x * kept[:, :1]
        gain, shift = self.gain[:-1].unflatten(0, (-1, 2)), self.shift[:-1].unflatten(0, (-1, 2))
        weights = (gain, shift, self.W_Q, self.W_K, self.W_V, self.W_O, self.W_1, self.b_1, self.W_2, self.b_2)
        attention = []
        for number, layer in enumerate(map(Layer, *weights)):
            x, looks = transform(x, seen, layer, self.heads, None if kept is None else kept[:, 2 * number + 1 :][:, :2])
            looks = looks[:, :-1]
            if self.sees_question:  # at itself it has looked, too
                looks = looks / looks.sum(-1, keepdim=True).clamp(min=1e-30)
            attention.append(looks)
        if self.from_all:
            share = F.pad(batch.stories != PAD, (0, 1), value=True).to(x.dtype)
            share = share / share.sum(-1, keepdim=True)
            recall = (share[:, None] @ normalise(x, self.gain[-1], self.shift[-1]))[:, 0]
        else:
            recall = normalise(x[:, -1], self.gain[-1], self.shift[-1])
        return recall, Trace(torch.stack(attention, dim=1))

    def respond(self, recall: Tensor) -> Tensor:
        return F.pad(recall @ self.answers.T, (1, 0))

    def noise(self, told: Tensor, generator: Generator) -> Tensor | None:
        """Time indices with gaps, (N, window), and behind them what dropout keeps, (N, (1 + 2 layers) d)."""
        time = time_with_gaps(told, self.window, self.time_noise, generator) if self.time_noise else None
        if not self.dropped:
            return time
        time = time_index(told, self.window) if time is None else time
        kept = torch.empty(len(told), (1 + 2 * len(self.W_Q)) * self.words.shape[1], dtype=torch.int16)
        kept.bernoulli_(1 - self.dropped, generator=generator)
        return torch.cat([time.short(), kept.to(told.device)], dim=1)  # an epoch's is drawn at once, and large

    def state_size(self, story_length: int) -> int:
        """A token per sentence."""
        return min(story_length, self.window) * self.words.shape[1]
