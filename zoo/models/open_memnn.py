"""Memory network for large stores and new words: hashing, unseen words, exact matches.

Paper: Weston, Chopra and Bordes, 2015, "Memory Networks" (arXiv:1410.3916), sections 3.3 (hashing), 3.5 (unseen words)
and 3.6 (exact matches). Numbers of sections are the paper's.
Symbols: as in memnn.py; lambda the weight of a match, K the number of clusters.
Deviations: those of memnn.py, and:
- 3.3: Training compares all memories, and only reading hashes. What has been read is hashed with the question, or the
  second fact would be lost. A bucket that more than half of a story's memories share counts for nothing, else "the"
  would find everything, and where no memory shares a bucket all are compared. K-means clusters the vectors that words
  have in memories, in ten rounds from K words of the vocabulary. A task that is searched has an inverted index of words
  already (`tasks/wikimovies/index.py`).
- 3.5: The bags of a new word's left and right context are those of the sentence at hand, where the paper gathers them
  over all text. What is treated as unseen in training is drawn word by word for a whole batch, whose sentences are
  encoded once. A new word is no part of an n-gram, and as an answer it has nothing but its match.
- 3.6: lambda is learned, one for each role of x, because a word of the memory that was read last is a likely answer and
  one of the question an unlikely one. Matches and their features are added behind the nonlinear map, as time is. A word
  that y has twice matches twice. Context words have no matching features.
- The paper's questions about a store of triples have k = 1 and no time features: `time=false`. Where several facts
  answer a question, each step of training draws one of them, and leaves the others out of the memory.
"""

import copy
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from tasks.batch import NONE, PAD, Questions
from zoo.interface import Paper, at_least, one_of
from zoo.models.memnn import CANDIDATE, ROLES, Candidates, MemNN
from zoo.parts.cells import rows
from zoo.parts.encoders import count_words, feature_sum
from zoo.parts.slots import share_bucket

PRIME = 2**31 - 1  # larger than any vocabulary
ROUNDS = 10  # of K-means


class Features(NamedTuple):
    """phi of every distinct sentence, as a list."""

    numbers: Tensor  # (U, P) of the features
    often: Tensor  # (U, P)
    sentences: Tensor  # (U, J) word ids
    unseen: Tensor  # (V,) words that have no embedding


