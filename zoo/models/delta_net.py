"""Fast weights over sentences: an associative memory that is corrected, not added to.

Paper: Schlag and Schmidhuber, 2018, "Learning to Reason with Third-Order Tensor Products" (arXiv:1811.12143), TPR-RNN,
with the authors' code, from which sizes are known. This is `rule=tpr`; numbers of equations are the paper's. The other
rule, `rule=delta`, is that of Schlag, Irie and Schmidhuber, 2021, "Linear Transformers Are Secretly Fast Weight
Programmers" (arXiv:2102.11174), and with `decay` that of Yang, Kautz and Hatamizadeh, 2024, "Gated Delta Networks"
(arXiv:2412.06464).
Symbols: s sentence, e entity vector (E), r relation vector (Q), F memory (E, Q, E), F[e, r] = sum_ij F_ij. e_i r_j what
it holds at the key e (x) r, i_k what hop k reads, Z map to the words. A write adds e (x) r (x) D, where D is the
difference between what the key shall hold and what it holds.
With `rule=tpr` a sentence makes three writes, all of which see the memory before it:
    e1 r1  D = e2 - w         w = F[e1, r1]   write: the old value makes room
    e1 r2  D = w - m          m = F[e1, r2]   move: the old value is kept at another relation
    e2 r3  D = e1 - b         b = F[e2, r3]   backlink
With `rule=delta` it makes any number, one after another, of keys e and r of length one:
    e r    D = beta (v - F[e, r])             beta in (0, 1) by the sentence; before them F fades by alpha in (0, 1)
F is never formed. All that is read is linear in the D, so the D of a story solve a triangular system, in which the
products of keys stand: (I + M) D = what the keys shall hold. A read is a sum of D, weighted by products of keys.
Deviations:
- The empty word has no vector; the authors' sums hold one for it. The network of a second entity of the question, which
  the authors' code computes and never uses, is left out.
- A story is heard whole, once; the authors draw questions, each with its last 70 sentences (130 in task 3, or joint).
  Batches hold stories of like length with all their questions.
- The trace leaves out what sentences took away from what was read.
- Adam for Nadam, as in another reimplementation; the rate rises over the first 50 steps, where the authors' is a tenth,
  and is halved at given epochs, not when the validation loss falls below 0.1.
- `rule=delta` is no layer among others, as it is in language models: it takes the place of the rule of TPR-RNN, between
  the same sentences and the same hops.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tasks.batch import Questions
from zoo.interface import MemoryNetwork, Paper, Told, Trace, at_least, one_of
from zoo.parts.cells import rows
from zoo.parts.encoders import masked_sum
from zoo.parts.fast_weights import add_up, correct, find, held_at

TPR_WRITES = 3


class DeltaNet(MemoryNetwork):
    """A memory of pairs of vectors, corrected by every sentence, and a chain of reads.

    Args:
        vocabulary: V of the task.
        sentence_length: words of its longest sentence.
        story_length: sentences of its longest story.
        dim: width of word vectors; 0: as many as there are words.
        entity: E.
        relation: Q.
        hidden: width within the networks that make entities and relations of a sentence.
        hops: reads, each at the entity that the one before has found.
        rule: `tpr` or `delta`.
        writes: of a sentence; with `rule=tpr` there are three.
        decay: whether the memory fades; with `rule=delta` only.
    """

    paper = Paper(
        "Schlag and Schmidhuber",
        2018,
        "Learning to Reason with Third-Order Tensor Products",
        "https://arxiv.org/abs/1811.12143",
    )
    memory = "dynamic"
    batched_by = "story"
    traces = "writing"
    goes_on = True

    def __init__(
        self,
        vocabulary: int,
        sentence_length: int,
        story_length: int,
        dim: int = 0,
        entity: int = 90,
        relation: int = 20,
        hidden: int = 40,
        hops: int = 3,
        rule: str = "tpr",
        writes: int = TPR_WRITES,
        decay: bool = False,
    ) -> None:
        super().__init__()
        at_least(0, dim=dim)
        at_least(1, entity=entity, relation=relation, hidden=hidden, hops=hops, writes=writes)
        one_of(("tpr", "delta"), rule=rule)
        if rule == "tpr" and writes != TPR_WRITES:
            raise ValueError(f"model.writes={writes}: expected {TPR_WRITES} where model.rule=tpr")
        if rule == "tpr" and decay:
            raise ValueError("model.decay=true: expected false where model.rule=tpr")
        self.window, self.rule, self.writes = story_length, rule, writes
        self.entity, self.relation = entity, relation
        dim = dim or vocabulary
        self.words = nn.Parameter(torch.rand(vocabulary, dim) * 0.2 - 0.1)
        self.mask = nn.Parameter(torch.ones(sentence_length, dim))
        entities = 2 if rule == "tpr" else 2 * writes
        self.of_sentence = Nets(dim, hidden, entities, entity, writes, relation)
        self.of_question = Nets(dim, hidden, 1, entity, hops, relation)
        self.W_beta = glorot(writes, dim) if rule == "delta" else None
        self.b_beta = nn.Parameter(torch.ones(writes)) if rule == "delta" else None
        self.w_alpha = glorot(1, dim) if decay else None
        self.b_alpha = nn.Parameter(torch.full((1,), -4.0)) if decay else None
        self.gain, self.shift = nn.Parameter(torch.ones(hops)), nn.Parameter(torch.zeros(hops))
        self.Z = glorot(vocabulary - 1, entity)

    def encode(self, batch: Questions) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """I: of every distinct sentence keys, (U, writes (E + Q)), what they shall hold and what is subtracted from it,
        (U, writes (Q + E)), log alpha, (U, 1), and, as a question, entity and relations.

        Eq. 5: s = sum_j f_j * x_j / J."""
        s = masked_sum(batch.sentences, self.words, self.mask / len(self.mask))
        e, r = self.of_sentence(s)
        if self.rule == "tpr":
            e1, e2 = e
            r1, r2, r3 = r
            keys = [e1, r1, e1, r2, e2, r3]
            # of the move D is F[e1, r1] - F[e1, r2]: what F holds at e1 and r2 - r1 is subtracted from nothing
            wanted = [r1, e2, r2 - r1, torch.zeros_like(e1), r3, e1]
        else:
            assert self.W_beta is not None and self.b_beta is not None
            beta = torch.sigmoid(s @ self.W_beta.T + self.b_beta).T[:, :, None]
            r = unit(r)
            values = e[self.writes :]
            keys = [one for key in zip(unit(e[: self.writes]), r, strict=True) for one in key]
            wanted = [one for want in zip(beta * r, beta * values, strict=True) for one in want]
        fades = s.new_zeros(len(s), 1)
        if self.w_alpha is not None and self.b_alpha is not None:
            fades = -F.softplus(s @ self.w_alpha.T + self.b_alpha)
        entity, relations = self.of_question(s)
        return torch.cat(keys, dim=1), torch.cat(wanted, dim=1), fades, entity[0], relations.transpose(0, 1).flatten(1)

    def first_memory(self) -> Told:
        """F itself, (1, E, Q, E): a story that is told bit by bit is kept as the paper keeps it."""
        return Told(self.Z.new_zeros(1, self.entity, self.relation, self.entity), None)

    def write(
        self, features: tuple[Tensor, Tensor, Tensor, Tensor, Tensor], batch: Questions, before: Told | None = None
    ) -> tuple[Tensor, Tensor | None] | Told:
        """G: D of every write, (B, T writes, E), and log of what is left of the memory, (B, T); or F, if F is given."""
        keys, wanted, fades, _, _ = features
        faded = None if self.w_alpha is None else rows(fades, batch.stories)[..., 0].cumsum(1)
        if before is not None:
            return Told(add_up(before.state, keys, wanted, batch, self.writes, self.rule == "tpr", faded), None)
        return correct(keys, wanted, batch, self.entity, self.writes, self.rule == "tpr", faded), faded

    def read(
        self,
        memory: tuple[Tensor, Tensor | None] | Told,
        features: tuple[Tensor, Tensor, Tensor, Tensor, Tensor],
        batch: Questions,
    ) -> tuple[Tensor, Trace | None]:
        """O: i1 + i2 + i3, i_k = LN(F[i_(k-1), r_k]), each from the memory as it was when the question was asked."""
        D, faded = memory
        keys, _, _, entities, relations = features
        entity = rows(entities, batch.question)
        reads, parts = [], []
        for hop, relation in enumerate(rows(relations, batch.question).split(self.relation, dim=1)):
            if isinstance(memory, Told):
                entity = self.normalise(held_at(memory.state, entity, relation), hop)
            else:
                found, part = find(keys, D, batch, entity, relation, faded)
                entity = self.normalise(found, hop)
                parts.append(part.clamp(min=0.0))
            reads.append(entity)
        return torch.stack(reads).sum(0), Trace(torch.stack(parts, dim=1)) if parts else None

    def normalise(self, x: Tensor, hop: int) -> Tensor:
        """Give x mean zero and variance one, then the hop's gain and shift, which are numbers."""
        x = x - x.mean(-1, keepdim=True)
        return x / (x.square().mean(-1, keepdim=True) + 1e-7).sqrt() * self.gain[hop] + self.shift[hop]

    def respond(self, recall: Tensor) -> Tensor:
        """R: Z^T (i1 + i2 + i3)."""
        return F.pad(recall @ self.Z.T, (1, 0))

    def state_size(self, story_length: int) -> int:
        """F as the paper holds it; as it is computed, key and D of every write."""
        return self.entity * self.relation * self.entity


