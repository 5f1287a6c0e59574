"""The long tail of arXiv:1410.3916, sections 3.3, 3.5 and 3.6, word by word."""

import torch
from torch import Tensor

from tests.reference.memnn import ANSWER_CHOSEN, ANSWER_LAST, ANSWER_QUESTION, CANDIDATE, CHOSEN, QUESTION, Plain


class PlainOpen(Plain):
    """One question; `unseen` are the words that have no embedding."""

    def __init__(self, network, story: list[list[int]], question: list[int], unseen: set[int]) -> None:
        super().__init__(network, story, question)
        self.unseen = unseen

    def embed(self, sentence: list[int], role: int) -> Tensor:
        """The features of known n-grams, and for every new word those of the known words on its two sides."""
        network = self.network
        total = torch.zeros(network.answers.shape[1], dtype=network.answers.dtype)
        known: list[int] = []  # words in a row
        for place, word in enumerate([*sentence, None]):
            if word is None or word in self.unseen:
                total = total + super().embed(known, role)
                known = []
            else:
                known.append(word)
            if word in self.unseen:
                for other, near in enumerate(sentence):
                    if near not in self.unseen:
                        total = total + network.contexts[near + (network.vocabulary if other > place else 0)]
        return total

    def match(self, read: list[int], word: int) -> Tensor:
        """What it adds to s_O that a memory has the word."""
        parts = [(self.question, QUESTION), *((self.story[i], CHOSEN) for i in read)]
        f = self.map(sum(self.embed(*part) for part in parts), 0)
        return self.worth(parts, word, f, 0)

    def worth(self, parts: list[tuple[list[int], int]], word: int, f: Tensor, of: int) -> Tensor:
        network = self.network
        if network.match == "score":
            return sum((network.worth[role] * sentence.count(word) for sentence, role in parts), torch.zeros_like(f[0]))
        if network.match == "features" and word not in self.unseen and any(word in sentence for sentence, _ in parts):
            return f @ network.M[of, word]
        return torch.zeros_like(f[0])

    def score(self, read: list[int], y: int | None, other: int | None) -> Tensor:
        total = super().score(read, y, other)
        for memory, sign in ((y, 1), (other, -1)):
            for word in [] if memory is None else self.story[memory]:
                total = total + sign * self.match(read, word)
        return total

    def answers(self, read: list[int]) -> Tensor:
        scores = super().answers(read)
        if self.network.match == "none":
            return scores
        parts = [(self.question, ANSWER_QUESTION), *((self.story[i], ANSWER_CHOSEN) for i in read[:-1])]
        parts.append((self.story[read[-1]], ANSWER_LAST))
        f = self.map(sum(self.embed(*part) for part in parts), 2)
        return torch.stack(
            [
                (torch.zeros_like(score) if word in self.unseen else score) + self.worth(parts, word, f, 1)
                for word, score in enumerate(scores, start=1)
            ]
        )

    def compared(self, read: list[int]) -> list[int | None]:
        everything = super().compared(read)
        if self.network.hashing == "none":
            return everything
        buckets = [self.buckets(sentence) for sentence in self.story]
        mine = set.union(self.buckets(self.question), *(buckets[i] for i in read))
        mine = {one for one in mine if sum(one in of_memory for of_memory in buckets) <= len(buckets) / 2}
        return [i for i in everything if buckets[i] & mine] or everything

    def buckets(self, sentence: list[int]) -> set[int]:
        if self.network.hashing == "words":
            return set(sentence)
        cluster_of = self.clusters()
        return {cluster_of[word] for word in sentence if word in cluster_of}

    def clusters(self) -> dict[int, int]:
        """K-means of the known words."""
        network = self.network
        vectors = {word: network.U[CANDIDATE][word] for word in range(1, network.vocabulary)}
        count = min(network.clusters, len(vectors))
        centres = [vectors[1 + k * len(vectors) // count] for k in range(count)]
        for _ in range(10):
            cluster_of = {
                word: int(torch.stack([(vector - centre).square().sum() for centre in centres]).argmin())
                for word, vector in vectors.items()
                if word not in self.unseen
            }
            for k in range(count):
                if members := [vectors[word] for word, cluster in cluster_of.items() if cluster == k]:
                    centres[k] = sum(members) / len(members)
        return cluster_of
