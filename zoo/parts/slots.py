"""Memories with a slot per sentence: scores and sums over slots that are rows of one table, and the time of a slot."""

import math

import torch
from torch import Generator, Tensor

from tasks.batch import PAD, Questions
from tasks.corpus import window_of
from zoo import kernels


def look(u: Tensor, table: Tensor, slots: Tensor) -> Tensor:
    """Compute u^T m_i for every slot, (B, T): one product with the whole table, then a gather of scalars.

    Args:
        u: (B, d)
        table: (rows, d)
        slots: (B, parts, T) rows of the table; m_i is the sum of the rows of slot i.
    """
    return (u @ table.T).gather(1, slots.flatten(1)).view(slots.shape).sum(1)


def recall(p: Tensor, table: Tensor, slots: Tensor) -> Tensor:
    """Compute sum_i p_i c_i, (B, d): the weights of each row are added up, then multiplied with the table at once."""
    each = p[:, None].expand(slots.shape).flatten(1)
    return p.new_zeros(len(p), len(table)).scatter_add(1, slots.flatten(1), each) @ table


def share_bucket(said: Tensor, has: Tensor, batch: Questions) -> Tensor:
    """Mask the memories that have a bucket in common with the question, (B, T); all of them, where none has.

    A bucket with more than half of a story's memories counts for nothing, else "the" would find everything.

    Args:
        said: (B, buckets) positive where the question is in a bucket.
        has: (U, buckets) the same of every distinct sentence.
        batch: holds the stories.
    """
    has = (has > 0).to(said.dtype)
    once = torch.ones_like(batch.stories, dtype=said.dtype)
    often = once.new_zeros(len(said), len(has)).scatter_add(1, batch.stories, once)  # a story has each sentence
    usual = often @ has > batch.told[:, None] / 2
    found = (torch.where(usual, 0.0, said) @ has.T).gather(1, batch.stories) > 0
    return found | ~found.any(1, keepdim=True)


def windows(
    facts: Tensor,
    start: Tensor,
    kept: Tensor,
    window: int,
    names: Tensor | None = None,
    renamed: Tensor | None = None,
) -> Tensor:
    """`kept` facts from `start` on, (..., window), and PAD behind them.

    Args:
        facts: (M,) rows of the sentence table, or columns of `names`.
        start: (...) places among the facts.
        kept: (...) at most `window`.
        window: T.
        names: (P, columns) rows of the sentence table that a fact becomes under each renaming.
        renamed: (...) the renaming of each window.
    """
    if kernels.usable() and facts.device.type == "cpu":
        table = facts.new_empty(*start.shape, window)
        flat = [start.flatten(), kept.flatten(), table.view(-1, window)]
        each = None if renamed is None else renamed.flatten()
        kernels.call("slots", "windows", None, [facts, *flat, names, each], [1, 1, 1, 2, 2, 1])
        return table
    return window_of(facts, start, kept, window, names, renamed)


def time_index(told: Tensor, slots: int) -> Tensor:
    """Number the slots by time, (B, slots): 1 for the last sentence told, 2 for the one before, 0 for empty slots."""
    return (told[:, None] - torch.arange(slots, device=told.device)).clamp(min=PAD)


def times_told(batch: Questions) -> Tensor:
    """Get the time index of every slot, (B, T); in training the indices that the model has drawn, if it draws any."""
    slots = batch.stories.shape[1]
    return time_index(batch.told, slots) if batch.noise is None else batch.noise[:, :slots]


def time_with_gaps(told: Tensor, slots: int, share: float, generator: Generator) -> Tensor:
    """Draw time indices as if up to `share` empty memories had been told among the sentences, (B, slots).

    That is the random noise of MemN2N (section 4.1). What lies beyond the last time index is given the last one.
    """
    told = told[:, None]
    most = math.ceil(share * slots)

    def draw(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=generator.device).to(told.device)

    # n = 0 ... ceil(share * told) empty memories, each put at a random place among those already there
    empty = (draw(len(told), 1) * ((share * told).ceil() + 1)).long()
    count = torch.arange(most, device=told.device)
    place = (draw(len(told), most) * (told + count + 1)).int() + 1
    if kernels.usable() and told.device.type == "cpu":
        time = told.new_empty(len(told), slots)
        kernels.call("slots", "gaps", None, [told, empty, place.long(), time], [2, 2, 2, 2])
        return time
    time = time_index(told[:, 0], slots).int()
    place = torch.where(count < empty, place, torch.iinfo(torch.int).max)  # which none reaches
    for here in place.split(1, dim=1):
        time += time >= here
    return time.clamp(max=slots).long()
