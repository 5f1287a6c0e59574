"""Memory network, the original, with hard reading and supervised facts.

Papers: Weston, Chopra and Bordes, 2015, "Memory Networks" (arXiv:1410.3916); the extensions AM, NG and NL are of
Paper: Weston, Bordes, Chopra, Rush, van Merriënboer, Joulin and Mikolov, 2015, "Towards AI-Complete Question Answering:
A Set of Prerequisite Toy Tasks" (arXiv:1502.05698), appendix A.
Symbols: x the question and what has been read, y a memory, phi features, U their embedding, s_O the score of a memory,
s_R of an answer, m_o memories read, gamma the margin.
Deviations:
- Every wrong memory and every wrong word is compared, where the papers sample some.
- Without adaptive reading, a question with fewer facts than reads reads its last fact again; the papers give each task
  a number of reads.
- Adaptive reading asks for at least one memory; the null memory has no time.
- With NL the time features are added behind the nonlinear map.
- Bags of 2- and 3-grams are hashed into `buckets` features each.
- Not here: hashing of memories for large stores, words that training has not seen, exact-match features.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tasks.batch import NONE, PAD, Questions
from zoo.interface import Answer, MemoryNetwork, Paper, Trace, at_least
from zoo.parts.cells import rows

QUESTION, CHOSEN, CANDIDATE, ANSWER_QUESTION, ANSWER_CHOSEN = range(5)  # a word's roles: each has its own features


class MemNN(MemoryNetwork):
    """Reads one memory after another, each the winner of a scan, and answers with the word that fits best.

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
        buckets: int = 300,
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
        self.U = draw(vocabulary + (ngrams - 1) * buckets, 5, dim)
        self.answers = draw(vocabulary - 1, dim)
        self.null = draw(dim) if adaptive else None
        self.times = draw(3, dim)  # x is older than y, x is older than y', y is older than y'
        # W of each side of s_O, and of the left side of s_R
        self.W = nn.Parameter(torch.eye(dim).repeat(3, 1, 1)) if nonlinear else None

    def encode(self, batch: Questions) -> Tensor:
        """I: U phi of every distinct sentence in each of its roles, (5, U, n)."""
        features = self.features(batch.sentences)
        said = torch.where(features[..., None] == NONE, 0.0, rows(self.U.flatten(1), features.clamp(min=0))).sum(1)
        return said.view(len(said), *self.U.shape[1:]).transpose(0, 1)

    def features(self, sentences: Tensor) -> Tensor:
        """The features of each sentence, (U, G): its words, then its 2-grams and so on; NONE where there is none."""
        found = [torch.where(sentences == PAD, NONE, sentences)]
        key, before = sentences, self.vocabulary
        for n in range(2, min(self.ngrams, sentences.shape[1]) + 1):
            key = key[:, :-1] * 8191 + sentences[:, n - 1 :]  # of n words in a row
            found.append(torch.where(sentences[:, n - 1 :] == PAD, NONE, before + key % self.buckets))
            before += self.buckets
        return torch.cat(found, dim=1)

    def write(self, features: Tensor, batch: Questions) -> Tensor:
        """G: memories are kept as they are: U phi_y(y) of every distinct sentence, and the null memory, (U + 1, n)."""
        memories = features[CANDIDATE] if self.null is None else torch.cat([features[CANDIDATE], self.null[None]])
        return self.map(memories, 1)

    def map(self, x: Tensor, side: int) -> Tensor:
        """NL: E(x) = tanh(W tanh(U phi))."""
        return x if self.W is None else torch.tanh(torch.tanh(x) @ self.W[side].T)

    def read(self, memory: Tensor, features: Tensor, batch: Questions) -> tuple[Tensor, Trace]:
        """O: o_k = argmax_i s_O([x, m_o1, ...], m_i), k times or until the null memory wins."""
        x = rows(features[QUESTION], batch.question)
        recall = rows(features[ANSWER_QUESTION], batch.question)
        when = batch.told  # of what was read last; the question is younger than all
        going = torch.ones_like(when, dtype=torch.bool)
        attention, chosen = [], None
        for k in range(self.reads):
            won = self.scan(*self.scores(x, when, memory, batch), may_stop=self.adaptive and k > 0)
            going = going & (won < self.slots(batch))
            chosen = won if chosen is None else torch.where(going, won, chosen)
            sentence = batch.stories.gather(1, chosen[:, None])[:, 0]
            x = x + torch.where(going[:, None], rows(features[CHOSEN], sentence), 0.0)
            recall = recall + torch.where(going[:, None], rows(features[ANSWER_CHOSEN], sentence), 0.0)
            when = chosen
            attention.append(F.one_hot(chosen, self.slots(batch)).to(x.dtype))
        return recall, Trace(torch.stack(attention, dim=1))

    def slots(self, batch: Questions) -> int:
        return batch.stories.shape[1]

    def scores(
        self, x: Tensor, when: Tensor, memory: Tensor, batch: Questions
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What s_O(x, y, y') is made of: U phi_x . U phi_y for each memory, the products with the three time features,
        whether x is older than each memory, and which memories there are; the null memory is the last."""
        f = self.map(x, 0)
        matches = (f @ memory.T).gather(1, batch.stories)
        place = torch.arange(self.slots(batch), device=when.device)
        older = place > when[:, None]
        there = place < batch.told[:, None]
        if self.null is not None:
            matches = torch.cat([matches, (f @ memory[-1])[:, None]], dim=1)
            older, there = F.pad(older, (0, 1)), F.pad(there, (0, 1), value=True)
        return matches, f @ self.times.T, older, there

    def prefers(self, matches: Tensor, time: Tensor, older: Tensor, one: Tensor) -> tuple[Tensor, Tensor]:
        """s_O(x, y, y') for y = memory `one` against every y', and s_O(x, y', y): (B, M) each.

        s_O(x, y, y') = phi_x(x)^T U^T U (phi_y(y) - phi_y(y') + phi_t(x, y, y')).
        """
        place = torch.arange(matches.shape[1], device=one.device)
        real = place < matches.shape[1] - (self.null is not None)
        timed = real & (one[:, None] < real.sum())
        mine, x_older = matches.gather(1, one[:, None]), older.gather(1, one[:, None])
        y_older = timed & (one[:, None] < place)
        other_older = timed & (place < one[:, None])
        x_y, x_other, y_other = time[:, :1], time[:, 1:2], time[:, 2:]
        forth = mine - matches + x_y * x_older + x_other * older + y_other * y_older
        back = matches - mine + x_y * older + x_other * x_older + y_other * other_older
        return forth, back

    def scan(self, matches: Tensor, time: Tensor, older: Tensor, there: Tensor, may_stop: bool) -> Tensor:
        """The winner of a walk over the memories: y gives way to y' where s_O(x, y, y') is negative."""
        winner = torch.zeros_like(matches[:, 0], dtype=torch.long)
        memories = matches.shape[1] - (self.null is not None and not may_stop)
        for other in range(1, memories):
            forth, _ = self.prefers(matches, time, older, winner)
            winner = torch.where((forth[:, other] < 0) & there[:, other], other, winner)
        return winner

    def respond(self, recall: Tensor) -> Tensor:
        """R: s_R([x, m_o1, ...], w) of every word w."""
        return F.pad(self.map(recall, 2) @ self.answers.T, (1, 0))

    def loss(self, answer: Answer, batch: Questions) -> dict[str, Tensor]:
        return self.learn(batch)

    def learn(self, batch: Questions) -> dict[str, Tensor]:
        """Margins of every read and of the answer, where the facts read before are the right ones."""
        features = self.encode(batch)
        memory = self.write(features, batch)
        asked = batch.answer != PAD
        x = rows(features[QUESTION], batch.question)
        recall = rows(features[ANSWER_QUESTION], batch.question)
        when, fact = batch.told, batch.support[:, 0]
        reading = torch.zeros((), dtype=x.dtype, device=x.device)
        facts = batch.support.shape[1]
        for k in range(self.reads):
            known = k < facts
            given = batch.support[:, k] if known else torch.full_like(when, NONE)
            is_fact = given != NONE
            fact = torch.where(is_fact, given, fact)
            parts = self.scores(x, when, memory, batch)
            right = torch.where(is_fact, fact, self.slots(batch)) if self.adaptive else fact
            forth, back = self.prefers(*parts[:3], right)
            wrong = parts[3] & (torch.arange(forth.shape[1], device=right.device) != right[:, None])
            costs = (self.margin - forth).relu() + (self.margin + back).relu()
            # behind the last fact the null memory should win, once
            ends = batch.support[:, k - 1] != NONE if 0 < k <= facts else torch.zeros_like(asked)
            counts = asked & (is_fact | ends) if self.adaptive else asked
            reading = reading + torch.where(wrong & counts[:, None], costs, 0.0).sum()
            sentence = batch.stories.gather(1, fact[:, None])[:, 0]
            reads = is_fact if self.adaptive else torch.ones_like(is_fact)
            x = x + torch.where(reads[:, None], rows(features[CHOSEN], sentence), 0.0)
            recall = recall + torch.where(reads[:, None], rows(features[ANSWER_CHOSEN], sentence), 0.0)
            when = fact
        scores = self.respond(recall)
        right = scores.gather(1, batch.answer[:, None])
        words = torch.arange(scores.shape[1], device=right.device)
        wrong = (words != PAD) & (words != batch.answer[:, None]) & asked[:, None]
        answering = torch.where(wrong, (self.margin - right + scores).relu(), 0.0).sum()
        return {"reading": reading, "answer": answering}

    def state_size(self, story_length: int) -> int:
        return story_length * self.answers.shape[1]
