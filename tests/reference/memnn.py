"""The memory network of arXiv:1410.3916 and arXiv:1502.05698, memory by memory."""

import torch
from torch import Tensor

QUESTION, CHOSEN, CANDIDATE, ANSWER_QUESTION, ANSWER_CHOSEN, ANSWER_LAST = range(6)


class Plain:
    """One question: its story and itself as lists of words."""

    def __init__(self, network, story: list[list[int]], question: list[int]) -> None:
        self.network, self.story, self.question = network, story, question

    def embed(self, sentence: list[int], role: int) -> Tensor:
        """U phi: the features of all 1-, 2- and 3-grams."""
        network = self.network
        total = torch.zeros(network.answers.shape[1], dtype=network.answers.dtype)
        for n in range(1, network.ngrams + 1):
            for i in range(len(sentence) - n + 1):
                key = 0
                for word in sentence[i : i + n]:
                    key = key * 8191 + word
                feature = key if n == 1 else network.vocabulary + (n - 2) * network.buckets + key % network.buckets
                total = total + network.U[role][feature]
        return total

    def map(self, x: Tensor, side: int) -> Tensor:
        W = self.network.W
        return x if W is None else torch.tanh(W[side] @ torch.tanh(x))

    def memory(self, y: int | None) -> Tensor:
        return self.map(self.network.null if y is None else self.embed(self.story[y], CANDIDATE), 1)

    def score(self, read: list[int], y: int | None, other: int | None) -> Tensor:
        """s_O(x, y, y'); memories by their position, None is the null memory."""
        x = self.embed(self.question, QUESTION) + sum(self.embed(self.story[i], CHOSEN) for i in read)
        f = self.map(x, 0)
        last = read[-1] if read else len(self.story)
        time = torch.zeros_like(f)
        if y is not None and last < y:
            time = time + self.network.times[0]
        if other is not None and last < other:
            time = time + self.network.times[1]
        if y is not None and other is not None and y < other:
            time = time + self.network.times[2]
        return f @ (self.memory(y) - self.memory(other) + time)

    def read(self) -> list[int]:
        """The memories read, one after another."""
        read: list[int] = []
        while len(read) < self.network.reads:
            winner, *rivals = self.compared(read)
            if self.network.adaptive and read:
                rivals.append(None)
            for other in rivals:
                if self.score(read, winner, other) < 0:
                    winner = other
            if winner is None:
                break
            read.append(winner)
        return read

    def compared(self, read: list[int]) -> list[int | None]:
        """The memories that a read compares."""
        return [*range(len(self.story))]

    def answers(self, read: list[int]) -> Tensor:
        """s_R of every word but the empty one."""
        x = self.embed(self.question, ANSWER_QUESTION) + self.embed(self.story[read[-1]], ANSWER_LAST)
        x = x + sum(self.embed(self.story[i], ANSWER_CHOSEN) for i in read[:-1])
        return self.network.answers @ self.map(x, 2)

    def loss(self, facts: list[int], answer: int) -> tuple[Tensor, Tensor]:
        """The margins of all reads, and of the answer."""
        network = self.network
        targets: list[int | None] = list(facts[: network.reads])
        if network.adaptive:
            targets += [None] * (len(facts) < network.reads)
        else:
            targets += [facts[-1]] * (network.reads - len(targets))
        reading = torch.zeros((), dtype=network.answers.dtype)
        read: list[int] = []
        for right in targets:
            memories = [*range(len(self.story)), *([None] if network.adaptive else [])]
            for wrong in memories:
                if wrong != right:
                    reading = reading + torch.relu(network.margin - self.score(read, right, wrong))
                    reading = reading + torch.relu(network.margin + self.score(read, wrong, right))
            if right is not None:
                read.append(right)
        scores = self.answers(read)
        answering = torch.zeros_like(reading)
        for word in range(len(scores)):
            if word != answer - 1:
                answering = answering + torch.relu(network.margin - scores[answer - 1] + scores[word])
        return reading, answering