class Nets(nn.Module):
    """Networks of two layers, tanh(B tanh(A s + a) + b), side by side: some for entities, others for relations."""

    def __init__(self, dim: int, hidden: int, entities: int, entity: int, relations: int, relation: int) -> None:
        super().__init__()
        nets = entities + relations
        self.entities = entities
        self.A, self.a = glorot(nets, hidden, dim), nn.Parameter(torch.zeros(nets, 1, hidden))
        self.B_e, self.b_e = glorot(entities, entity, hidden), nn.Parameter(torch.zeros(entities, 1, entity))
        self.B_r, self.b_r = glorot(relations, relation, hidden), nn.Parameter(torch.zeros(relations, 1, relation))

    def forward(self, s: Tensor) -> tuple[Tensor, Tensor]:
        """Entities and relations of every sentence, (entities, U, E) and (relations, U, Q)."""
        h = torch.tanh(s @ self.A.mT + self.a)
        e = torch.tanh(h[: self.entities] @ self.B_e.mT + self.b_e)
        return e, torch.tanh(h[self.entities :] @ self.B_r.mT + self.b_r)


def glorot(*shape: int) -> nn.Parameter:
    return nn.Parameter((torch.rand(*shape) * 2 - 1) * (6 / (shape[-1] + shape[-2])) ** 0.5)


def unit(x: Tensor) -> Tensor:
    """Scale to length one; nothing stays nothing."""
    return x / ((x * x).sum(-1, keepdim=True) + 1e-12).sqrt()
