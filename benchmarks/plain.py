"""The plain baselines: each model as most public code has it, timed beside the zoo's.

Every question brings its story along as padded word ids; every sentence told is looked up word by word and embedded
anew; a story is read again for each of its questions; attention multiplies memories that lie there one by one;
recurrent layers are `nn.GRU`, `nn.GRUCell` and `nn.LSTM`. One network, eager, a `DataLoader` with a collate function,
`torch.optim`.

A plain form is made from a network of the zoo, has its weights, and answers the same (a test holds them together) in
the setting of conf/model/*.yaml, the only one that is here. It owns its loops, so that what makes the zoo faster leaves
its baseline alone. Of what is random in training, plain forms have dropout alone.
"""

import copy
import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.data import DataLoader, Dataset

from tasks.batch import NONE, PAD
from tasks.corpus import Corpus, Split
from zoo.interface import MemoryNetwork
from zoo.models.dmn import DMN
from zoo.models.dmn_plus import DMNPlus
from zoo.models.entnet import EntNet
from zoo.models.gated_memn2n import GatedMemN2N
from zoo.models.kv_memnn import KVMemNN
from zoo.models.lstm import LSTM
from zoo.models.memn2n import MemN2N
from zoo.models.memnn import ANSWER_CHOSEN, ANSWER_LAST, ANSWER_QUESTION, CANDIDATE, CHOSEN, QUESTION, MemNN
from zoo.models.ntm import NTM, Machine
from zoo.models.transformer import Transformer
from zoo.models.wmn import WMN
from zoo.training.recipe import OPTIMIZERS, Recipe


class Padded(NamedTuple):
    story: Tensor  # (B, T, J) word ids, oldest sentence first
    told: Tensor  # (B,) sentences of it
    question: Tensor  # (B, J)
    answer: Tensor  # (B,)
    support: Tensor  # (B, F) positions in the story, NONE where there are fewer


class PaddedQuestions(Dataset):
    """One item per question: its own story, the question, the answer, the supporting facts.

    Args:
        corpus: the task.
        split: one of its splits.
        network: whose window cuts the stories; MemN2N's empty slots count in its softmax, so there all are there.
    """

    def __init__(self, corpus: Corpus, split: Split, network: MemoryNetwork) -> None:
        whole = corpus.by_question(split, torch.arange(len(split)), network.window)
        rows = zip(whole.stories, whole.told.tolist(), whole.question, whole.answer, whole.support, strict=True)
        self.items = [
            (corpus.sentences[story[:told]], corpus.sentences[question], answer, support)
            for story, told, question, answer, support in rows
        ]
        self.least = network.window if isinstance(network, MemN2N) else 1

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.items[number]

    def collate(self, items: list[tuple[Tensor, Tensor, Tensor, Tensor]]) -> Padded:
        stories, *others = zip(*items, strict=True)
        told = [len(story) for story in stories]
        padded = torch.zeros(len(items), max(self.least, *told), stories[0].shape[1], dtype=torch.long)
        for place, story in zip(padded, stories, strict=True):
            place[: len(story)] = story
        return Padded(padded, torch.tensor(told), *map(torch.stack, others))


def loader_of(corpus: Corpus, split: Split, network: MemoryNetwork, batch_size: int, shuffle: bool) -> DataLoader:
    questions = PaddedQuestions(corpus, split, network)
    return DataLoader(questions, batch_size, shuffle, collate_fn=questions.collate)


class Plain(nn.Module):
    """A network of the zoo whose weights are used in the plain way."""

    def __init__(self, network: MemoryNetwork) -> None:
        super().__init__()
        self.net = network

    def forward(self, batch: Padded) -> Tensor:
        """Compute a score for every word, (B, V)."""
        raise NotImplementedError

    def loss(self, batch: Padded) -> Tensor:
        return F.cross_entropy(self(batch), batch.answer, reduction="sum")


def plain_of(network: MemoryNetwork) -> Plain:
    return PLAIN[type(network)](copy.deepcopy(network))


def optimizer_of(plain: Plain, recipe: Recipe) -> torch.optim.Optimizer:
    return OPTIMIZERS[recipe.optimizer](plain.parameters(), lr=recipe.learning_rate)


def step(plain: Plain, batch: Padded, optimizer: torch.optim.Optimizer, clip: float) -> None:
    """Make a step of training."""
    optimizer.zero_grad()
    plain.loss(batch).backward()
    nn.utils.clip_grad_norm_(plain.parameters(), clip)
    optimizer.step()