class OpenMemNN(MemNN):
    """MemNN that matches words exactly, represents new words by their neighbours and scores hashed memories only.

    Two numbers per word stand behind MemNN's x = U phi: the worth of the word as a match, if there are matches, and
    its count in x, if memories are hashed.

    Args:
        match: of words that x and y share: `none`, `score` (lambda phi_x^T phi_y is added to U's score) or `features`
            (a feature for each word that both have).
        unseen: d, share of the words that training treats as unseen; 0: new words have what they were drawn with.
        hashing: memories that reading compares: `none`, i.e. all, or those that share `words` or `clusters` with x.
        clusters: K.
        time: whether memories have time features, that is an order.

    The others are those of MemNN.
    """

    paper = Paper("Weston, Chopra and Bordes", 2015, "Memory Networks", "https://arxiv.org/abs/1410.3916")
    unordered = True

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
        match: str = "score",
        unseen: float = 0.1,
        hashing: str = "none",
        clusters: int = 20,
        time: bool = True,
    ) -> None:
        super().__init__(
            vocabulary, sentence_length, story_length, dim, reads, adaptive, ngrams, nonlinear, margin, buckets,
            init_std,
        )  # fmt: skip
        one_of(("none", "score", "features"), match=match)
        one_of(("none", "words", "clusters"), hashing=hashing)
        at_least(0, unseen=unseen)
        at_least(1, clusters=clusters)
        self.dim, self.match, self.unseen, self.hashing, self.clusters = dim, match, unseen, hashing, clusters
        # 3.6: as other features that training may not meet, matches say nothing at first
        self.worth = nn.Parameter(torch.zeros(ROLES)) if match == "score" else None  # lambda
        self.M = nn.Parameter(torch.zeros(2, vocabulary, dim)) if match == "features" else None  # of s_O and of s_R
        # 3.5: D grows by 2 |W|, a bag of the words on the left and one of those on the right
        self.contexts = nn.Parameter(torch.randn(2 * vocabulary, dim) * init_std) if unseen else None
        if not time:
            del self.times
            self.register_buffer("times", torch.zeros(3, dim))

    def room_for(self, words: int) -> "OpenMemNN | None":
        """Section 3.5: a word that comes later is represented by its neighbours, and by its matches."""
        if not self.unseen or self.hashing == "clusters":  # which begin from words of the vocabulary
            return None
        wider, V = copy.deepcopy(self), self.vocabulary

        def widened(table: Tensor, *ends: int) -> nn.Parameter:
            """Insert rows of zeros behind each of some parts of a table."""
            parts = table.detach().tensor_split(ends, dim=-2)
            return nn.Parameter(torch.cat([F.pad(part, (0, 0, 0, words)) for part in parts[:-1]] + [parts[-1]], dim=-2))

        wider.vocabulary += words
        wider.U = nn.ParameterList(widened(table, V) for table in self.U)
        wider.answers = widened(self.answers, V - 1)
        wider.contexts = None if self.contexts is None else widened(self.contexts, V, 2 * V)
        wider.M = None if self.M is None else widened(self.M, V)
        return wider

    def encode(self, batch: Questions) -> Features:
        """I: phi of every distinct sentence; the neighbours of a new word stand in its place."""
        unseen = self.new_words(batch)
        if self.contexts is None:
            return Features(*self.grams(batch.sentences), batch.sentences, unseen)
        new = rows(unseen[:, None], batch.sentences)[..., 0]
        sentences = torch.where(new, PAD, batch.sentences)
        numbers, often = self.grams(sentences)
        new, there = new.to(often.dtype), (sentences != PAD).to(often.dtype)
        before = new.cumsum(1)  # new words before the word at a place; it is none itself if it is there
        behind = new.sum(1, keepdim=True) - before
        left = len(self.U[CANDIDATE]) + sentences  # what stands on the left of a new word has one behind it
        numbers = torch.cat([numbers, left, left + self.vocabulary], dim=1)
        often = torch.cat([often, there * behind, there * before], dim=1)
        return Features(numbers, often, batch.sentences, unseen)

    def new_words(self, batch: Questions) -> Tensor:
        """Mask the words without an embedding, (V,): unseen words, and in training a share of the others."""
        word = torch.arange(self.vocabulary, device=batch.sentences.device)
        unseen = torch.zeros_like(word, dtype=torch.bool)
        if self.unseen and batch.unseen is not None:
            unseen = batch.unseen
        if self.unseen and batch.noise is not None:
            a, b, _ = batch.noise[0].unbind()
            unseen = unseen | ((a * word + b) % PRIME < self.unseen * PRIME) & (word != PAD)  # each with chance d
        return unseen

    def embed(self, features: Features, sentence: Tensor | None, role: int) -> Tensor:
        """U phi of all memories, (U, n), or of a part of x, with the worth and count of its words, (B, n + 2 V)."""
        table = self.U[role] if self.contexts is None else torch.cat([self.U[role], self.contexts])
        if sentence is None:
            return feature_sum(features.numbers, features.often, table)
        x = feature_sum(rows(features.numbers, sentence), rows(features.often, sentence), table)
        if self.match == self.hashing == "none":
            return x
        parts, said = [x], self.count(rows(features.sentences, sentence))
        if self.match != "none":
            parts.append(torch.where(features.unseen, 0.0, said) if self.worth is None else self.worth[role] * said)
        if self.hashing != "none":
            parts.append(said)
        return torch.cat(parts, dim=1)

    def count(self, sentences: Tensor) -> Tensor:
        """Count each word in each sentence, (U, V)."""
        ones = torch.ones(sentences.shape[1], dtype=self.answers.dtype, device=sentences.device)
        return count_words(sentences, self.vocabulary, ones)

    def matches(self, f: Tensor, x: Tensor, part: int) -> Tensor:
        """Section 3.6: compute the gain of a score of s_O or s_R, parts 0 and 1, for each word that y has, (B, V)."""
        worth = x[:, self.dim : self.dim + self.vocabulary]
        return worth if self.M is None else worth.clamp(max=1) * (f @ self.M[part].T)

    def look(self, x: Tensor, chosen: Tensor, memory: Tensor, batch: Questions) -> tuple[Candidates, Tensor, Tensor]:
        candidates, there, times = super().look(x[:, : self.dim], chosen, memory, batch)
        null = candidates.match.shape[1] - batch.stories.shape[1]
        if self.match != "none":
            words = rows(batch.sentences, batch.stories)  # (B, T, J)
            matches = self.matches(self.map(x[:, : self.dim], 0), x, 0).gather(1, words.flatten(1)).view(words.shape)
            candidates = candidates._replace(match=candidates.match + F.pad(matches.sum(-1), (0, null)))
        return candidates, there & F.pad(batch.stories != PAD, (0, null), value=True), times

    def reach(self, candidates: Candidates, x: Tensor, features: Features, batch: Questions) -> Candidates:
        """Section 3.3: mask the memories that share a bucket with x; the others never win."""
        if self.hashing == "none":
            return candidates
        said, has = x[:, -self.vocabulary :], self.count(features.sentences)
        if self.hashing == "clusters":
            of_word = cluster(self.U[CANDIDATE][: self.vocabulary], ~features.unseen, self.clusters)
            said, has = said @ of_word, has @ of_word
        shares = share_bucket(said, has, batch)
        shares = F.pad(shares, (0, candidates.match.shape[1] - shares.shape[1]), value=True)  # the null memory
        return candidates._replace(match=torch.where(shares, candidates.match, -torch.inf))

    def end(self, recall: Tensor, features: Features, sentence: Tensor) -> tuple[Tensor, Tensor]:
        """Add the memory that was read last, and the words that have no embedding as answers either."""
        return super().end(recall, features, sentence), features.unseen

    def respond(self, recall: tuple[Tensor, Tensor]) -> Tensor:
        """R: s_R of every word; a new one has its match only."""
        x, unseen = recall
        scores = super().respond(x[:, : self.dim])
        if self.match == "none":
            return scores
        known = torch.where(unseen, 0.0, scores) if self.unseen else scores
        return known + self.matches(self.map(x[:, : self.dim], 2), x, 1)

    def learn(self, batch: Questions) -> dict[str, Tensor]:
        return super().learn(batch if batch.golds is None else one_fact(batch))

    def noise(self, told: Tensor, generator: Generator) -> Tensor:
        """Draw two numbers that choose unseen words, and one that chooses among several facts; (N, 3)."""
        return torch.randint(PRIME, (len(told), 3), generator=generator).to(told.device)


