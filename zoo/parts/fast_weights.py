"""A memory of triples e (x) r (x) D, one of every write: F[e', r'] = sum_i (e_i . e') (r_i . r') D_i.

F itself, a tensor of as many numbers as there are combinations, is never formed.
"""

import torch
from torch import Tensor

from tasks.batch import Questions
from zoo import kernels
from zoo.kernels import Shape
from zoo.parts.cells import rows


def correct(
    keys: Tensor, wanted: Tensor, batch: Questions, entity: int, writes: int, at_once: bool, faded: Tensor | None
) -> Tensor:
    """D of every write of a story, (B, T writes, E), so that D_i = held_i - F[e_i, s_i], F the memory before.

    F is linear in the D before, so these solve a triangular system. The kernel reads each story as far as it is asked
    about, and returns zeros behind.

    Args:
        keys: (U, writes (E + Q)) e and r of every write of a distinct sentence.
        wanted: (U, writes (Q + E)) s and held of every write.
        batch: the stories.
        entity: E.
        writes: of a sentence.
        at_once: whether the writes of a sentence all see the memory before it, not each what the one before has left.
        faded: (B, T) logarithm of what is left after each sentence of something as old as the story; None: all.
    """
    if faded is None and kernels.usable(keys, wanted):
        return _correct(keys, wanted, batch.stories, batch.story, batch.told, entity, writes, writes if at_once else 1)
    count, length = batch.stories.shape
    relation = keys.shape[1] // writes - entity
    e, r = rows(keys, batch.stories).view(count, length * writes, -1).split([entity, relation], dim=-1)
    s, held = rows(wanted, batch.stories).view(count, length * writes, -1).split([relation, entity], dim=-1)
    number = torch.arange(length * writes, device=keys.device)
    first = number // writes * writes if at_once else number  # of the writes that do not precede
    M = torch.where(number < first[:, None], (e @ e.mT) * (s @ r.mT), 0.0)
    if faded is not None:
        of_write = faded.repeat_interleave(writes, dim=1)
        M = M * (of_write[:, :, None] - of_write[:, None]).clamp(max=0.0).exp()
    M = M + torch.eye(len(number), dtype=M.dtype, device=M.device)
    return torch.linalg.solve_triangular(M, held, upper=False, unitriangular=True)


def find(
    keys: Tensor, D: Tensor, batch: Questions, entity: Tensor, relation: Tensor, faded: Tensor | None
) -> tuple[Tensor, Tensor]:
    """F[entity, relation] as every question finds it, (N, E), and the part of each sentence in it, (N, T).

    The parts sum to one; those of sentences that took something away are negative. They have no gradient.

    Args:
        keys: (U, writes (E + Q)) e and r of every write of a distinct sentence.
        D: (B, T writes, E)
        batch: the stories, and when the questions are asked.
        entity: (N, E)
        relation: (N, Q)
        faded: (B, T) as above.
    """
    if faded is None and kernels.usable(keys, D, entity, relation):
        return _find(keys, D, batch.stories, batch.story, batch.told, entity, relation)
    length = batch.stories.shape[1]
    writes = D.shape[1] // length
    heard = torch.arange(length, device=keys.device) < batch.told[:, None]
    kept = heard.to(keys.dtype)  # of what each sentence has written
    if faded is not None:
        of_story = rows(faded, batch.story)
        now = of_story.gather(1, (batch.told[:, None] - 1).clamp(min=0))
        kept = torch.where(heard, now - of_story, -torch.inf).exp()
    told = rows(batch.stories, batch.story)
    e, r = rows(keys, told).view(len(told), length * writes, -1).split([entity.shape[1], relation.shape[1]], dim=-1)
    D = rows(D.flatten(1), batch.story).view(len(told), length * writes, -1)
    alike = (e @ entity[:, :, None])[..., 0] * (r @ relation[:, :, None])[..., 0]
    score = alike * kept.repeat_interleave(writes, dim=1)
    found = (score[:, None] @ D)[:, 0]
    along = (D @ found[:, :, None])[..., 0] / (found * found).sum(-1, keepdim=True).clamp(min=1e-12)
    return found, (score * along).unflatten(1, (-1, writes)).sum(-1).detach()


def add_up(
    F: Tensor, keys: Tensor, wanted: Tensor, batch: Questions, writes: int, at_once: bool, faded: Tensor | None
) -> Tensor:
    """F after the sentences of one story, (1, E, Q, E), from F before them; the other arguments are those of `correct`.

    What a write finds of F before is subtracted from what it shall hold. The rest is `correct` among these sentences.
    """
    count, entity = batch.stories.shape[1], F.shape[1]
    relation = F.shape[2]
    keys, wanted = rows(keys, batch.stories[0]), rows(wanted, batch.stories[0])  # of each sentence, told twice or not
    e, r = keys.view(count * writes, -1).split([entity, relation], dim=-1)
    s, held = wanted.view(count * writes, -1).split([relation, entity], dim=-1)
    left = torch.zeros_like(e[:, 0]) if faded is None else faded[0].repeat_interleave(writes)
    held = held - left.exp()[:, None] * held_at(F, e, s)
    own = torch.nn.functional.pad(torch.cat([s, held], dim=1).view(count, -1), (0, 0, 1, 0))
    each = batch._replace(stories=torch.arange(1, count + 1, device=F.device)[None])
    D = correct(torch.nn.functional.pad(keys, (0, 0, 1, 0)), own, each, entity, writes, at_once, faded)[0]
    written = (e * (left[-1] - left).exp()[:, None])[:, :, None] * r[:, None]  # what is left of it at the end
    return left[-1].exp() * F + (written.flatten(1).T @ D).view_as(F)


def held_at(F: Tensor, entity: Tensor, relation: Tensor) -> Tensor:
    """F[entity, relation] for every row, (N, E) and (N, Q) to (N, E), of one F, (1, E, Q, E)."""
    return (relation[:, None] @ (entity @ F[0].flatten(1)).view(len(entity), *F.shape[2:]))[:, 0]


def _correct_shapes(keys: Shape, wanted: Shape, stories: Shape, *others: Shape | int) -> list[Shape]:
    (B, T), (*_, entity, writes, _) = stories, others
    assert isinstance(entity, int) and isinstance(writes, int)
    return [(B, T * writes, entity)]


_correct = kernels.Operator(
    "correct",
    inputs={"keys": 2, "wanted": 2, "stories": 2, "story": 1, "told": 1},
    outputs=("D",),
    shapes=_correct_shapes,
    gradients=("keys", "wanted"),
    numbers=("entity", "writes", "at_once"),
)
_find = kernels.Operator(
    "find",
    inputs={"keys": 2, "D": 3, "stories": 2, "story": 1, "told": 1, "entity": 2, "relation": 2},
    outputs=("found", "parts"),
    shapes=lambda keys, D, stories, story, told, entity, relation: [entity, (entity[0], stories[1])],
    gradients=("keys", "D", "entity", "relation"),
    returned=2,
)
