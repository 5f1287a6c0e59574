"""Dynamic memory network.

Paper: Kumar, Irsoy, Ondruska, Iyyer, Bradbury, Gulrajani, Zhong, Paulus and Socher, 2016, "Ask Me Anything: Dynamic
Memory Networks for Natural Language Processing" (arXiv:1506.07285), section 2. The equations are known from memory and
from others' code, so they bear no numbers.
Symbols: c_t facts, q question, m^i memory after pass i, z features and g gates of attention, e^i episode of pass i.
Deviations:
- Word vectors begin at random; the paper's are GloVe.
- Gates are supervised by the supporting facts in their order, one for each pass, then by the vector that ends the
  passes; those that lead to more passes than there are come last and are left out. The loss of a pass is the
  cross-entropy of the fact to be chosen, or, where gates open by themselves, of each gate.
- For bAbI, where supervised gates are to choose one sentence in a pass, the paper (as we remember it) found an episode
  that is a sum of facts, weighted by a softmax, better than the GRU; so that is the default of `episode`. Here the
  softmax is over the end vector, too.
- Passes stop when the end vector's gate is the widest open, but one is made at least; in training there are as many as
  facts. Without supervision, which alone teaches when to end, all are made, as in the paper.
- Gates are trained alone for the first epochs in the paper; here both losses are trained from the start, `supervise`
  being the weight of the gates'.
- The answer is one word: one step of the answer module, which begins at m and hears q; its first input, the answer
  word before, is none.
- Neither dropout nor L2.
- Not the paper's: with `hears: sentences` each sentence is heard by itself, and its fact is the last state and a vector
  of the time, which has gaps in training as in MemN2N. A fact that is the state of the whole story is soon known by
  heart with 1,000 questions (experiment=tuned/dmn).
"""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from tasks.batch import NONE, PAD, Questions
from zoo.interface import Answer, MemoryNetwork, Paper, Told, Trace, at_least, one_of
from zoo.parts.cells import after_words, gru, hear, let_in, recur, rows
from zoo.parts.facts import compare
from zoo.parts.slots import time_with_gaps, times_told

TIME_NOISE = 0.1  # share of empty memories among the sentences in training