def embed(ids: Tensor, words: Tensor) -> Tensor:
    """Look up word vectors, (..., d); the row of the empty word is zero and stays zero."""
    return F.embedding(ids, words, padding_idx=PAD)


@torch.no_grad()
def zero_first_row(*tables: Tensor) -> None:
    for table in tables:
        table[..., PAD, :] = 0


def position_weights(length: int, dim: int) -> Tensor:
    """Compute l of `zoo.parts.encoders.position_encoding`, (J, d)."""
    j = torch.arange(1, length + 1, dtype=torch.float64)[:, None]
    k = torch.arange(1, dim + 1, dtype=torch.float64)
    return 1 + 4 * (k - (dim + 1) / 2) * (j - (length + 1) / 2) / (dim * length)


def encode(ids: Tensor, words: Tensor) -> Tensor:
    """Encode sentences (..., J) with position encoding."""
    weights = position_weights(ids.shape[-1], words.shape[-1]).to(words)
    return (embed(ids, words) * weights).sum(-2)


def ago(batch: Padded) -> Tensor:
    """Number the sentences by time, (B, T): 1 for the last one told, 2 for the one before, ..., 0 for padding."""
    return (batch.told[:, None] - torch.arange(batch.story.shape[1])).clamp(min=0)


def seen(batch: Padded) -> Tensor:
    """(B, T)"""
    return torch.arange(batch.story.shape[1]) < batch.told[:, None]


def with_no_time(times: Tensor) -> Tensor:
    """Put a vector of zeros, for padding, before the time vectors."""
    return F.pad(times, (0, 0, 1, 0))


