"""A differentiable neural computer, row by row (Graves et al., 2016, Methods): loops, no batches."""

import torch
from torch import Tensor

from tests.reference.dmn_plus import encode

EPSILON = 1e-6


def softplus(x: Tensor) -> Tensor:
    return torch.log(1 + torch.exp(x))


def sigmoid(x: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-x))


def layer_norm(x: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
    mean = sum(x) / len(x)
    variance = sum((value - mean) ** 2 for value in x) / len(x)
    return gain * (x - mean) / torch.sqrt(variance + 1e-5) + shift


class Machine:
    """One story's or sequence's machine; `kept` is what dropout makes of the controller's output."""

    def __init__(self, network, kept: Tensor | None = None) -> None:
        self.network, self.kept = network, kept
        N, W, R = network.slots, network.width, network.read_heads
        nothing = network.b.new_zeros(())
        self.h, self.c = [network.b.new_zeros(network.dim) for _ in range(2)]
        self.rows = [network.b.new_zeros(W) for _ in range(N)]
        self.usage, self.writing, self.precedence = ([nothing] * N for _ in range(3))
        self.links = [[nothing] * N for _ in range(N)]
        self.reading = [[nothing] * N for _ in range(R)]
        self.reads = [network.b.new_zeros(W) for _ in range(R)]

    def control(self, x: Tensor) -> Tensor:
        network = self.network
        x = x + network.W_r @ torch.cat(self.reads) + network.U @ self.h
        x = x + network.b if network.gate_gain is None else layer_norm(x, network.gate_gain, network.b)
        i, f, o, candidate = x.split(network.dim)
        self.c = sigmoid(f) * self.c + sigmoid(i) * torch.tanh(candidate)
        shown = self.c
        if network.cell_gain is not None:
            shown = layer_norm(shown, network.cell_gain, network.cell_shift)
        return sigmoid(o) * torch.tanh(shown)

    def look_up(self, key: Tensor, strength: Tensor) -> list[Tensor]:
        def length(x: Tensor) -> Tensor:
            return torch.sqrt(sum(value * value for value in x) + EPSILON)

        cosines = [key @ row / (length(key) * length(row) + EPSILON) for row in self.rows]
        weights = [torch.exp((1 + softplus(strength)) * cosine) for cosine in cosines]
        return [weight / sum(weights) for weight in weights]

    def allocate(self) -> list[Tensor]:
        u = [EPSILON + (1 - EPSILON) * value for value in self.usage]
        a = [torch.zeros(())] * len(u)
        product = torch.ones((), dtype=self.c.dtype)
        for i in sorted(range(len(u)), key=lambda i: (u[i].item(), i)):
            a[i] = (1 - u[i]) * product
            product = product * u[i]
        return a

    def hear(self, x: Tensor) -> Tensor:
        """One step. Returns the controller's output as it goes on to the answer."""
        network = self.network
        N, W, R = network.slots, network.width, network.read_heads
        h = self.control(x)
        xi = network.W_said @ h + network.b_said
        if network.said_gain is not None:
            xi = layer_norm(xi, network.said_gain, network.said_shift)
        parts = iter(xi)

        def take(count: int) -> Tensor:
            return torch.stack([next(parts) for _ in range(count)])

        read_keys, read_strengths = [take(W) for _ in range(R)], take(R)
        write_key, write_strength = take(W), take(1)[0]
        erase, add = sigmoid(take(W)), take(W)
        free, allocate, write = sigmoid(take(R)), sigmoid(take(1)[0]), sigmoid(take(1)[0])
        modes = [torch.softmax(take(3), dim=0) for _ in range(R)] if network.links else []

        for i in range(N):
            retained = torch.ones((), dtype=self.c.dtype)
            for head in range(R):
                retained = retained * (1 - free[head] * self.reading[head][i])
            w = self.writing[i].detach()
            self.usage[i] = (self.usage[i] + w - self.usage[i] * w) * retained
        content, a = self.look_up(write_key, write_strength), self.allocate()
        w = [write * (allocate * a[i] + (1 - allocate) * content[i]) for i in range(N)]
        self.rows = [row * (1 - w[i] * erase) + w[i] * add for i, row in enumerate(self.rows)]
        if network.links:
            for i in range(N):
                for j in range(N):
                    if i != j:
                        old = (1 - w[i] - w[j]) * self.links[i][j]
                        self.links[i][j] = old + w[i] * self.precedence[j]
            self.precedence = [(1 - sum(w)) * self.precedence[i] + w[i] for i in range(N)]
        readings = []
        for head in range(R):
            by_content = self.look_up(read_keys[head], read_strengths[head])
            before = self.reading[head]
            if network.links:
                back = [sum(self.links[j][i] * before[j] for j in range(N)) for i in range(N)]
                forth = [sum(self.links[i][j] * before[j] for j in range(N)) for i in range(N)]
                pi = modes[head]
                by_content = [pi[0] * back[i] + pi[1] * by_content[i] + pi[2] * forth[i] for i in range(N)]
            readings.append(by_content)
        self.writing, self.reading = w, readings
        self.reads = [sum(weights[i] * self.rows[i] for i in range(N)) for weights in readings]
        self.h = h if self.kept is None else h * self.kept
        return self.h


def bits(network, inputs: Tensor) -> Tensor:
    """Log-odds of every bit after every step of one sequence, (T, O)."""
    machine, scores = Machine(network), []
    for x in inputs:
        h = machine.hear(network.W_x @ x)
        scores.append(network.answers @ torch.cat([h, *machine.reads]) + network.b_answers)
    return torch.stack(scores)


def answer(
    network, story: list[list[int]], question: list[int], length: int, kept: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Scores of every word but the empty one, and how much of what each head read every sentence wrote."""
    machine, written = Machine(network, kept), []
    for sentence in story:
        machine.hear(network.W_x @ encode(sentence, network.words, length))
        written.append(torch.stack(machine.writing))
    h = machine.hear(network.W_q @ encode(question, network.words, length))
    trace = torch.stack([torch.stack([torch.stack(w) @ wrote for wrote in written]) for w in machine.reading])
    return network.answers @ torch.cat([h, *machine.reads]), trace
