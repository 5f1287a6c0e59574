"""A neural Turing machine, head by head and row by row (arXiv:1410.5401, section 3)."""

import torch
from torch import Tensor

from tests.reference.dmn_plus import encode


class Machine:
    def __init__(self, network) -> None:
        self.network = network
        dtype = network.b.dtype
        self.rows = [torch.full((network.width,), 1e-6, dtype=dtype) for _ in range(network.slots)]
        first = torch.zeros(network.slots, dtype=dtype)
        first[0] = 1
        self.weights = [first for _ in range(network.heads)]
        self.reads = list(network.first_reads)
        if network.U is not None:
            self.layers = [state.split(network.dim) for state in network.first_state]

    def head(self, number: int, h: Tensor) -> Tensor:
        network, size = self.network, self.network.width + 6
        part = slice(number * size, (number + 1) * size)
        out = network.W_head[part] @ h + network.b_head[part]
        k, beta, g = torch.tanh(out[: network.width]), out[-6], out[-5]
        shift, gamma = torch.softmax(out[-4:-1], dim=0), out[-1]
        beta, g, gamma = torch.log1p(torch.exp(beta)), torch.sigmoid(g), 1 + torch.log1p(torch.exp(gamma))
        cosines = [k @ row / (torch.sqrt(k @ k) * torch.sqrt(row @ row + 1e-16) + 1e-8) for row in self.rows]
        content = torch.softmax(beta * torch.stack(cosines), dim=0)
        before = g * content + (1 - g) * self.weights[number]
        n = len(before)
        moved = [sum(before[(i - by) % n] * shift[by + 1] for by in (-1, 0, 1)) for i in range(n)]
        sharp = torch.stack([value**gamma for value in moved])
        return sharp / sharp.sum()

    def hear(self, x: Tensor) -> Tensor:
        """One step; `x` is what the controller hears. Returns its output."""
        network = self.network
        x = x + network.W_r @ torch.cat(self.reads) + network.b
        if network.U is None:
            h = torch.tanh(x)
        else:
            for layer, (h, c) in enumerate(self.layers):
                if layer:
                    x = network.W_up[layer - 1] @ self.layers[layer - 1][0] + network.b_up[layer - 1]
                i, f, o, candidate = (x + network.U[layer] @ h).split(network.dim)
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(candidate)
                self.layers[layer] = torch.sigmoid(o) * torch.tanh(c), c
            h = self.layers[-1][0]
        self.weights = [self.head(number, h) for number in range(network.heads)]
        readers = self.weights[: network.read_heads]
        self.reads = [sum(w[i] * row for i, row in enumerate(self.rows)) for w in readers]
        writers = self.weights[network.read_heads :]
        out = (network.W_write @ h + network.b_write).split(2 * network.width)
        for w, ea in zip(writers, out, strict=True):
            erase = torch.sigmoid(ea[: network.width])
            self.rows = [row * (1 - w[i] * erase) for i, row in enumerate(self.rows)]
        for w, ea in zip(writers, out, strict=True):
            add = torch.tanh(ea[network.width :])
            self.rows = [row + w[i] * add for i, row in enumerate(self.rows)]
        return h


def bits(network, inputs: Tensor) -> Tensor:
    """Log-odds of every bit after every step of one sequence, (T, O)."""
    machine, scores = Machine(network), []
    for x in inputs:
        h = machine.hear(network.W_x @ x)
        scores.append(network.answers @ torch.cat([h, *machine.reads]) + network.b_answers)
    return torch.stack(scores)


def answer(network, story: list[list[int]], question: list[int], length: int) -> tuple[Tensor, Tensor]:
    """Scores of every word but the empty one, and how much of what each head read every sentence wrote."""
    machine, written = Machine(network), []
    for sentence in story:
        if network.hears == "sentences":
            machine.hear(network.W_x @ encode(sentence, network.words, length))
            written.append(sum(machine.weights[network.read_heads :]))
        else:
            total = 0
            for word in sentence:
                machine.hear(network.W_x @ network.words[word])
                total = total + sum(machine.weights[network.read_heads :])
            written.append(total)
    h = machine.hear(network.W_q @ encode(question, network.words, length))
    readers = machine.weights[: network.read_heads]
    trace = torch.stack([torch.stack([w @ wrote for wrote in written]) for w in readers])
    return network.answers @ torch.cat([h, *machine.reads]), trace