def without_gaps(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Move the words of each row together, (B, L), and count them, (B,)."""
    count = (ids != PAD).sum(1)
    order = (ids == PAD).to(torch.uint8).argsort(dim=1, stable=True)[:, : int(count.max())]
    return ids.gather(1, order), count


def at(states: Tensor, place: Tensor) -> Tensor:
    """Get states (B, L, d) at one place per row, (B,), or at several, (B, T)."""
    rows = torch.arange(len(states)).view(-1, *[1] * (place.dim() - 1))
    return states[rows, place.clamp(min=0)]


@torch.no_grad()
def as_gru(layer: nn.RNNBase | nn.RNNCellBase, suffix: str, W: Tensor, U: Tensor, b: Tensor) -> None:
    """Fill a GRU of torch, which has the reset gate first, then the update gate and the candidate."""
    for name, table in (("weight_ih", W), ("weight_hh", U), ("bias_ih", b)):
        z, r, candidate = table.chunk(3)
        getattr(layer, name + suffix).copy_(torch.cat([r, z, candidate]))
    getattr(layer, "bias_hh" + suffix).zero_()


def gru_of(W: Tensor, U: Tensor, b: Tensor) -> nn.GRU:
    layer = nn.GRU(W.shape[1], U.shape[1], batch_first=True, dtype=W.dtype)
    as_gru(layer, "_l0", W, U, b)
    return layer


def cell_of(W: Tensor, U: Tensor, b: Tensor) -> nn.GRUCell:
    cell = nn.GRUCell(W.shape[1], U.shape[1], dtype=W.dtype)
    as_gru(cell, "", W, U, b)
    return cell


class PlainMemN2N(Plain):
    def __init__(self, network: MemN2N) -> None:
        super().__init__(network)
        zero_first_row(network.words)

    def forward(self, batch: Padded) -> Tensor:
        net, time = self.net, ago(batch)
        u = encode(batch.question, net.words[0])
        for hop in range(net.hops):
            m, c = (encode(batch.story, net.words[k]) + embed(time, with_no_time(net.times[k])) for k in (hop, hop + 1))
            p = (m @ u[:, :, None])[..., 0].softmax(-1)
            u = net.update(u, (p[:, None] @ c)[:, 0], hop)
        return F.pad(u @ net.words[-1, 1:].T, (1, 0))


class PlainKVMemNN(Plain):
    def __init__(self, network: KVMemNN) -> None:
        super().__init__(network)
        zero_first_row(network.A, network.A_V)

    def forward(self, batch: Padded) -> Tensor:
        net, time = self.net, ago(batch)
        keys = encode(batch.story, net.A) + embed(time, with_no_time(net.key_times))
        values = encode(batch.story, net.A_V) + embed(time, with_no_time(net.value_times))
        q = encode(batch.question, net.A)
        for R, bias in zip(net.R, net.R_bias, strict=True):
            p = (keys @ q[:, :, None])[..., 0].masked_fill(~seen(batch), -torch.inf).softmax(-1)
            q = F.linear(q + (p[:, None] @ values)[:, 0], R, bias)
        return F.pad(q @ net.B.T, (1, 0))


class PlainMemNN(Plain):
    def __init__(self, network: MemNN) -> None:
        super().__init__(network)
        zero_first_row(*network.U)

    def embed(self, sentences: Tensor, role: int) -> Tensor:
        """Compute U phi of sentences (..., J) in one of their roles, (..., n)."""
        net, vectors = self.net, embed(sentences, self.net.U[role]).sum(-2)
        key, before = sentences, net.vocabulary
        for n in range(2, min(net.ngrams, sentences.shape[-1]) + 1):
            last = sentences[..., n - 1 :]
            key = key[..., :-1] * 8191 + last  # of n words in a row
            vectors = vectors + (F.embedding(before + key % net.buckets, net.U[role]) * (last != PAD)[..., None]).sum(
                -2
            )
            before += net.buckets
        return vectors

    def match(self, x: Tensor, side: int) -> Tensor:
        return torch.tanh(F.linear(torch.tanh(x), self.net.W[side]))

    def memories(self, batch: Padded) -> Tensor:
        """(B, T + 1, n), the null memory last."""
        told = self.embed(batch.story, CANDIDATE)
        return self.match(torch.cat([told, self.net.null.expand(len(told), 1, -1)], dim=1), 1)

    def forward(self, batch: Padded) -> Tensor:
        y, slots = self.memories(batch), batch.story.shape[1]
        x, recall = self.embed(batch.question, QUESTION), self.embed(batch.question, ANSWER_QUESTION)
        when, going, chosen = batch.told, torch.ones_like(batch.told, dtype=torch.bool), torch.zeros_like(batch.told)
        for k in range(self.net.reads):
            f = self.match(x, 0)
            matches, time = (y @ f[:, :, None])[..., 0], f @ self.net.times.T
            winner = torch.zeros_like(when)
            for other in range(1, slots + (k > 0)):  # the null memory cannot win at once
                if other < slots:
                    there, x_older, y_older = other < batch.told, other > when, (winner < other)
                else:
                    there, x_older, y_older = True, torch.zeros_like(going), torch.zeros_like(going)
                better = matches.gather(1, winner[:, None])[:, 0] - matches[:, other]
                better = better + time[:, 0] * ((winner > when) & (winner < slots)) + time[:, 1] * x_older
                winner = torch.where((better + time[:, 2] * y_older < 0) & there, other, winner)
            going = going & (winner < slots)
            if k > 0:
                recall = recall + self.embed(at(batch.story, chosen), ANSWER_CHOSEN) * going[:, None]
            when = chosen = torch.where(going, winner, chosen)
            x = x + self.embed(at(batch.story, chosen), CHOSEN) * going[:, None]
        return self.answers(recall + self.embed(at(batch.story, chosen), ANSWER_LAST))

    def answers(self, recall: Tensor) -> Tensor:
        return F.pad(self.match(recall, 2) @ self.net.answers.T, (1, 0))

    def loss(self, batch: Padded) -> Tensor:
        y, slots, margin = self.memories(batch), batch.story.shape[1], self.net.margin
        x, recall = self.embed(batch.question, QUESTION), self.embed(batch.question, ANSWER_QUESTION)
        when = fact = batch.told
        place, total = torch.arange(slots + 1), 0.0
        there = (place < batch.told[:, None]) | (place == slots)
        support = F.pad(batch.support, (0, self.net.reads), value=NONE)
        was_fact = torch.zeros_like(when, dtype=torch.bool)
        for k in range(min(self.net.reads, batch.support.shape[1] + 1)):
            is_fact = support[:, k] != NONE
            fact = torch.where(is_fact, support[:, k], fact)
            right = torch.where(is_fact, fact, slots)[:, None]
            f = self.match(x, 0)
            matches, time = (y @ f[:, :, None])[..., 0], (f @ self.net.times.T)[:, None]
            x_older = (place > when[:, None]) & (place < slots)
            timed = (place < slots) & (right < slots)
            mine, x_older_right = matches.gather(1, right), x_older.gather(1, right)
            forth = mine - matches + time[..., 0] * x_older_right + time[..., 1] * x_older
            forth = forth + time[..., 2] * (timed & (right < place))
            back = matches - mine + time[..., 0] * x_older + time[..., 1] * x_older_right
            back = back + time[..., 2] * (timed & (place < right))
            costs = (margin - forth).relu() + (margin + back).relu()
            counts = there & (place != right) & (is_fact | was_fact)[:, None]
            total = total + (costs * counts).sum()
            if k > 0:
                recall = recall + self.embed(at(batch.story, when), ANSWER_CHOSEN) * is_fact[:, None]
            x = x + self.embed(at(batch.story, fact), CHOSEN) * is_fact[:, None]
            when, was_fact = fact, is_fact
        scores = self.answers(recall + self.embed(at(batch.story, when), ANSWER_LAST))[:, 1:]
        costs = (margin - scores.gather(1, batch.answer[:, None] - 1) + scores).relu()
        return total + costs.sum() - margin * len(scores)  # the right answer has cost its own margin


class PlainEntNet(Plain):
    def __init__(self, network: EntNet) -> None:
        super().__init__(network)
        zero_first_row(network.words)

    def forward(self, batch: Padded) -> Tensor:
        net = self.net
        told = (embed(batch.story, net.words) * net.story_mask).sum(-2)
        q = (embed(batch.question, net.words) * net.question_mask).sum(-2)
        h = net.keys.expand(len(q), -1, -1)
        for s, here in zip(told.unbind(1), seen(batch).unbind(1), strict=True):
            g = torch.sigmoid(((h + net.keys) @ s[:, :, None])[..., 0] + net.gate_bias)
            candidate = F.linear(h, net.U, net.U_bias) + F.linear(net.keys, net.V) + F.linear(s, net.W)[:, None]
            new = F.normalize(h + g[..., None] * net.phi(candidate), dim=-1, eps=1e-8)
            h = torch.where(here[:, None, None], new, h)
        p = (h @ q[:, :, None])[..., 0].softmax(-1)
        u = (p[:, None] @ h)[:, 0]
        return F.pad(net.phi(q + F.linear(u, net.H)) @ net.R.T, (1, 0))


class PlainLSTM(Plain):
    def __init__(self, network: LSTM) -> None:
        super().__init__(network)
        zero_first_row(network.words)
        self.lstm = nn.LSTM(network.W.shape[1], network.U.shape[1], batch_first=True, dtype=network.W.dtype)
        with torch.no_grad():
            for name, table in (("weight_ih_l0", network.W), ("weight_hh_l0", network.U), ("bias_ih_l0", network.b)):
                i, f, o, candidate = table.chunk(4)  # torch has the output gate last
                getattr(self.lstm, name).copy_(torch.cat([i, f, candidate, o]))
            self.lstm.bias_hh_l0.zero_()
        del network.W, network.U, network.b

    def forward(self, batch: Padded) -> Tensor:
        words, count = without_gaps(torch.cat([batch.story.flatten(1), batch.question], dim=1))
        states, _ = self.lstm(embed(words, self.net.words))
        return F.pad(at(states, count - 1) @ self.net.answers.T, (1, 0))


class PlainDMN(Plain):
    def __init__(self, network: DMN) -> None:
        super().__init__(network)
        zero_first_row(network.words)
        tables = list(zip(network.W, network.U, network.b, strict=True))
        self.story_gru, self.question_gru = gru_of(*tables[0]), gru_of(*tables[1])
        self.memory, self.answer, *of_episodes = map(cell_of, *zip(*tables[2:], strict=True))
        self.episode = of_episodes[0] if network.by_gru else None
        del network.W, network.U, network.b

    def forward(self, batch: Padded) -> Tensor:
        return self.episodes(batch, None)[0]

    def episodes(self, batch: Padded, passes: Tensor | None) -> tuple[Tensor, Tensor]:
        """Compute scores of the answers, and of the gates in every pass; passes are made until the end vector wins, or
        as many as are given."""
        net, slots = self.net, batch.story.shape[1]
        words, _ = without_gaps(batch.story.flatten(1))
        states, _ = self.story_gru(embed(words, net.words))
        facts = at(states, (batch.story != PAD).sum(2).cumsum(1) - 1)  # at the end of each sentence
        words, count = without_gaps(batch.question)
        q = at(self.question_gru(embed(words, net.words))[0], count - 1)
        c = torch.cat([facts, net.end.expand(len(facts), 1, -1)], dim=1)
        there = F.pad(seen(batch), (0, 1), value=True)
        m, going, scores = q, torch.ones_like(batch.told, dtype=torch.bool), []
        for number in range(net.passes):
            score = self.attend(c, q, m).masked_fill(~there, -torch.inf)
            if self.episode is None:
                e = (score.softmax(1)[:, None] @ c)[:, 0]
            else:
                g, e = torch.sigmoid(score)[..., None], torch.zeros_like(q)
                for i in range(slots):
                    e = g[:, i] * self.episode(facts[:, i], e) + (1 - g[:, i]) * e
            if passes is not None:
                going = number < passes
            elif number:
                going = going & (score.argmax(-1) < slots)
            m = torch.where(going[:, None], self.memory(e, m), m)
            scores.append(score)
        return F.pad(self.answer(q, m) @ net.W_a.T, (1, 0)), torch.stack(scores, dim=1)

    def attend(self, c: Tensor, q: Tensor, m: Tensor) -> Tensor:
        net = self.net
        with_q, with_m = (F.linear(c, net.W_b.T) @ v[:, :, None] for v in (q, m))
        q, m = q[:, None].expand_as(c), m[:, None].expand_as(c)
        z = torch.cat([c, m, q, c * q, c * m, (c - q).abs(), (c - m).abs(), with_q, with_m], dim=-1)
        return F.linear(torch.tanh(F.linear(z, net.W_1, net.b_1)), net.W_2, net.b_2)[..., 0]

    def loss(self, batch: Padded) -> Tensor:
        net, facts = self.net, (batch.support != NONE).sum(1)
        answers, scores = self.episodes(batch, facts)
        end, passes = scores.shape[2] - 1, torch.arange(net.passes)
        support = F.pad(batch.support, (0, net.passes), value=NONE)[:, : net.passes]
        right = support.masked_fill(support == NONE, end)
        counts = passes <= facts[:, None]
        if self.episode is None:
            costs = F.cross_entropy(scores.flatten(0, 1), right.flatten(), reduction="none").view_as(counts)
        else:
            counts = counts[..., None] & scores.isfinite()
            right = F.one_hot(right, end + 1).to(scores.dtype)
            costs = F.binary_cross_entropy_with_logits(scores.masked_fill(~counts, 0), right, reduction="none")
        return F.cross_entropy(answers, batch.answer, reduction="sum") + net.supervise * (costs * counts).sum()


class PlainDMNPlus(Plain):
    def __init__(self, network: DMNPlus) -> None:
        super().__init__(network)
        zero_first_row(network.words)
        self.question_gru = gru_of(network.W[0], network.U[0], network.b[0])
        d = network.dim
        self.facts_gru = nn.GRU(d, d, batch_first=True, bidirectional=True, dtype=network.W.dtype)
        for which, suffix in ((1, "_l0"), (2, "_l0_reverse")):
            as_gru(self.facts_gru, suffix, network.W[which], network.U[which], network.b[which])
        del network.W, network.U, network.b

    def forward(self, batch: Padded) -> Tensor:
        net = self.net
        said = pack_padded_sequence(encode(batch.story, net.words), batch.told, batch_first=True, enforce_sorted=False)
        f = pad_packed_sequence(self.facts_gru(said)[0], batch_first=True)[0]
        f = F.dropout(f[..., : net.dim] + f[..., net.dim :], net.dropout, self.training)
        words, count = without_gaps(batch.question)
        q = m = at(self.question_gru(embed(words, net.words))[0], count - 1)
        for W_m, b_m in zip(net.W_m, net.b_m, strict=True):
            g = self.attend(f, q, m, seen(batch))[..., None]
            c = torch.zeros_like(q)
            for i in range(f.shape[1]):
                r_x, h_x = F.linear(f[:, i], net.W_attend, net.b_attend).chunk(2, dim=-1)
                r_h, h_h = F.linear(c, net.U_attend).chunk(2, dim=-1)
                c = g[:, i] * torch.tanh(h_x + torch.sigmoid(r_x + r_h) * h_h) + (1 - g[:, i]) * c
            m = F.linear(torch.cat([m, c, q], dim=-1), W_m, b_m).relu()
        return F.pad(F.dropout(torch.cat([m, q], dim=-1), net.dropout, self.training) @ net.W_a.T, (1, 0))

    def attend(self, f: Tensor, q: Tensor, m: Tensor, there: Tensor) -> Tensor:
        q, m = q[:, None], m[:, None]
        z = torch.cat([f * q, f * m, (f - q).abs(), (f - m).abs()], dim=-1)
        scores = F.linear(torch.tanh(F.linear(z, self.net.W_1, self.net.b_1)), self.net.W_2)[..., 0]
        return scores.masked_fill(~there, -torch.inf).softmax(-1)

    def loss(self, batch: Padded) -> Tensor:
        net = self.net
        weights = (net.W_1, net.W_2, net.W_attend, net.U_attend, net.W_m, net.W_a)
        recurrent = (w for gru in (self.question_gru, self.facts_gru) for w in gru.parameters() if w.dim() > 1)
        return super().loss(batch) + net.l2 * len(batch.answer) * sum((w**2).sum() for w in (*weights, *recurrent))


class PlainWMN(Plain):
    def __init__(self, network: WMN) -> None:
        super().__init__(network)
        zero_first_row(network.words, network.question_words)
        self.story_gru, self.question_gru = map(gru_of, network.W, network.U, network.b)
        del network.W, network.U, network.b

    def forward(self, batch: Padded) -> Tensor:
        net, d = self.net, self.net.dim
        size, slots, length = batch.story.shape
        # the word that says how long ago a sentence was told stands behind its words
        words = (batch.story != PAD).sum(2)
        said = F.pad(embed(batch.story, net.words), (0, 0, 0, 1))
        behind = F.one_hot(words, length + 1).to(said.dtype)[..., None]
        said = said + behind * F.embedding((ago(batch) - 1).clamp(min=0), net.times)[:, :, None]
        m = at(self.story_gru(said.flatten(0, 1))[0], words.flatten()).view(size, slots, d)
        asked, count = without_gaps(batch.question)
        q = at(self.question_gru(embed(asked, net.question_words))[0], count - 1)
        u, buffer = self.transition(q), []
        for W_head, W_out in zip(net.W_head, net.W_out, strict=True):
            k = torch.tanh(F.linear(m, W_head)).view(size, slots, net.heads, d).transpose(1, 2)
            scores = (k @ u[:, None, :, None])[..., 0] / math.sqrt(d)
            a = scores.masked_fill(~seen(batch)[:, None], -torch.inf).softmax(-1)
            o = F.linear((a @ m).flatten(1), W_out)
            u = self.transition(o)
            buffer.append(o)
        hops = len(buffer)
        o = torch.stack(buffer, dim=1)
        first, second = o[:, :, None].expand(-1, -1, hops, -1), o[:, None].expand(-1, hops, -1, -1)
        x = torch.cat([first, second, q[:, None, None].expand_as(first)], dim=-1)
        for weights, bias in zip((net.g_1, net.g_2, net.g_3), net.g_bias, strict=True):
            x = F.linear(x, weights, bias).relu()
        return F.pad(x.sum((1, 2)) @ net.f.T, (1, 0))

    def transition(self, o: Tensor) -> Tensor:
        net = self.net
        return F.linear(F.linear(o, net.t_down, net.t_down_bias), net.t_up, net.t_up_bias)

    def loss(self, batch: Padded) -> Tensor:
        net = self.net
        weights = (net.W_head, net.W_out, net.t_down, net.t_up, net.g_1, net.g_2, net.g_3, net.f)
        return super().loss(batch) + net.l2 * sum((w**2).sum() for w in weights)


class PlainNTM(Plain):
    def __init__(self, network: NTM) -> None:
        super().__init__(network)
        zero_first_row(network.words)
        self.step = PlainMachine(network).step

    def forward(self, batch: Padded) -> Tensor:
        net = self.net
        told, asked = encode(batch.story, net.words) @ net.W_x.T, encode(batch.question, net.words) @ net.W_q.T
        state = begin(net, len(asked))
        for x, here in zip(told.unbind(1), seen(batch).unbind(1), strict=True):
            after = self.step(x, *state)
            state = tuple(
                torch.where(here.view(-1, *[1] * (old.dim() - 1)), new, old)
                for new, old in zip(after, state, strict=True)
            )
        controller, _, _, reads = self.step(asked, *state)
        return F.pad(torch.cat([controller[:, : net.dim], reads.flatten(1)], dim=1) @ net.answers.T, (1, 0))


def begin(net: Machine, count: int) -> tuple[Tensor, ...]:
    """Make the state of a plain machine: the memory has a row per slot."""
    state = net.begin(count)
    return state.controller.flatten(1), state.memory.transpose(1, 2), state.weights, state.reads


class PlainMachine:
    """One step of a machine with one LSTM."""

    def __init__(self, net: Machine) -> None:
        self.net = net

    def step(
        self, x: Tensor, controller: Tensor, memory: Tensor, weights: Tensor, reads: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        net = self.net
        h, c = controller.chunk(2, dim=-1)
        gates = x + F.linear(reads.flatten(1), net.W_r, net.b) + F.linear(h, net.U[0])
        i, f, o, candidate = gates.chunk(4, dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(candidate)
        h = torch.sigmoid(o) * torch.tanh(c)
        k, beta, g, s, gamma = (
            F.linear(h, net.W_head, net.b_head)
            .view(len(h), net.heads, -1)
            .split([net.width, 1, 1, 3, 1], dim=-1)
        )  # fmt: skip
        k = torch.tanh(k)
        cosine = F.cosine_similarity(memory[:, None], k[:, :, None], dim=-1, eps=1e-8)
        w = (F.softplus(beta) * cosine).softmax(-1)
        g = torch.sigmoid(g)
        w = g * w + (1 - g) * weights
        back, stay, forth = s.softmax(-1).split(1, dim=-1)
        w = back * w.roll(-1, -1) + stay * w + forth * w.roll(1, -1)
        w = w.clamp(min=1e-12) ** (1 + F.softplus(gamma))
        w = w / w.sum(-1, keepdim=True)
        reads = w[:, : net.read_heads] @ memory
        writing = w[:, net.read_heads :]
        e, a = F.linear(h, net.W_write, net.b_write).view(len(h), -1, 2 * net.width).chunk(2, dim=-1)
        for head in range(writing.shape[1]):
            memory = memory * (1 - writing[:, head, :, None] * torch.sigmoid(e[:, head, None]))
        memory = memory + writing.transpose(1, 2) @ torch.tanh(a)
        return torch.cat([h, c], dim=-1), memory, w, reads


class PlainTransformer(Plain):
    def __init__(self, network: Transformer) -> None:
        super().__init__(network)
        zero_first_row(network.words)

    def forward(self, batch: Padded) -> Tensor:
        net = self.net
        told = encode(batch.story, net.words) + embed(ago(batch), with_no_time(net.times))
        x = torch.cat([told, (encode(batch.question, net.words) + net.asked)[:, None]], dim=1)
        size, tokens, d = x.shape
        mask = F.pad(seen(batch), (0, 1))[:, None, None]
        for layer in range(len(net.W_Q)):
            before = self.normalise(x, 2 * layer)
            Q, K, V = (
                F.linear(before, W[layer]).view(size, tokens, net.heads, -1).transpose(1, 2)
                for W in (net.W_Q, net.W_K, net.W_V)
            )
            found = F.scaled_dot_product_attention(Q, K, V, mask).transpose(1, 2).reshape(size, tokens, d)
            x = x + F.linear(found, net.W_O[layer])
            hidden = F.linear(self.normalise(x, 2 * layer + 1), net.W_1[layer], net.b_1[layer]).relu()
            x = x + F.linear(hidden, net.W_2[layer], net.b_2[layer])
        return F.pad(self.normalise(x[:, -1], -1) @ net.answers.T, (1, 0))

    def normalise(self, x: Tensor, which: int) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self.net.gain[which], self.net.shift[which])


PLAIN: dict[type[MemoryNetwork], type[Plain]] = {
    MemN2N: PlainMemN2N,
    GatedMemN2N: PlainMemN2N,  # the update of a hop is a call of its own, in public code too
    KVMemNN: PlainKVMemNN,
    MemNN: PlainMemNN,
    EntNet: PlainEntNet,
    LSTM: PlainLSTM,
    DMN: PlainDMN,
    DMNPlus: PlainDMNPlus,
    WMN: PlainWMN,
    NTM: PlainNTM,
    Transformer: PlainTransformer,
}
