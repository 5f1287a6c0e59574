"""Recurrent entity network.

Paper: Henaff, Weston, Szlam, Bordes and LeCun, 2017, "Tracking the World State with Recurrent Entity Networks"
(arXiv:1612.03969). Numbers of equations are the paper's.
Symbols: e word vectors, f masks, s_t the sentence at time t, h_j slots, w_j keys, g_j gates, U V W the maps of the
candidate, q question, p attention over slots, u what is read, H and R the maps of the output, phi the activation.
Deviations:
- What the authors' code does and the equations do not say is done: a bias for each slot's gate and in U; one vector of
  PReLU slopes for all of the model; slots that begin as their keys; masks of their own for questions, which begin as 1,
  while those of the story begin as N(0, 0.1) like all other weights.
- A story is read whole, once, and every question sees the slots as they were when it was asked; the paper cuts to the
  last 70 sentences (130 in task 3).
- A batch has whole stories with all of their questions, 32 on average, and stories of like length; the authors' code
  draws 32 questions, each with its story, as does experiment=henaff2017_entnet_code_babi_10k.
- Tied keys: the paper ties a slot to each of a hand-made list of entities, here to each word of the vocabulary.
- The empty word has no vector, and scores 0 as an answer (the authors' code sets both to zero after every step).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tasks.batch import Questions
from zoo.interface import MemoryNetwork, Paper, Told, Trace, at_least, one_of
from zoo.parts.cells import rows
from zoo.parts.encoders import masked_sum
from zoo.parts.entities import rewrite


class EntNet(MemoryNetwork):
    """Slots with a gate each. Every sentence rewrites all of them.

    Args:
        vocabulary: V of the task.
        sentence_length: words of its longest sentence.
        story_length: sentences of its longest story.
        slots: number of slots; with tied keys there is one for each word instead.
        dim: d.
        keys: `free`, or `tied` to the word vectors.
        init_std: of the normal distribution from which the weights are drawn.
    """

    paper = Paper(
        "Henaff, Weston, Szlam, Bordes and LeCun",
        2017,
        "Tracking the World State with Recurrent Entity Networks",
        "https://arxiv.org/abs/1612.03969",
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
        slots: int = 20,
        dim: int = 100,
        keys: str = "free",
        init_std: float = 0.1,
    ) -> None:
        super().__init__()
        at_least(1, slots=slots, dim=dim)
        at_least(0, init_std=init_std)
        one_of(("free", "tied"), keys=keys)
        self.window = story_length

        def draw(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape) * init_std)

        self.slots = slots if keys == "free" else vocabulary - 1
        self.words = draw(vocabulary, dim)
        self.story_mask, self.question_mask = draw(sentence_length, dim), nn.Parameter(torch.ones(sentence_length, dim))
        self.keys = draw(slots, dim) if keys == "free" else None
        self.gate_bias = draw(self.slots)
        self.U, self.V, self.W, self.H = (draw(dim, dim) for _ in range(4))
        self.U_bias = draw(dim)
        self.slope = nn.Parameter(torch.ones(dim))
        self.R = draw(vocabulary - 1, dim)

    def encode(self, batch: Questions) -> tuple[Tensor, Tensor]:
        """I: every distinct sentence as one of a story and as a question, eq. 1: s = sum_i f_i * e_i."""
        return (
            masked_sum(batch.sentences, self.words, self.story_mask),
            masked_sum(batch.sentences, self.words, self.question_mask),
        )

    def write(self, features: tuple[Tensor, Tensor], batch: Questions, before: Told | None = None) -> Told:
        """G: the slots when each question is asked, (N, slots, d), and the gates of each sentence, (B, T, slots)."""
        sentences, _ = features
        w = self.words[1:] if self.keys is None else self.keys
        # all that depends on the sentence alone, for every distinct sentence: s, W s, and s^T w_j with the gate's bias
        of_sentence = sentences, sentences @ self.W.T, sentences @ w.T + self.gate_bias
        h = w if before is None else before.state[0]
        return Told(*rewrite(self.step, of_sentence, batch, h, w @ self.V.T + self.U_bias, self.U, self.slope))

    def step(self, h: Tensor, key_part: Tensor, s: Tensor, Ws: Tensor, sw: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the slots after one more sentence, (B, slots, d), and the gates that let it in, (B, slots)."""
        g = torch.sigmoid((h @ s[:, :, None])[..., 0] + sw)  # eq. 2
        candidate = self.phi(h @ self.U.T + key_part + Ws[:, None])  # eq. 3
        h = h + g[..., None] * candidate  # eq. 4
        return h / h.norm(dim=-1, keepdim=True).clamp(min=1e-8), g  # eq. 5

    def read(self, memory: Told, features: tuple[Tensor, Tensor], batch: Questions) -> tuple[Tensor, Trace]:
        """O: one soft read of the slots as they were when the question was asked."""
        h, gates = memory
        assert gates is not None
        q = rows(features[1], batch.question)
        p = (h @ q[:, :, None])[..., 0].softmax(dim=-1)  # eq. 6
        u = (p[:, None] @ h)[:, 0]
        # what a sentence has written to the slots that are read
        length, slots = gates.shape[1:]
        written = rows(gates.flatten(1), batch.story).view(-1, length, slots)
        heard = torch.arange(length, device=batch.told.device) < batch.told[:, None]
        trace = torch.where(heard, (written @ p[:, :, None])[..., 0], 0.0)
        return q + u @ self.H.T, Trace(trace[:, None])

    def respond(self, recall: Tensor) -> Tensor:
        """R: y = R phi(q + H u)."""
        return F.pad(self.phi(recall) @ self.R.T, (1, 0))

    def phi(self, x: Tensor) -> Tensor:
        """PReLU: positive values as they are, negative ones times a learned slope."""
        return torch.where(x > 0, x, self.slope * x)

    def state_size(self, story_length: int) -> int:
        return self.slots * self.words.shape[1]
