"""Key hashing: an inverted index from words to the memories whose keys hold them (Miller et al., 2016, section 3.1)."""

import torch
from torch import Tensor

from tasks.batch import PAD


class Index:
    """An index of keys by their words; a word that is in too many keys finds none of them."""

    def __init__(self, keys: Tensor, vocabulary: int, most: int) -> None:
        """
        Args:
            keys: (M, W) word ids, 0 where a key is shorter.
            vocabulary: V.
            most: a word in so many keys, or more, is ignored; the paper ignores words of a frequency of 1,000 or more.
        """
        words, self.keys = keys.flatten(), len(keys)
        self.memories = words.argsort(stable=True) // keys.shape[1]  # word after word, (M W,)
        count = torch.bincount(words, minlength=vocabulary)
        self.begin = count.cumsum(0) - count  # (V,) where the memories of each word begin
        count[PAD] = 0
        self.count = torch.where(count < most, count, 0)

    def find(self, questions: Tensor, slots: int) -> tuple[Tensor, Tensor]:
        """Find the memories of every question, each once; those that share its rarest words come last.

        Args:
            questions: (N, J) word ids.
            slots: greatest number of memories per question; those of its rarest words are kept.

        Returns:
            Memories, question after question, (P,), and the number of memories of each question, (N,).
        """
        question, place = (self.count[questions] > 0).nonzero(as_tuple=True)
        words = questions[question, place]
        count = self.count[words]
        ends = count.cumsum(0)
        number = torch.arange(int(ends[-1]) if len(ends) else 0)
        memory = self.memories[number + (self.begin[words] - ends + count).repeat_interleave(count)]
        # a memory that two words of a question find counts as found by the rarer one
        pair, same = torch.unique(question.repeat_interleave(count) * self.keys + memory, return_inverse=True)
        rarity = torch.full_like(pair, self.keys).scatter_reduce(0, same, count.repeat_interleave(count), "amin")
        question, memory = pair // self.keys, pair % self.keys
        # the commonest word first and, for the same word, the last memory first: so the rarest end with the first
        order = memory.argsort(descending=True)
        order = order[rarity[order].argsort(descending=True, stable=True)]
        order = order[question[order].argsort(stable=True)]
        number = torch.bincount(question, minlength=len(questions))
        behind = number.cumsum(0).repeat_interleave(number) - torch.arange(len(order))  # 1 for the last of a question
        return memory[order[behind <= slots]], number.clamp(max=slots)
