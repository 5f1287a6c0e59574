"""Universal Transformer: one layer, applied again and again, with halting as an option.

Paper: Dehghani, Gouws, Vinyals, Uszkoreit and Kaiser, 2019, "Universal Transformers" (arXiv:1807.03819), sections 2 and
3.1, appendix C, with the authors' code. Halting by `ponder` is that of Banino, Balaguer and Blundell, 2021, "PonderNet:
Learning to Ponder" (arXiv:2107.05407).
Symbols: s^t tokens after step t, P coordinates in the story, e_t in the steps, D dropout, p_t or lambda_t the
probability to halt at step t, w_t weight of step t in the result, R remainder, N steps until halting.
Deviations:
- The code's order is kept where the paper prints another: normalisation comes before a sublayer, and once more at the
  end; the coordinates of a step are learned. The code once had a convolution over neighbouring tokens as its second
  sublayer by default; here it is two maps.
- Tokens that are not there are neither seen nor averaged. In the code they are not seen, yet part of the mean.
- Dropout keeps or drops a dimension for all tokens of a question at once, as the code can do. Inside the attention, and
  between the two maps, nothing is dropped.
- No smoothing of labels. Batches of 32 questions, not 4,096, and a simpler course of the learning rate.
- 130 sentences at most for all tasks; 70 in the code but for task 3. The index of the question is that
  number; in the code it is the length of the task's longest story.
- The empty word has no vector, and scores 0 as an answer.
- PonderNet's answer comes from a step that is drawn; here every step answers, each with its probability.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from tasks.batch import PAD, Questions
from zoo.interface import Answer, MemoryNetwork, Paper, Trace, at_least, one_of
from zoo.parts.cells import rows
from zoo.parts.encoders import masked_sum
from zoo.parts.layers import Layer, normalise, transform

ENOUGH = 0.99  # of the probability to halt: what is missing to 1 is not worth a step


class Course(NamedTuple):
    """The tokens on their way through the steps."""

    before: list[Tensor]  # y of each step, (N, n, d): tokens and their coordinates
    after: list[Tensor]  # s^t, (N, n, d)
    share: Tensor  # (N, n) of each token in their mean
    attention: Tensor  # (N, K, n) of the question in each step, averaged over the heads


class UniversalTransformer(MemoryNetwork):
    """Self-attention over sentences and question, repeated with the same weights; answers from the mean of the tokens.

    Args:
        vocabulary: V of the task.
        sentence_length: words of its longest sentence.
        story_length: sentences of its longest story.
        memory_size: sentences at most; of longer stories the last are kept.
        dim: d of the tokens; a multiple of `heads`.
        feed_forward: width of the hidden layer of the second sublayer.
        heads: of the attention.
        steps: how often the layer is applied; with halting, at most.
        halting: `none`, `act`: each token halts by itself, or `ponder`: the question as a whole does.
        halting_cost: weight of the steps taken (`act`), or of the distance to the prior (`ponder`), in the mean loss.
        halting_prior: probability to halt that `ponder` is drawn to, at every step.
        dropout: share of dimensions dropped in training.
    """

    paper = Paper(
        "Dehghani, Gouws, Vinyals, Uszkoreit and Kaiser",
        2019,
        "Universal Transformers",
        "https://arxiv.org/abs/1807.03819",
    )
    memory = "static"

    def __init__(
        self,
        vocabulary: int,
        sentence_length: int,
        story_length: int,
        memory_size: int = 130,
        dim: int = 128,
        feed_forward: int = 512,
        heads: int = 4,
        steps: int = 8,
        halting: str = "none",
        halting_cost: float = 0.01,
        halting_prior: float = 0.2,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        at_least(1, memory_size=memory_size, dim=dim, feed_forward=feed_forward, heads=heads, steps=steps)
        at_least(0, halting_cost=halting_cost, dropout=dropout)
        one_of(("none", "act", "ponder"), halting=halting)
        if dropout >= 1:
            raise ValueError(f"model.dropout={dropout}: expected less than 1")
        if not 0 < halting_prior < 1:
            raise ValueError(f"model.halting_prior={halting_prior}: expected a number between 0 and 1")
        if dim % heads:
            raise ValueError(f"model.dim={dim}: expected a multiple of model.heads={heads}")
        self.window, self.index = min(memory_size, story_length), memory_size  # the question's, for all tasks
        self.heads, self.steps, self.halting, self.dropout = heads, steps, halting, dropout
        self.halting_cost, self.halting_prior = halting_cost, halting_prior

        def glorot(*shape: int) -> nn.Parameter:
            return nn.Parameter((2 * torch.rand(*shape) - 1) * math.sqrt(6 / sum(shape)))

        def small(*shape: int) -> nn.Parameter:  # used times sqrt(d)
            return nn.Parameter(torch.randn(*shape) / math.sqrt(dim))

        self.words, self.of_step = small(vocabulary, dim), small(steps, dim)
        self.story_mask, self.question_mask = (nn.Parameter(torch.ones(sentence_length, dim)) for _ in range(2))
        self.W_Q, self.W_K, self.W_V, self.W_O = (glorot(dim, dim) for _ in range(4))
        self.W_1, self.W_2 = glorot(feed_forward, dim), glorot(dim, feed_forward)
        self.b_1, self.b_2 = nn.Parameter(torch.zeros(feed_forward)), nn.Parameter(torch.zeros(dim))
        # of both sublayers' input, and of the output
        self.gain, self.shift = nn.Parameter(torch.ones(3, dim)), nn.Parameter(torch.zeros(3, dim))
        self.answers, self.b_answer = glorot(vocabulary - 1, dim), nn.Parameter(torch.zeros(vocabulary - 1))
        if halting != "none":
            self.w_halt, self.b_halt = glorot(1, dim), nn.Parameter(torch.ones(1))

    def encode(self, batch: Questions) -> tuple[Tensor, Tensor]:
        """I: every distinct sentence as one of a story and as a question, (U, d) each."""
        words = self.words * math.sqrt(self.words.shape[1])
        told, asked = (masked_sum(batch.sentences, words, mask) for mask in (self.story_mask, self.question_mask))
        return told, asked

    def write(self, features: tuple[Tensor, Tensor], batch: Questions) -> Tensor:
        """G: a token for each sentence, (N, T, d)."""
        return rows(features[0], batch.stories)

    def read(self, memory: Tensor, features: tuple[Tensor, Tensor], batch: Questions) -> tuple[Tensor, Trace]:
        """O: the mean of the tokens in the end, (N, d), and how the question looks at the sentences in each step.

        With `ponder` it is their mean after each step, with the log-probability to halt there behind it, (N, K, d + 1).
        """
        course = self.walk(memory, features, batch)
        looks = course.attention[..., :-1]  # at itself it may look too
        return self.recall(course), Trace(looks / looks.sum(-1, keepdim=True).clamp(min=1e-30))

    def walk(self, memory: Tensor, features: tuple[Tensor, Tensor], batch: Questions) -> Course:
        """Take the steps."""
        slots, d = batch.stories.shape[1], self.words.shape[1]
        s = torch.cat([memory, rows(features[1], batch.question)[:, None]], dim=1)
        seen = F.pad(batch.stories != PAD, (0, 1), value=True)
        index = torch.arange(slots + 1, dtype=s.dtype, device=s.device)
        P = coordinates(torch.where(index < slots, index, self.index), d)
        kept = None
        if batch.noise is not None:
            noise = batch.noise.to(s.dtype) / (1 - self.dropout)
            s, kept = s * noise[:, None, :d], noise[:, d:].unflatten(1, (self.steps, 2, d))
        weights = self.W_Q, self.W_K, self.W_V, self.W_O, self.W_1, self.b_1, self.W_2, self.b_2
        layer = Layer(self.gain[:2], self.shift[:2], *weights)
        before, after, attention = [], [], []
        for step, of_step in enumerate(self.of_step * math.sqrt(d)):
            y = s + (P + of_step)
            s, looks = transform(y, seen, layer, self.heads, None if kept is None else kept[:, step])
            before.append(y)
            after.append(s)
            attention.append(looks)
        share = seen.to(s.dtype) / seen.sum(-1, keepdim=True)
        return Course(before, after, share, torch.stack(attention, dim=1))

    def recall(self, course: Course) -> Tensor:
        if self.halting == "ponder":
            pooled = torch.stack([self.pool(s, course.share) for s in course.after], dim=1)
            return torch.cat([pooled, stops(self.halts(pooled))[..., None]], dim=-1)
        s = course.after[-1]
        if self.halting == "act":  # the paper's listing: not the mean of Graves (2016)
            s = torch.zeros_like(s)
            for w, state in zip(self.act(course)[0].unbind(1), course.after, strict=True):
                s = s + w[..., None] * (state - s)
        return self.pool(s, course.share)

    def pool(self, s: Tensor, share: Tensor) -> Tensor:
        """The mean of the tokens that are there, (N, d)."""
        return (share[:, None] @ normalise(s, self.gain[2], self.shift[2]))[:, 0]

    def halts(self, x: Tensor) -> Tensor:
        """The log-odds to halt, (...), at tokens or means of tokens (..., d)."""
        return (x @ self.w_halt.T + self.b_halt)[..., 0]

    def act(self, course: Course) -> tuple[Tensor, Tensor]:
        return act_weights(torch.stack([self.halts(y).sigmoid() for y in course.before], dim=1))

    def respond(self, recall: Tensor) -> Tensor:
        """R: the answer; with `ponder` the log-probability of each word, whatever the step that answers."""
        if self.halting == "ponder":
            return (recall[..., -1:] + self.scores(recall[..., :-1]).log_softmax(-1)).logsumexp(1)
        return self.scores(recall)

    def scores(self, pooled: Tensor) -> Tensor:
        return F.pad(pooled @ self.answers.T + self.b_answer, (1, 0))

    def learn(self, batch: Questions) -> dict[str, Tensor]:
        """The loss, and what halting adds to it.

        With `act` that is the number of steps and the remainder, averaged over the tokens. With `ponder` it is the
        divergence from halting with one probability at every step, and the answer of each step counts by itself.
        """
        features = self.encode(batch)
        course = self.walk(self.write(features, batch), features, batch)
        recall, asked = self.recall(course), batch.answer != PAD
        if self.halting == "ponder":
            log_p, answers = recall[..., -1], batch.answer[:, None].expand(-1, self.steps)
            scores = self.scores(recall[..., :-1]).transpose(1, 2)
            of_each = F.cross_entropy(scores, answers, ignore_index=PAD, reduction="none")
            prior = stops(torch.full_like(log_p, math.log(self.halting_prior / (1 - self.halting_prior))))
            cost = (log_p.exp() * (log_p - prior)).sum(-1)
            terms = {"answer": (log_p.exp() * of_each).sum()}
        else:
            terms = self.loss(Answer(self.respond(recall), Trace.none(batch)), batch)
            if self.halting == "none":
                return terms
            cost = (course.share * self.act(course)[1]).sum(-1)
        return terms | {"halting": self.halting_cost * torch.where(asked, cost, 0.0).sum()}

    def noise(self, told: Tensor, generator: Generator) -> Tensor | None:
        """Draw what is kept of the input and, in each step, of the output of both sublayers, (N, (1 + 2 K) d)."""
        if not self.dropout:
            return None
        kept = torch.empty(len(told), (1 + 2 * self.steps) * self.words.shape[1], dtype=torch.bool)
        return kept.bernoulli_(1 - self.dropout, generator=generator).to(told.device)

    def state_size(self, story_length: int) -> int:
        """A token per sentence."""
        return min(story_length, self.window) * self.words.shape[1]


def coordinates(index: Tensor, dim: int) -> Tensor:
    """Sinusoids of indices, (n, d): sines, then cosines, of wavelengths from 2 pi to 20,000 pi."""
    half = -(-dim // 2)
    waves = torch.arange(half, dtype=index.dtype, device=index.device) * (-math.log(10_000) / max(1, half - 1))
    angle = index[:, None] * waves.exp()
    return torch.cat([angle.sin(), angle.cos()], dim=1)[:, :dim]


def act_weights(p: Tensor) -> tuple[Tensor, Tensor]:
    """Let each token halt where its probabilities add up to (almost) 1 (Graves, 2016).

    Args:
        p: (N, K, n) probability to halt at each step.

    Returns:
        The weight of each step in the result, (N, K, n): p before halting, the remainder R at it, and then 0. And the
        number of steps, which has no gradient, plus R, (N, n). A token that never halts has weights that sum to less.
    """
    running = torch.ones_like(p[:, 0], dtype=torch.bool)
    spent = cost = torch.zeros_like(p[:, 0])
    weights = []
    for of_step in p.unbind(1):
        stop = running & (spent + of_step > ENOUGH)
        rest = torch.where(stop, 1 - spent, 0.0)
        weights.append(torch.where(stop, rest, torch.where(running, of_step, 0.0)))
        cost = cost + running + rest
        spent = spent + weights[-1]
        running = running & ~stop
    return torch.stack(weights, dim=1), cost


def stops(log_odds: Tensor) -> Tensor:
    """Compute the log-probability that each step is the last, (..., K), from the log-odds to halt at it.

    At the K-th step halting is certain.
    """
    goes_on = F.logsigmoid(-log_odds[..., :-1]).cumsum(-1)
    return F.pad(goes_on, (1, 0)) + F.pad(F.logsigmoid(log_odds[..., :-1]), (0, 1))
