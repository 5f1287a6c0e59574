"""Key-value memory network.

Paper: Miller, Fisch, Dodge, Karimi, Bordes and Weston, 2016, "Key-Value Memory Networks for Directly Reading Documents"
(arXiv:1606.03126), section 3. The equations are known from others' notes and from the authors' code, so they bear no
numbers.
Symbols: x question, (k_i, v_i) memories, A the embedding of questions, keys and values, B that of answers, q_j the
query of hop j, p the relevance probabilities, o the value read, R_j the map between hops.
Deviations:
- bAbI has no row in the paper. A memory is a sentence, which is key and value alike, as in the paper's "sentence"
  representation; or, as in its "window" representation with centre encoding, there is one for each word of a sentence:
  its key is the sentence with this word embedded by a dictionary of its own, its value is the word.
- Values have a dictionary of their own by default, which the paper gives to the centre words of windows only.
- Sentences have position encoding by default, which bAbI needs where the order of words says something.
- Keys and values have time vectors, and their indices gaps in training, as in MemN2N: without them bAbI cannot be
  learned (no model could tell the order of two sentences).
- Training can begin without the softmax (MemN2N's linear start), without which tasks 3 and 4 are hardly learned.
- Key hashing is off by default: in tasks of several facts the later ones often share no word with the question. It is a
  product of word counts here, the inverted index of a story; words in more than half of its sentences don't count, and
  a question that hits no memory sees all of them.
- R_j has a bias, and the last hop has its R too (the authors' code has a bias and no R after the last hop); A is not B.
- As answers all words are candidates, scored by their own embedding; the paper's are entities. They are on WikiMovies
  too, beside the few hundred words of relations and questions, and all of them share the softmax; the authors' code
  draws 1,000 wrong ones.
- On WikiMovies key hashing is the task's (`tasks/wikimovies/index.py`). Values and answers share a dictionary there,
  questions and keys another: so what stands in the question is not taken for its answer. The authors' code has one for
  all, which is `own_values=false own_answers=false`.
"""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from tasks.batch import PAD, Questions
from zoo.interface import MemoryNetwork, Paper, Trace, at_least, one_of
from zoo.parts.cells import rows
from zoo.parts.encoders import ENCODERS, bag_of_words, count_words
from zoo.parts.slots import look, recall, share_bucket, time_with_gaps, times_told


