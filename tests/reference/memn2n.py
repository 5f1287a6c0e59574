"""MemN2N and Gated MemN2N written out sum by sum, one question at a time: slow, plain, in float64.

Nothing of the zoo is used. Weights come as a dictionary of tensors with the names that the models give them; single
numbers of them are added and multiplied, so that autograd can follow.
"""


def dot(x, y):
    return sum((a * b for a, b in zip(x, y, strict=True)), start=0.0)


def encode(words, table, encoding, longest):
    """sum_j l_j * x_j, for word ids (0 is none), the vectors of all words, and J."""
    dim = len(table[0])
    total = [0.0] * dim
    for j, word in enumerate(words, start=1):
        if word == 0:
            continue
        for k in range(1, dim + 1):
            l_kj = 1.0
            if encoding == "position":
                l_kj = 1.0 + 4.0 * (k - (dim + 1) / 2) * (j - (longest + 1) / 2) / (dim * longest)
            total[k - 1] = total[k - 1] + l_kj * table[word][k - 1]
    return total


def softmax(scores):
    powers = [s.exp() for s in scores]
    whole = sum(powers)
    return [p / whole for p in powers]


def answer(
    story, question, weights, *, slots, hops, tying, encoding, longest, relu=False, linear=False, times=None, gates=None
):
    """Scores of every word, and the attention of every hop.

    Args:
        story: the word ids of each sentence told, oldest first, `slots` at most.
        question: word ids.
        weights: "words" (tables, V, d), "times" (tables, slots, d) or None, "H", "W_T", "b_T".
        slots: of the memory, filled or not.
        times: the time index of each sentence; without noise 1 for the last, 2 for the one before, ...
        gates: None, "hop" or "global".
    """
    words, dim = weights["words"], len(weights["words"][0][0])
    told = len(story)
    times = times or [told - i for i in range(told)]
    if tying == "adjacent":
        inputs, outputs, of_question, of_answer = list(range(hops)), list(range(1, hops + 1)), 0, hops
    else:
        inputs, outputs, of_question, of_answer = [0] * hops, [1] * hops, 2, 3

    def memory(tables, hop):
        number = tables[hop]
        slot = []
        for i in range(slots):
            if i >= told:
                slot.append([0.0] * dim)
                continue
            said = encode(story[i], words[number], encoding, longest)
            if weights.get("times") is not None:
                said = [a + b for a, b in zip(said, weights["times"][number][times[i] - 1], strict=True)]
            slot.append(said)
        return slot

    u = encode(question, words[of_question], encoding, longest)
    attention = []
    for hop in range(hops):
        m, c = memory(inputs, hop), memory(outputs, hop)
        p = [dot(u, m_i) for m_i in m]
        if not linear:
            p = softmax(p)
        attention.append(p)
        o = [sum(p[i] * c[i][k] for i in range(slots)) for k in range(dim)]
        if gates:
            n = hop if gates == "hop" else 0
            W, b = weights["W_T"][n], weights["b_T"][n]
            t = [1 / (1 + (-(dot(W[k], u) + b[k])).exp()) for k in range(dim)]
            u = [o[k] * t[k] + u[k] * (1 - t[k]) for k in range(dim)]
        elif tying == "adjacent":
            u = [u[k] + o[k] for k in range(dim)]
        else:
            u = [dot(weights["H"][k], u) + o[k] for k in range(dim)]
        if relu:
            u = [x.clamp(min=0) for x in u]
    return [0.0 * u[0], *(dot(row, u) for row in words[of_answer][1:])], attention
