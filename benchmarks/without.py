"""The zoo's ways of saving time, switched off: the same answers by the longer way. Tests hold both together."""

import torch
import torch.nn.functional as F
from torch import Tensor

from tasks.batch import NONE, PAD, Questions
from tasks.corpus import Corpus
from zoo.interface import Trace
from zoo.models.gated_memn2n import GatedMemN2N
from zoo.models.memn2n import MemN2N
from zoo.parts.cells import rows


def told_apart(batch: Questions) -> Questions:
    """Repeat every sentence in the table as often as it was told or asked, so that each is encoded anew.

    Args:
        batch: one, or one for each restart, with a leading axis.
    """
    *lead, stories, slots = batch.stories.shape
    number = 1 + torch.arange(stories * slots).view(stories, slots)
    first = 1 + stories * slots
    used = torch.cat([batch.stories.new_zeros(*lead, 1), batch.stories.flatten(-2), batch.question], dim=-1)
    sentences = batch.sentences
    if sentences.dim() == 3:  # a table for each restart
        table = sentences.gather(1, used[..., None].expand(-1, -1, sentences.shape[-1]))
    else:
        table = sentences[used]
    return batch._replace(
        sentences=table,
        stories=torch.where(batch.stories == PAD, PAD, number),
        question=torch.arange(first, first + batch.question.shape[-1]).expand(batch.question.shape),
    )


def read_for_each_question(corpus: Corpus, stories: Tensor) -> Questions:
    """Draw the training stories (R, B) as a batch by question: a story stands there once for each of its questions.

    A restart that has fewer questions than another is filled up with places without one.
    """
    split = corpus.train
    asked = [torch.isin(split.story, some).nonzero()[:, 0] for some in stories]
    most = max(map(len, asked))
    number = torch.stack([F.pad(some, (0, most - len(some)), value=NONE) for some in asked])
    batch = corpus.by_question(split, number.clamp(min=0), int(split.lengths[stories].max()))
    return batch._replace(answer=torch.where(number == NONE, PAD, batch.answer))


class Gathered:
    """MemN2N with slots gathered from the table, (B, T, d), before the question is compared with them."""

    def read(
        self, memory: tuple[tuple[Tensor, ...], Tensor], features: Tensor, batch: Questions
    ) -> tuple[Tensor, Trace]:
        tables, slots = memory
        gathered = [sum(rows(table, part) for part in slots.unbind(1)) for table in tables]
        u = rows(features[self.question_of], batch.question)
        attention = []
        for hop in range(self.hops):
            scores = (gathered[self.input_of[hop]] @ u[:, :, None])[..., 0]
            p = torch.where(self.linear, scores, scores.softmax(dim=-1))
            u = self.update(u, (p[:, None] @ gathered[self.output_of[hop]])[:, 0], hop)
            attention.append(p)
        return u, Trace(torch.stack(attention, dim=1))


class GatheredMemN2N(Gathered, MemN2N):
    pass


class GatheredGatedMemN2N(Gathered, GatedMemN2N):
    pass


GATHERED = {MemN2N: GatheredMemN2N, GatedMemN2N: GatheredGatedMemN2N}
