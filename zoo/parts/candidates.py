"""Scores of candidate replies, each by its own words, as in the paper of the dialog tasks (Bordes et al., 2017)."""

import torch
from torch import Tensor

from tasks.batch import PAD, Questions
from zoo.parts.cells import rows


def score_candidates(recall: Tensor, words: Tensor, batch: Questions) -> Tensor:
    """Compute u^T W phi(y) for every candidate y, (N, C); phi is its bag of words and of the types that it matches.

    Args:
        recall: (N, d) u, what was recalled for each question.
        words: (V, d) W, a vector for each word, zero for the empty one.
        batch: holds the candidates and, for the match types, what was said.
    """
    candidates = batch.candidates
    assert candidates is not None
    scores = recall @ rows(words, candidates.words).sum(1).T
    if len(candidates.types):
        said = words_said(batch, len(words))
        of_types = recall @ rows(words, candidates.types).T  # (N, M)
        for score, entities in zip(of_types.unbind(1), candidates.entities, strict=True):
            matched = said.gather(1, entities.flatten().expand(len(said), -1)).view(-1, *entities.shape).any(-1)
            scores = scores + torch.where(matched, score[:, None], 0.0)
    return scores


def words_said(batch: Questions, vocabulary: int) -> Tensor:
    """Mask the words that were said in a question or in the story before it, (N, V); the empty word never is."""
    place = torch.arange(batch.stories.shape[1], device=batch.told.device)
    told = torch.where(place < batch.told[:, None], rows(batch.stories, batch.story), PAD)
    words = rows(batch.sentences, torch.cat([told, batch.question[:, None]], dim=1)).flatten(1)
    none = torch.zeros_like(words[:, :1], dtype=torch.bool).expand(-1, vocabulary)
    return none.scatter(1, words, True) & (torch.arange(vocabulary, device=words.device) != PAD)
