"""Memory network, the original, with hard reading and supervised facts.

Paper: Weston, Chopra and Bordes, 2015, "Memory Networks" (arXiv:1410.3916); AM, NG and NL: Weston, Bordes, Chopra,
Rush, van Merriënboer, Joulin and Mikolov, 2015, "Towards AI-Complete Question Answering: A Set of Prerequisite Toy
Tasks" (arXiv:1502.05698), appendix A. Numbers of equations are those of the first.
Symbols: x the question and what has been read, y a memory, phi features, U their embedding, s_O the score of a memory,
s_R of an answer, m_o memories read, gamma the margin.
Deviations:
- Every wrong memory and every wrong word is compared, where the papers sample some.
- Without adaptive reading, a question with fewer facts than reads reads its last fact again; the papers give each task
  a number of reads.
- Adaptive reading asks for at least one memory and at most for `reads`, 5 by default and 10 in the paper; the null
  memory has no time.
- In s_R the memory that was read last has features of its own: without order, "Mary went back to the office. After that
  she went to the garden." could as well have been the other way round.
- With NL each side of s_O and the left side of s_R has a W of its own, the words that may be the answer have none, and
  the time features are added behind the nonlinear map.
- An answer of several words, as in tasks 8 and 19, is one word of the vocabulary; with AM the paper has a null word,
  too, and says one word after the other.
- Bags of 2- and 3-grams are hashed into `buckets` features each, and start at zero.
- Hashing of memories, words that training has not seen and exact matches are in open_memnn.py.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tasks.batch import NONE, PAD, Questions
from zoo.interface import Answer, MemoryNetwork, Paper, Trace, at_least
from zoo.parts.cells import rows
from zoo.parts.walk import walk

# a word's roles: each has its own features
ROLES = 6
QUESTION, CHOSEN, CANDIDATE, ANSWER_QUESTION, ANSWER_CHOSEN, ANSWER_LAST = range(ROLES)


class Candidates(NamedTuple):
    """The memories that each question compares, (B, M)."""

    match: Tensor  # U phi_x(x) . U phi_y(y)
    younger: Tensor  # whether x, that is what was read last, is older
    place: Tensor  # in the story; not a number for the null memory, which is neither older nor younger than another

    def at(self, index: Tensor) -> "Candidates":
        return Candidates(*(of_all.gather(1, index) for of_all in self))


class MemNN(MemoryNetwork):
    """Hard reads, one after another: each read is the winner of a scan. The word that fits best is the answer.

    Args:
        vocabulary: V of the task.
        sentence_length: words of its longest sentence.
        story_length: sentences of its longest story.
        dim: n of the embedding.
        reads: k, or, where reading is adaptive, the most.
        adaptive: AM: whether reading goes on until a null memory wins.
        ngrams: NG: largest n of the bags of n-grams; 1 is a bag of words.
        nonlinear: NL: whether both sides of a score pass through tanh(W tanh(.)).
        margin: gamma.
        buckets: features of each order of n-grams.
        init_std: of the normal distribution from which the weights are drawn.
    """

    paper = Paper(
        "Weston, Bordes, Chopra, Rush, van Merriënboer, Joulin and Mikolov",
        2015,
        "Towards AI-Complete Question Answering: A Set of Prerequisite Toy Tasks",
        "https://arxiv.org/abs/1502.05698",
    )
    memory = "static"
    supervision = "supporting facts"
    unbounded = True

    def __init__(
        self,
        vocabulary: int,
        sentence_length: int,
        story_length: int,
        dim: int = 50,
        reads: int = 5,
        adaptive: bool = True,
        ngrams: int = 3,
        nonlinear: bool = True,
        margin: float = 0.1,
        buckets: int = 100,
        init_std: float = 0.1,
    ) -> None:
        super().__init__()
        at_least(1, dim=dim, reads=reads, ngrams=ngrams, buckets=buckets)
        at_least(0, margin=margin, init_std=init_std)
        self.window = story_length
        self.reads, self.adaptive, self.ngrams, self.margin, self.buckets = reads, adaptive, ngrams, margin, buckets

        def draw(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape) * init_std)

        self.vocabulary = vocabulary
        # n-grams start at zero, so that those that training has not met say nothing
        unmet = (0, 0, 0, (ngrams - 1) * buckets)
        self.U = nn.ParameterList(F.pad(draw(vocabulary, dim).detach(), unmet) for _ in range(ROLES))
        self.answers = draw(vocabulary - 1, dim)
        self.null = draw(dim) if adaptive else None
        self.times = draw(3, dim)  # x is older than y, x is older than y', y is older than y'
        # W of each side of s_O, and of the left side of s_R
        self.W = nn.Parameter(torch.eye(dim).repeat(3, 1, 1)) if nonlinear else None

    def encode(self, batch: Questions) -> Tensor:
        """I: phi of every distinct sentence, (U, D): how often it has each word, each 2-gram and so on."""
        found, once = self.grams(batch.sentences)
        return once.new_zeros(len(found), len(self.U[CANDIDATE])).scatter_add(1, found, once)

    def grams(self, sentences: Tensor) -> tuple[Tensor, Tensor]:
        """Number the features of every sentence, and mark with 1 those that are there, (U, P) both."""
        word = sentences != PAD
        found, there = [sentences], [word]
        key, before = sentences, self.vocabulary
        for n in range(2, min(self.ngrams, sentences.shape[1]) + 1):
            key = key[:, :-1] * 8191 + sentences[:, n - 1 :]  # of n words in a row
            found.append(before + key % self.buckets)
            there.append(there[-1][:, :-1] & word[:, n - 1 :])
            before += self.buckets
        return torch.cat(found, dim=1), torch.cat(there, dim=1).to(self.answers.dtype)

    def embed(self, features: Tensor, sentence: Tensor | None, role: int) -> Tensor:
        """Compute U phi of some sentences, or of all, in one of their roles, (B, n): each side of eq. 5."""
        return (features if sentence is None else rows(features, sentence)) @ self.U[role]

    def map(self, x: Tensor, side: int) -> Tensor:
        """NL: E(x) = tanh(W tanh(U phi))."""
        return x if self.W is None else torch.tanh(torch.tanh(x) @ self.W[side].T)

    def write(self, features: Tensor, batch: Questions) -> Tensor:
        """G: the memories as they are: U phi_y(y) of every distinct sentence, and the null memory, (U + 1, n)."""
        memories = self.embed(features, None, CANDIDATE)
        if self.null is not None:
            memories = torch.cat([memories, self.null[None]])
        return self.map(memories, 1)

    def read(self, memory: Tensor, features: Tensor, batch: Questions) -> tuple[Tensor, Trace]:
        """O: o_k = argmax_i s_O([x, m_o1, ...], m_i), eq. 2 and 3, k times or until the null memory wins."""
        slots = batch.stories.shape[1]
        x = self.embed(features, batch.question, QUESTION)
        recall = self.embed(features, batch.question, ANSWER_QUESTION)
        chosen = batch.told  # what was read last, at first the question, which is younger than all
        going = torch.ones_like(chosen, dtype=torch.bool)
        sentence, attention = batch.question, []
        for k in range(self.reads):
            candidates, there, times = self.look(x, chosen, memory, batch)
            candidates = self.reach(candidates, x, features, batch)
            won = self.scan(candidates, there, times, may_stop=self.adaptive and k > 0)
            going = going & (won < slots)
            if k > 0:  # then what was read before has not been the last
                recall = recall + torch.where(going[:, None], self.embed(features, sentence, ANSWER_CHOSEN), 0.0)
            chosen = torch.where(going, won, chosen)
            sentence = batch.stories.gather(1, chosen[:, None])[:, 0]
            x = x + torch.where(going[:, None], self.embed(features, sentence, CHOSEN), 0.0)
            attention.append(F.one_hot(chosen, slots).to(x.dtype))
        return self.end(recall, features, sentence), Trace(torch.stack(attention, dim=1))

    def end(self, recall: Tensor, features: Tensor, sentence: Tensor) -> Tensor:
        """Add the memory that was read last to all that was recalled before."""
        return recall + self.embed(features, sentence, ANSWER_LAST)

    def look(self, x: Tensor, chosen: Tensor, memory: Tensor, batch: Questions) -> tuple[Candidates, Tensor, Tensor]:
        """Get the memories, the null memory last; a mask of them; and the weights of x for the time features."""
        f = self.map(x, 0)
        match = (f @ memory.T).gather(1, batch.stories)
        place = torch.arange(match.shape[1], dtype=x.dtype, device=x.device).expand_as(match)
        there = place < batch.told[:, None]
        if self.null is not None:
            match = torch.cat([match, (f @ memory[-1])[:, None]], dim=1)
            place, there = F.pad(place, (0, 1), value=torch.nan), F.pad(there, (0, 1), value=True)
        return Candidates(match, place > chosen[:, None], place), there, f @ self.times.T

    def reach(self, candidates: Candidates, x: Tensor, features: Tensor, batch: Questions) -> Candidates:
        """Mask the memories that a read compares: all of them."""
        return candidates

    def prefers(self, y: Candidates, other: Candidates, times: Tensor) -> Tensor:
        """Eq. 10: s_O(x, y, y') = phi_x(x)^T U^T U (phi_y(y) - phi_y(y') + phi_t(x, y, y')); positive where y wins."""
        x_y, x_other, y_other = times.unbind(1)
        timed = x_y[:, None] * y.younger + x_other[:, None] * other.younger + y_other[:, None] * (y.place < other.place)
        return y.match - other.match + timed

    def scan(self, candidates: Candidates, there: Tensor, times: Tensor, may_stop: bool) -> Tensor:
        """Find the winner of a walk over the memories: y gives way to y' where s_O(x, y, y') is negative."""
        return walk(self.prefers, candidates, there, times, there.shape[1] - (self.adaptive and not may_stop))

    def respond(self, recall: Tensor) -> Tensor:
        """R: s_R([x, m_o1, ...], w) of every word w, of which eq. 4 takes the best."""
        return F.pad(self.map(recall, 2) @ self.answers.T, (1, 0))

    def loss(self, answer: Answer, batch: Questions) -> dict[str, Tensor]:
        return self.learn(batch)

    def learn(self, batch: Questions) -> dict[str, Tensor]:
        """Compute the margins of every read and of the answer, after reads of the right facts (eq. 6 to 8)."""
        features = self.encode(batch)
        memory = self.write(features, batch)
        asked = batch.answer != PAD
        most = batch.support.shape[1]
        # behind its last fact a question reads the null memory, once; without one, the last fact again and again
        reads = min(self.reads, most + 1) if self.adaptive else self.reads
        facts = F.pad(batch.support, (0, max(0, reads - most)), value=NONE)
        x = self.embed(features, batch.question, QUESTION)
        recall = self.embed(features, batch.question, ANSWER_QUESTION)
        reading = torch.zeros((), dtype=x.dtype, device=x.device)
        chosen, sentence = batch.told, batch.question
        for k in range(reads):
            is_fact = facts[:, k] != NONE
            candidates, there, times = self.look(x, chosen, memory, batch)
            if self.adaptive:
                right = torch.where(is_fact, facts[:, k], there.shape[1] - 1)
                counts = asked & (facts[:, max(0, k - 1)] != NONE)
                reading_on = is_fact
            else:
                right = torch.where(is_fact, facts[:, k], chosen.clamp(max=there.shape[1] - 1))
                counts, reading_on = asked & (facts[:, 0] != NONE), torch.ones_like(is_fact)
            fact = candidates.at(right[:, None])
            wins, loses = self.prefers(fact, candidates, times), self.prefers(candidates, fact, times)
            costs = (self.margin - wins).relu() + (self.margin + loses).relu()
            wrong = there & (torch.arange(there.shape[1], device=right.device) != right[:, None])
            reading = reading + torch.where(wrong & counts[:, None], costs, 0.0).sum()
            if k > 0:
                recall = recall + torch.where(reading_on[:, None], self.embed(features, sentence, ANSWER_CHOSEN), 0.0)
            chosen = torch.where(reading_on, right, chosen)
            # a question without facts is given the last sentence
            sentence = batch.stories.gather(1, chosen.clamp(max=batch.stories.shape[1] - 1)[:, None])[:, 0]
            x = x + torch.where(reading_on[:, None], self.embed(features, sentence, CHOSEN), 0.0)
        scores = self.respond(self.end(recall, features, sentence))
        right = scores.gather(1, batch.answer[:, None])
        words = torch.arange(scores.shape[1], device=right.device)
        wrong = (words != PAD) & (words != batch.answer[:, None]) & asked[:, None]
        answering = torch.where(wrong, (self.margin - right + scores).relu(), 0.0).sum()
        return {"reading": reading, "answer": answering}

    def state_size(self, story_length: int) -> int:
        return story_length * self.answers.shape[1]