def one_fact(batch: Questions) -> Questions:
    """Choose one of several facts that answer a question; a question without facts costs nothing.

    Its answer is its first word, as `tasks/wikimovies/tables.py` has it.
    """
    facts, count = batch.support, (batch.support != NONE).sum(1)
    number = torch.zeros_like(count) if batch.noise is None else batch.noise[:, 2] % count.clamp(min=1)
    fact = facts.gather(1, number[:, None]).clamp(min=0)  # (N, 1)
    place = torch.arange(batch.stories.shape[1], device=facts.device)
    other = (facts[..., None] == place).any(1) & (place != fact)
    value = rows(batch.sentences, batch.stories.gather(1, fact)[:, 0])[:, 0]
    answer = torch.where((count > 0) & (batch.answer != PAD), value, PAD)
    return batch._replace(stories=torch.where(other, PAD, batch.stories), support=fact, answer=answer)


def cluster(vectors: Tensor, known: Tensor, clusters: int) -> Tensor:
    """Cluster the known words by K-means: (V, K), 1 for the cluster of a word; the empty word has none."""
    vocabulary = len(vectors)
    clusters = min(clusters, vocabulary - 1)
    word = torch.arange(vocabulary, device=vectors.device)
    known = (known & (word != PAD))[:, None].to(vectors.dtype)
    centres = rows(vectors, 1 + word[:clusters] * (vocabulary - 1) // clusters)
    for _ in range(ROUNDS):
        distances = centres.square().sum(1) - 2 * vectors @ centres.T
        members = F.one_hot(distances.argmin(1), clusters).to(vectors.dtype) * known
        size = members.sum(0)[:, None]
        centres = torch.where(size > 0, members.T @ vectors / size.clamp(min=1), centres)
    return members