class KVMemNN(MemoryNetwork):
    """A memory of keys and values: the keys are compared with the query, the values are read.

    Args:
        vocabulary: V of the task.
        sentence_length: words of its longest sentence.
        story_length: sentences of its longest story.
        memory_size: sentences at most; of longer stories the last are kept.
        dim: d.
        hops: H.
        memories: `sentences`, `windows` around each word, or `triples`, sentences whose first word is the value
            and whose other words are the key.
        encoding: of questions and sentences: `position`, or `bag` (of words) as in the paper; windows and triples are
            bags.
        own_values: whether values have a dictionary of their own, as the centre words have in the paper's windows.
        own_answers: whether answers have a dictionary of their own, and not that of the values.
        hashing: whether only memories that share a word with the question are looked at.
        time: whether keys and values carry temporal encodings.
        time_noise: share of empty memories among the slots in training.
        init_std: of the normal distribution from which the weights are drawn; R_j begins as the identity.
    """

    paper = Paper(
        "Miller, Fisch, Dodge, Karimi, Bordes and Weston",
        2016,
        "Key-Value Memory Networks for Directly Reading Documents",
        "https://arxiv.org/abs/1606.03126",
    )
    memory = "static"
    ranks_candidates = True
    unordered = True
    linear: Tensor

    def __init__(
        self,
        vocabulary: int,
        sentence_length: int,
        story_length: int,
        memory_size: int = 50,
        dim: int = 30,
        hops: int = 3,
        memories: str = "sentences",
        encoding: str = "position",
        own_values: bool = True,
        own_answers: bool = True,
        hashing: bool = False,
        time: bool = True,
        time_noise: float = 0.1,
        init_std: float = 0.1,
    ) -> None:
        super().__init__()
        at_least(1, memory_size=memory_size, dim=dim, hops=hops)
        at_least(0, time_noise=time_noise, init_std=init_std)
        one_of(("sentences", "windows", "triples"), memories=memories)
        one_of(tuple(ENCODERS), encoding=encoding)
        if memories == "triples" and encoding != "bag":  # the key is what is left of the bag without the value
            raise ValueError(f"model.encoding={encoding}: expected bag where model.memories=triples")
        self.window = min(memory_size, story_length)
        self.memories_each = sentence_length if memories == "windows" else 1  # of a sentence, at most
        self.triples, self.hashing, self.time_noise = memories == "triples", hashing, time_noise
        self.encode_sentences = ENCODERS[encoding]

        def draw(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape) * init_std)

        self.A = draw(vocabulary, dim)
        self.B = draw(vocabulary - 1, dim) if own_answers else None
        self.A_V = draw(vocabulary, dim) if own_values else None
        self.centre = draw(vocabulary, dim) if memories == "windows" else None
        self.key_times = draw(self.window, dim) if time else None
        self.value_times = draw(self.window, dim) if time else None
        # training begins without the softmax, as in MemN2N
        self.register_buffer("linear", torch.tensor(False))
        self.R = nn.Parameter(torch.eye(dim).repeat(hops, 1, 1))
        self.R_bias = draw(hops, dim)

    def encode(self, batch: Questions) -> tuple[Tensor, Tensor]:
        """I: every distinct sentence as a question or key, and as a value, (U, d) each."""
        keys = self.encode_sentences(batch.sentences, self.A)
        if self.triples:
            return keys, rows(self.A if self.A_V is None else self.A_V, batch.sentences[:, 0])
        return keys, keys if self.A_V is None else self.encode_sentences(batch.sentences, self.A_V)

    def write(self, features: tuple[Tensor, Tensor], batch: Questions) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """G: tables of keys and of values, the rows of each memory, and a mask of the memories that can be seen.

        Returns:
            Two tables (rows, d), rows of them (B, parts, M), and (B, M); M is T, or T J with windows.
        """
        if self.centre is None:
            keys, values = features
            if self.triples:
                keys = keys - rows(self.A, batch.sentences[:, 0])
            slots = batch.stories[:, None]
        else:  # a row for each word of each distinct sentence
            here, there, value = (
                torch.where(batch.sentences[..., None] == PAD, 0.0, rows(words, batch.sentences))
                for words in (self.A, self.centre, self.A if self.A_V is None else self.A_V)
            )
            whole = bag_of_words(batch.sentences, self.A)
            keys, values = (whole[:, None] - here + there).flatten(0, 1), value.flatten(0, 1)
            length = batch.sentences.shape[1]
            place = torch.arange(length, device=batch.stories.device)
            slots = (batch.stories[..., None] * length + place).flatten(1)[:, None]
        seen = self.hashed(batch) if self.hashing else batch.stories != PAD
        if self.centre is not None:
            seen = (seen[..., None] & (rows(batch.sentences, batch.stories) != PAD)).flatten(1)
        if self.key_times is not None and self.value_times is not None:
            time = times_told(batch)
            time = time.repeat_interleave(slots.shape[2] // batch.stories.shape[1], dim=1)
            slots = torch.cat([slots, (time + len(keys))[:, None]], dim=1)
            keys, values = (
                torch.cat([table, F.pad(times, (0, 0, 1, 0))])
                for table, times in ((keys, self.key_times), (values, self.value_times))
            )
        return keys, values, slots, seen

    def hashed(self, batch: Questions) -> Tensor:
        """Mask memories that share a word with the question, (B, T); words of more than half of them do not count."""
        ones = torch.ones(batch.sentences.shape[1], dtype=self.A.dtype, device=self.A.device)
        words = count_words(batch.sentences, len(self.A), ones)  # (U, V)
        return share_bucket(rows(words, batch.question), words, batch) & (batch.stories != PAD)

    def read(
        self, memory: tuple[Tensor, Tensor, Tensor, Tensor], features: tuple[Tensor, Tensor], batch: Questions
    ) -> tuple[Tensor, Trace]:
        """O: H hops."""
        keys, values, slots, seen = memory
        q = rows(features[0], batch.question)  # q_1 = A phi_X(x)
        shown = seen | ~seen.any(1, keepdim=True)  # a softmax needs something to choose from, told or not
        attention = []
        for R, bias in zip(self.R, self.R_bias, strict=True):
            scores = look(q, keys, slots)
            p = torch.where(shown, scores, -torch.inf).softmax(dim=-1)  # p_i = softmax(q . A phi_K(k_i))
            p = torch.where(seen, torch.where(self.linear, scores, p), 0.0)
            o = recall(p, values, slots)  # o = sum_i p_i A phi_V(v_i)
            q = (q + o) @ R.T + bias  # q_{j+1} = R_j (q_j + o)
            attention.append(p.view(*batch.stories.shape, -1).sum(-1))
        return q, Trace(torch.stack(attention, dim=1))

    def respond(self, recall: Tensor) -> Tensor:
        """R: q_{H+1} . B phi_Y(y) for every word y."""
        return F.pad(recall @ self.answers.T, (1, 0))

    @property
    def answers(self) -> Tensor:
        """B, of all words but the empty one."""
        if self.B is not None:
            return self.B
        return (self.A if self.A_V is None else self.A_V)[1:]

    def answer_words(self) -> Tensor:
        return F.pad(self.answers, (0, 0, 1, 0))

    def noise(self, told: Tensor, generator: Generator) -> Tensor | None:
        if self.key_times is None or not self.time_noise:
            return None
        return time_with_gaps(told, self.window, self.time_noise, generator)

    def state_size(self, story_length: int) -> int:
        """A key and a value for each memory; the longest sentence decides how many windows it has."""
        return 2 * min(story_length, self.window) * self.memories_each * self.A.shape[1]
