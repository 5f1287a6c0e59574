"""What a transcription of equations needs of a batch: lists of words, one question at a time."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from tasks.batch import PAD, Questions
from zoo.interface import MemoryNetwork


def questions(batch: Questions) -> Iterator[tuple[int, list[list[int]], list[int]]]:
    """The place of each question in the batch, the sentences told before it, and the question, as lists of words."""

    def words(row: int) -> list[int]:
        return [word for word in batch.sentences[row].tolist() if word != PAD]

    for n in range(len(batch.answer)):
        if batch.answer[n] != PAD:
            rows = batch.stories[batch.story[n]].tolist()[: int(batch.told[n])]
            yield n, [words(row) for row in rows], words(int(batch.question[n]))


def compare(network: MemoryNetwork, batch: Questions, answer: Callable[[int, list, list], Tensor]) -> None:
    """Holds a network's scores, loss and gradients against those of `answer`, which knows no empty word."""
    given = network(batch)
    loss = torch.zeros((), dtype=torch.double)
    for n, story, question in questions(batch):
        scores = answer(n, story, question)
        torch.testing.assert_close(given.scores[n, 1:], scores)
        loss = loss - torch.cat([scores.new_zeros(1), scores]).log_softmax(0)[batch.answer[n]]
    got = network.loss(given, batch)["answer"]
    torch.testing.assert_close(got, loss)
    ours = torch.autograd.grad(got, list(network.parameters()))
    theirs = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)
    for (name, parameter), one, other in zip(network.named_parameters(), ours, theirs, strict=True):
        torch.testing.assert_close(one, torch.zeros_like(parameter) if other is None else other, msg=name)