class DMN(MemoryNetwork):
    """A GRU that reads a story word by word, then its facts in passes. The gates of a pass depend on the pass before.

    Args:
        vocabulary: V of the task.
        sentence_length: words of its longest sentence.
        story_length: sentences of its longest story.
        dim: d of words, facts and memory.
        passes: most.
        episode: `softmax`, a sum of facts weighted by their gates, or `gru`, a GRU that gates let in.
        supervise: weight of the gates' loss; 0 learns from answers alone.
        hears: `story`, as one sequence of words, or `sentences`, each by itself, and then their time.
    """

    paper = Paper(
        "Kumar, Irsoy, Ondruska, Iyyer, Bradbury, Gulrajani, Zhong, Paulus and Socher",
        2016,
        "Ask Me Anything: Dynamic Memory Networks for Natural Language Processing",
        "https://arxiv.org/abs/1506.07285",
    )
    memory = "static"
    supervision = "supporting facts"
    batched_by = "story"
    traces = "gates"
    goes_on = True

    def __init__(
        self,
        vocabulary: int,
        sentence_length: int,
        story_length: int,
        dim: int = 40,
        passes: int = 5,
        episode: str = "softmax",
        supervise: float = 1.0,
        hears: str = "story",
    ) -> None:
        super().__init__()
        at_least(1, dim=dim, passes=passes)
        at_least(0, supervise=supervise)
        one_of(("softmax", "gru"), episode=episode)
        one_of(("story", "sentences"), hears=hears)
        if not supervise:
            self.supervision = "answers"
        self.window = story_length
        self.dim, self.passes, self.by_gru, self.supervise = dim, passes, episode == "gru", supervise

        def draw(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape) * 0.1)

        def uniform(*shape: int) -> nn.Parameter:
            return nn.Parameter((torch.rand(*shape) * 2 - 1) * dim**-0.5)

        self.words = draw(vocabulary, dim)
        # GRUs of the story, the question, the memory, the answer and, perhaps, the episodes
        number = 5 if self.by_gru else 4
        self.W, self.U = uniform(number, 3 * dim, dim), uniform(number, 3 * dim, dim)
        self.b = nn.Parameter(torch.zeros(number, 3 * dim))
        self.W_b = uniform(dim, dim)  # c^T W q and c^T W m
        self.W_1, self.b_1 = uniform(dim, 7 * dim + 2), nn.Parameter(torch.zeros(dim))
        self.W_2, self.b_2 = uniform(1, dim), nn.Parameter(torch.zeros(1))
        self.times = draw(self.window, dim) if hears == "sentences" else None
        self.end = draw(dim)
        self.W_a = uniform(vocabulary - 1, dim)

    def encode(self, batch: Questions) -> tuple[Tensor, Tensor]:
        """I: W x + b of every word for the GRU of the story or, where that hears sentences, each distinct one heard,
        (U, d); and the questions, (N, d)."""
        nothing = self.words.new_zeros(len(batch.sentences), self.dim)
        told = self.inputs(self.words, 0)
        if self.times is not None:
            told = hear(batch.sentences, told, nothing, self.U[0])
        asked = after_words(batch.sentences)[batch.question]
        return told, recur(self.inputs(self.words, 1), batch.sentences, asked, nothing, self.U[1])

    def inputs(self, x: Tensor, which: int) -> Tensor:
        return x @ self.W[which].T + self.b[which]

    def write(self, features: tuple[Tensor, Tensor], batch: Questions, before: Told | None = None) -> Told:
        """G: c_t, the state at the end of each sentence, (B, T, d); the whole story is one sequence of words, or each
        sentence is one."""
        if self.times is not None:
            c = rows(features[0], batch.stories)
            return Told(c[:, -1], c)
        words = rows(batch.sentences, batch.stories).flatten(1)
        (count, length), sentence = batch.stories.shape, batch.sentences.shape[1]
        state = self.words.new_zeros(count, self.dim) if before is None else before.state
        ends = torch.arange(1, length + 1, device=words.device) * sentence
        at = (torch.arange(count, device=words.device)[:, None] * (length * sentence + 1) + ends).flatten()
        c = recur(features[0], words, at, state, self.U[0]).view(count, length, -1)
        return Told(c[:, -1], c)

    def read(self, memory: Told, features: tuple[Tensor, Tensor], batch: Questions) -> tuple[Tensor, Trace]:
        """O: the episodes. Returns m and q; the trace has the gates of the passes that were made."""
        passes = None if self.supervise else torch.full_like(batch.told, self.passes)
        recall, scores, made = self.episodes(memory, features, batch, self.passes, passes)
        gates = torch.where(made[..., None], self.gates(scores), 0.0)
        return recall, Trace(gates[:, :, :-1])

    def episodes(
        self, memory: Told, features: tuple[Tensor, Tensor], batch: Questions, most: int, passes: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Pass after pass over the facts.

        Args:
            memory: holds c_t of every story.
            features: of which the questions are used.
            batch: the questions.
            most: no question makes more passes.
            passes: how many to make for each question; None: until the end vector wins.

        Returns:
            m and q together, (N, 2d); the scores of all gates in every pass, (N, K, T + 1), the end vector's last and
            those of what has not been told -inf; and which passes were made, (N, K). After `most` passes there is one
            more look at the gates, if the model has as many passes.
        """
        assert memory.each is not None
        length, d = memory.each.shape[1:]
        c = rows(memory.each.flatten(1), batch.story).view(-1, length, d)  # for each question
        if self.times is not None:
            time = times_told(batch).clamp(max=len(self.times))  # a story may be longer than all of training
            c = c + rows(F.pad(self.times, (0, 0, 1, 0)), time)
        c = torch.cat([c, self.end.expand(len(c), 1, d)], dim=1)
        heard = torch.arange(length, device=batch.told.device) < batch.told[:, None]
        seen = F.pad(heard, (0, 1), value=True)
        q = features[1]
        # what g is the sigmoid or softmax of: W_2 tanh(W_1 z + b_1) + b_2, where
        # z = [c; m; q; c * q; c * m; |c - q|; |c - m|; c^T W q; c^T W m]; what c and q give is the same in every pass
        of_c, m_, q_, q_times, m_times, q_minus, m_minus, q_mapped, m_mapped = self.W_1.split([d] * 7 + [1, 1], dim=1)
        mapped = c @ self.W_b
        of_q = compare(c, q, seen, c @ of_c.T, q @ q_.T, q_times, q_minus, mapped, q_mapped) + self.b_1
        U_memory = self.U[2]
        m, going, scores, made = q, torch.ones_like(batch.told, dtype=torch.bool), [], []
        for number in range(min(most + 1, self.passes)):
            score = compare(c, m, seen, of_q, m @ m_.T, m_times, m_minus, mapped, m_mapped, self.W_2) + self.b_2
            score = torch.where(seen, score, -torch.inf)
            if passes is not None:
                going = number < passes
            elif number:
                going = going & (score.argmax(-1) < length)
            scores.append(score)
            made.append(going)
            if number < most:
                e = self.episode(c, heard, self.gates(score))
                m = torch.where(going[:, None], gru(self.inputs(e, 2), m, U_memory), m)  # m^i = GRU(e^i, m^{i-1})
        return torch.cat([m, q], dim=-1), torch.stack(scores, dim=1), torch.stack(made, dim=1)

    def gates(self, scores: Tensor) -> Tensor:
        """Compute the gates g, the end vector's last: each by itself, or all with a sum of one."""
        return torch.sigmoid(scores) if self.by_gru else scores.softmax(dim=-1)

    def episode(self, c: Tensor, heard: Tensor, g: Tensor) -> Tensor:
        """e: the sum of g_t c_t; or h_T, with h_t = g_t GRU(c_t, h_{t-1}) + (1 - g_t) h_{t-1}."""
        if not self.by_gru:
            return (g[:, None] @ c)[:, 0]
        return let_in(self.inputs(c[:, :-1], 4), heard, self.U[4], g[:, :-1])

    def respond(self, recall: Tensor) -> Tensor:
        """R: a_1 = GRU(q, a_0), a_0 = m; then softmax(W a_1)."""
        m, q = recall.chunk(2, dim=-1)
        return F.pad(gru(self.inputs(q, 3), m, self.U[3]) @ self.W_a.T, (1, 0))

    def loss(self, answer: Answer, batch: Questions) -> dict[str, Tensor]:
        return self.learn(batch)

    def learn(self, batch: Questions) -> dict[str, Tensor]:
        """The answers' cross-entropy, and the gates'."""
        features = self.encode(batch)
        memory = self.write(features, batch)
        facts = (batch.support != NONE).sum(1)
        most = min(self.passes, batch.support.shape[1]) if self.supervise else self.passes
        recall, scores, _ = self.episodes(
            memory, features, batch, most, facts if self.supervise else torch.full_like(facts, most)
        )
        answer = F.cross_entropy(self.respond(recall), batch.answer, ignore_index=PAD, reduction="sum")
        if not self.supervise:
            return {"answer": answer}
        looks, end = scores.shape[1], scores.shape[2] - 1
        support = F.pad(batch.support, (0, 1), value=NONE)[:, :looks]
        right = torch.where(support == NONE, end, support)  # behind the last fact the end vector
        counts = (batch.answer != PAD)[:, None] & (torch.arange(looks, device=support.device) <= facts[:, None])
        if self.by_gru:
            open_ = torch.arange(end + 1, device=support.device) == right[..., None]
            of_gates = F.softplus(torch.where(open_, -scores, scores))  # - log g if open, else - log (1 - g)
            cost = torch.where(scores.isfinite(), of_gates, 0.0).sum(-1)
        else:
            cost = -scores.log_softmax(dim=-1).gather(2, right[..., None])[..., 0]
        return {"answer": answer, "gates": self.supervise * torch.where(counts, cost, 0.0).sum()}

    def noise(self, told: Tensor, generator: Generator) -> Tensor | None:
        return None if self.times is None else time_with_gaps(told, self.window, TIME_NOISE, generator)

    def state_size(self, story_length: int) -> int:
        """The facts, and the memory of the passes."""
        return (story_length + 1) * self.dim
