// The neural Turing machine, step after step: forward, and backward by hand. Numbers of equations are the paper's.
//
// The sequences of a restart take their steps together. A step keeps a row of each plane below for every sequence that
// hears something then. The memory lies column by column, (width, N), so vectors run over the rows of the paper's.
#include "common.h"

// log x of positive, normal x
static inline vec log_(vec x) {
    ivec bits = (ivec)x, e = (bits >> 23) - 126;
    vec m = (vec)((bits & 0x7fffff) | 0x3f000000);
    ivec small = m < 0.707106781f;
    vec whole = __builtin_convertvector(e + small, vec);
    m = m + (small ? m : all(0.0f)) - 1.0f;
    vec p = all(7.0376836292e-2f);
    p = p * m - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    vec square = m * m;
    return settled(m + settled(p * m * square - 2.12194440e-4f * whole - 0.5f * square)) + 0.693359375f * whole;
}

// (x (V, G d), steps (B, T), asked (A), outer (B, d + reads + weights), inner (B, cell + memory), W_r (G d, reads),
// b (G d), U (4d, d) or none, W_head (heads (width + 6), d), b_head, W_write (write heads 2 width, d), b_write)
// and slots, width, read heads
struct Sizes {
    int64_t B, T, A, V, d, D, G, N, wide, reading, heads, writing, reads, outer, inner, cells, slots, width, K, KP;
    int64_t of_heads, P, PP;
    bool lstm;
    Sizes(const Tensor* t, const int64_t* numbers)
        : B(t[1].size[0]), T(t[1].size[1]), A(t[2].size[0]), V(t[0].size[0]), d(t[8].size[1]), D(padded(d)),
          slots(numbers[0]), width(numbers[1]) {
        lstm = t[7].data != nullptr;
        G = lstm ? 4 : 1, N = padded(slots), wide = padded(width), reading = numbers[2];
        heads = t[8].size[0] / (width + 6), writing = heads - reading, reads = reading * width;
        outer = d + reads + heads * slots, cells = lstm ? d : 0, inner = cells + width * slots;
        K = reads + cells, KP = padded(K);                          // what the controller hears of itself
        of_heads = heads * (width + 6), P = of_heads + writing * 2 * width, PP = padded(P);  // what it says to heads
    }
    const float* maps(const Tensor* t, int64_t r, int64_t row) const {
        return row < of_heads ? t[8].floats(r) + row * d : t[10].floats(r) + (row - of_heads) * d;
    }
};

// What a step keeps for the backward, and where.
struct Planes {
    float *heard, *gates, *cell, *output, *said, *memory, *lengths, *cosine, *content, *shifted, *logs, *before, *after;
    Planes(const Sizes& s, float* from) {
        const int64_t rows = s.B * s.T;
        auto plane = [&](int64_t numbers) { float* here = from; from += rows * numbers; return here; };
        heard = plane(s.KP), gates = plane(s.lstm ? 4 * s.D : 0), cell = plane(s.lstm ? s.D : 0), output = plane(s.D);
        said = plane(s.PP), memory = plane(s.width * s.N), lengths = plane(s.N);
        for (float** one : {&cosine, &content, &shifted, &logs, &before, &after}) *one = plane(s.heads * s.N);
    }
    static int64_t numbers(const Sizes& s) {
        return s.B * s.T * (s.KP + (s.lstm ? 5 : 0) * s.D + s.D + s.PP + (s.width + 1 + 6 * s.heads) * s.N);
    }
};

// Every sequence's own state, or the gradient of it, with padded rows.
struct State {
    const Sizes& s;
    Buffer output, reads, weights, cell, memory;
    explicit State(const Sizes& s)
        : s(s), output(s.B * s.D), reads(s.B * (s.reads + W)), weights(s.B * s.heads * s.N), cell(s.B * s.D),
          memory(s.B * s.width * s.N) {}
    float* reads_of(int64_t b) { return reads + b * (s.reads + W); }
    float* weights_of(int64_t b) { return weights + b * s.heads * s.N; }
    float* memory_of(int64_t b) { return memory + b * s.width * s.N; }
    void add_outer(int64_t b, const float* from) {
        for (int64_t i = 0; i < s.d; i++) output[b * s.D + i] += from[i];
        for (int64_t i = 0; i < s.reads; i++) reads_of(b)[i] += from[s.d + i];
        for (int64_t h = 0; h < s.heads; h++) for (int64_t n = 0; n < s.slots; n++)
            weights_of(b)[h * s.N + n] += from[s.d + s.reads + h * s.slots + n];
    }
    void add_inner(int64_t b, const float* from) {
        for (int64_t i = 0; i < s.cells; i++) cell[b * s.D + i] += from[i];
        for (int64_t w = 0; w < s.width; w++) for (int64_t n = 0; n < s.slots; n++)
            memory_of(b)[w * s.N + n] += from[s.cells + w * s.slots + n];
    }
    void get_outer(int64_t b, float* to) {
        memcpy(to, output + b * s.D, s.d * 4);
        memcpy(to + s.d, reads_of(b), s.reads * 4);
        unpack(to + s.d + s.reads, s.slots, weights_of(b), s.N, s.heads);
    }
    void get_inner(int64_t b, float* to) {
        memcpy(to, cell + b * s.D, s.cells * 4);
        unpack(to + s.cells, s.slots, memory_of(b), s.N, s.width);
    }
};

// How a head addresses the memory, from what the controller says to it.
struct Head {
    float beta, gate, gamma, norm, shift[3];
    Head(const Sizes& s, const float* said, float* key) {
        memset(key, 0, s.wide * 4);
        memcpy(key, said, s.width * 4);
        vec square = {};
        for (int64_t i = 0; i < s.wide; i += W) at(key + i) = tanh_(at(key + i)), square += at(key + i) * at(key + i);
        norm = std::sqrt(sum(square));
        const float* x = said + s.width;
        beta = softplus(x[0]), gate = logistic(x[1]), gamma = 1 + softplus(x[5]);
        const float most = std::max(x[2], std::max(x[3], x[4]));
        float total = 0;
        for (int i = 0; i < 3; i++) total += shift[i] = std::exp(x[2 + i] - most);
        for (float& one : shift) one /= total;
    }
};

// (N) 1 where there is a slot, else 0; and numbers with one more on either side, as on a circle
struct Circle {
    Buffer inside, ring;
    const Sizes& s;
    explicit Circle(const Sizes& s) : inside(s.N), ring(s.N + 2 * W), s(s) {
        for (int64_t n = 0; n < s.slots; n++) inside[n] = 1;
    }
    const float* around(const float* x) {
        memcpy(ring + 1, x, s.slots * 4);
        ring[0] = x[s.slots - 1], ring[s.slots + 1] = x[0];
        return ring;
    }
    // softmax of scale x into y; y may be x
    void softmax(const float* x, float scale, float* y) {
        vec most = all(-3e38f), total = {};
        for (int64_t n = 0; n < s.N; n += W) most = larger(most, at(inside + n) > 0 ? at(x + n) * scale : all(-3e38f));
        float top = most[0];
        for (int i = 1; i < W; i++) top = std::max(top, most[i]);
        for (int64_t n = 0; n < s.N; n += W) total += at(y + n) = at(inside + n) * exp_(at(x + n) * scale - top);
        const float part = 1 / sum(total);
        for (int64_t n = 0; n < s.N; n += W) at(y + n) *= part;
    }
};

static void address(const Sizes& s, const Head& head, const float* key, const Planes& p, int64_t row, int64_t h,
                    float* weights, Circle& circle) {
    const int64_t own = (row * s.heads + h) * s.N;
    const float *memory = p.memory + row * s.width * s.N, *lengths = p.lengths + row * s.N;
    float *cosine = p.cosine + own, *content = p.content + own, *shifted = p.shifted + own, *logs = p.logs + own;
    memcpy(p.before + own, weights, s.N * 4);
    for (int64_t n = 0; n < s.N; n += W) {
        vec product = {};
        for (int64_t w = 0; w < s.width; w++) product += key[w] * at(memory + w * s.N + n);
        at(cosine + n) = product * reciprocal(head.norm * at(lengths + n) + 1e-8f);  // eq. 6
    }
    circle.softmax(cosine, head.beta, content);  // eq. 5
    for (int64_t n = 0; n < s.N; n += W)
        at(weights + n) = head.gate * at(content + n) + (1 - head.gate) * at(weights + n);  // eq. 7
    const float* around = circle.around(weights);
    for (int64_t n = 0; n < s.N; n += W) {
        vec sides = head.shift[0] * at(around + n + 2) + head.shift[2] * at(around + n);
        at(shifted + n) = at(circle.inside + n) * (sides + head.shift[1] * at(around + n + 1));  // eq. 8
        at(logs + n) = log_(larger(at(shifted + n), all(1e-12f)));
    }
    circle.softmax(logs, head.gamma, weights);  // eq. 9
    memcpy(p.after + own, weights, s.N * 4);
}

// -> outer (B, T, ...), inner (A, ...), kept
extern "C" void machine_forward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t* numbers) {
    const Sizes s(t, numbers);
    each_restart(restarts, threads, [&](int64_t r) {
        const Hearing plan(s.B, s.T, t[1].ints(r));
        const int64_t N4 = s.G * s.D, ld = N4 + W, lp = s.PP + W;
        Buffer maps(s.KP * ld), bias(N4), to_heads(s.D * lp), said_bias(s.PP), sums(s.B * N4), key(s.wide);
        Buffer own(t[14].data ? 0 : Planes::numbers(s));
        const Planes p(s, t[14].data ? t[14].floats(r) : own.data);
        for (int64_t g = 0; g < s.G; g++) {
            pack_transposed(maps + g * s.D, ld, t[5].floats(r) + g * s.d * s.reads, s.reads, s.d);
            if (s.lstm) pack_transposed(maps + s.reads * ld + g * s.D, ld, t[7].floats(r) + g * s.d * s.d, s.d, s.d);
        }
        pack(bias, s.D, t[6].floats(r), s.d, s.G);
        for (int64_t i = 0; i < s.P; i++) pack_transposed(to_heads + i, lp, s.maps(t, r, i), s.d, 1);
        memcpy(said_bias, t[9].floats(r), s.of_heads * 4);
        memcpy(said_bias + s.of_heads, t[11].floats(r), (s.P - s.of_heads) * 4);
        State state(s);
        Circle circle(s);
        for (int64_t b = 0; b < s.B; b++) {
            state.add_outer(b, t[3].floats(r) + b * s.outer);
            state.add_inner(b, t[4].floats(r) + b * s.inner);
        }
        auto answer = [&](int64_t l) {
            for (int64_t n = 0; n < s.A; n++) {
                const int64_t place = t[2].ints(r)[n];
                if (place % s.T == l) state.get_inner(place / s.T, t[13].floats(r) + n * s.inner);
            }
        };
        for (int64_t l = 0; l < s.T; l++) {
            const int64_t first = plan.first[l], count = plan.first[l + 1] - first;
            for (int64_t m = 0; m < count; m++) {
                const int64_t b = plan.sequence[first + m];
                float *heard = p.heard + (first + m) * s.KP, *sum = sums + m * N4;
                memset(heard, 0, s.KP * 4);
                memcpy(heard, state.reads_of(b), s.reads * 4);
                memcpy(heard + s.reads, state.output + b * s.D, s.cells * 4);
                memcpy(sum, bias, N4 * 4);
                const float* x = t[0].floats(r) + plan.word[first + m] * s.G * s.d;
                for (int64_t g = 0; g < s.G; g++) for (int64_t i = 0; i < s.d; i++) sum[g * s.D + i] += x[g * s.d + i];
            }
            gemm(p.heard + first * s.KP, s.KP, maps, ld, sums, N4, count, N4, s.K);
            for (int64_t m = 0; m < count; m++) {
                const int64_t row = first + m, b = plan.sequence[row];
                float *x = sums + m * N4, *h = p.output + row * s.D, *c = state.cell + b * s.D;
                if (s.lstm) memcpy(p.cell + row * s.D, c, s.D * 4);
                for (int64_t i = 0; i < s.D; i += W) {
                    if (s.lstm) {
                        float* z = p.gates + row * 4 * s.D;
                        vec in = sigmoid(at(x + i)), forget = sigmoid(at(x + s.D + i));
                        vec out = sigmoid(at(x + 2 * s.D + i)), candidate = tanh_(at(x + 3 * s.D + i));
                        at(z + i) = in, at(z + s.D + i) = forget, at(z + 2 * s.D + i) = out;
                        at(z + 3 * s.D + i) = candidate;
                        at(c + i) = forget * at(c + i) + in * candidate;
                        at(h + i) = out * tanh_(at(c + i));
                    } else {
                        at(h + i) = tanh_(at(x + i));
                    }
                }
                memcpy(state.output + b * s.D, h, s.D * 4);
                memcpy(p.said + row * s.PP, said_bias, s.PP * 4);
            }
            gemm(p.output + first * s.D, s.D, to_heads, lp, p.said + first * s.PP, s.PP, count, s.PP, s.d);
            for (int64_t row = first; row < first + count; row++) {
                const int64_t b = plan.sequence[row];
                const float *said = p.said + row * s.PP, *ea = said + s.of_heads;
                float *memory = state.memory_of(b), *lengths = p.lengths + row * s.N, *weights = state.weights_of(b);
                memcpy(p.memory + row * s.width * s.N, memory, s.width * s.N * 4);
                for (int64_t n = 0; n < s.N; n += W) {
                    vec square = all(1e-16f);
                    for (int64_t w = 0; w < s.width; w++) square += at(memory + w * s.N + n) * at(memory + w * s.N + n);
                    for (int i = 0; i < W; i++) lengths[n + i] = std::sqrt(square[i]);
                }
                for (int64_t h = 0; h < s.heads; h++) {
                    const Head head(s, said + h * (s.width + 6), key);
                    address(s, head, key, p, row, h, weights + h * s.N, circle);
                    if (h < s.reading) for (int64_t w = 0; w < s.width; w++)  // eq. 2
                        state.reads_of(b)[h * s.width + w] = dot(weights + h * s.N, memory + w * s.N, s.N);
                }
                for (int64_t j = 0; j < s.writing; j++) for (int64_t w = 0; w < s.width; w++) {
                    const float e = logistic(ea[j * 2 * s.width + w]), *v = weights + (s.reading + j) * s.N;
                    for (int64_t n = 0; n < s.N; n += W) at(memory + w * s.N + n) *= 1.0f - e * at(v + n);  // eq. 3
                }
                for (int64_t j = 0; j < s.writing; j++) for (int64_t w = 0; w < s.width; w++) {
                    const float a = std::tanh(ea[(j * 2 + 1) * s.width + w]), *v = weights + (s.reading + j) * s.N;
                    for (int64_t n = 0; n < s.N; n += W) at(memory + w * s.N + n) += a * at(v + n);  // eq. 4
                }
            }
            for (int64_t b = 0; b < s.B; b++) state.get_outer(b, t[12].floats(r) + (b * s.T + l) * s.outer);
            answer(l);
        }
    });
}

// From the gradient of a head's weighting to those of the one before, the memory, its lengths, and what is said.
static void address_backward(const Sizes& s, const Planes& p, int64_t row, int64_t h, float* grad, float* of_memory,
                             float* of_lengths, float* of_said, Buffer& key, Buffer& scratch, Circle& circle) {
    const int64_t own = (row * s.heads + h) * s.N;
    const float *memory = p.memory + row * s.width * s.N, *lengths = p.lengths + row * s.N;
    const float *cosine = p.cosine + own, *content = p.content + own, *shifted = p.shifted + own, *logs = p.logs + own;
    const float *before = p.before + own, *after = p.after + own, *said = p.said + row * s.PP + h * (s.width + 6);
    const Head head(s, said, key);
    float *slopes = scratch, *gated = scratch + s.N;
    // eq. 9
    const float mean = dot(grad, after, s.N);
    vec of_gamma = {};
    for (int64_t n = 0; n < s.N; n += W) {
        vec slope = at(after + n) * (at(grad + n) - mean);
        of_gamma += slope * at(logs + n);
        vec x = at(shifted + n);
        at(slopes + n) = x >= 1e-12f ? head.gamma * slope * reciprocal(larger(x, all(1e-12f))) : all(0.0f);
        at(gated + n) = head.gate * at(content + n) + (1 - head.gate) * at(before + n);
    }
    // eq. 8
    const float* around = circle.around(gated);
    vec of_shift[3] = {};
    for (int64_t n = 0; n < s.N; n += W) for (int i = 0; i < 3; i++)
        of_shift[i] += at(slopes + n) * at(around + n + 2 - i) * at(circle.inside + n);
    around = circle.around(slopes);
    vec of_gate = {}, of_content = {};
    for (int64_t n = 0; n < s.N; n += W) {
        vec slope = at(circle.inside + n) * (head.shift[0] * at(around + n) + head.shift[1] * at(around + n + 1)
                                             + head.shift[2] * at(around + n + 2));
        // eq. 7
        of_gate += slope * (at(content + n) - at(before + n));
        at(grad + n) = (1 - head.gate) * slope;
        at(slopes + n) = head.gate * slope;
        of_content += at(slopes + n) * at(content + n);
    }
    // eq. 5 and 6; from here on `slopes` are those of k . M(i)
    const float mean_content = sum(of_content);
    vec of_beta = {}, of_norm = {};
    for (int64_t n = 0; n < s.N; n += W) {
        vec slope = at(content + n) * (at(slopes + n) - mean_content);
        of_beta += slope * at(cosine + n);
        vec product = head.beta * slope * reciprocal(head.norm * at(lengths + n) + 1e-8f);
        at(slopes + n) = product;
        of_norm -= product * at(cosine + n) * at(lengths + n);
        at(of_lengths + n) -= product * at(cosine + n) * head.norm;
    }
    const float along = head.norm > 0 ? sum(of_norm) / head.norm : 0;
    for (int64_t w = 0; w < s.width; w++) {
        vec of_key = {};
        for (int64_t n = 0; n < s.N; n += W) {
            of_key += at(slopes + n) * at(memory + w * s.N + n);
            at(of_memory + w * s.N + n) += key[w] * at(slopes + n);
        }
        of_said[w] = (sum(of_key) + along * key[w]) * (1 - key[w] * key[w]);
    }
    float *to = of_said + s.width, of[3], all_of = 0;
    to[0] = sum(of_beta) * logistic(said[s.width]);
    to[1] = sum(of_gate) * head.gate * (1 - head.gate);
    for (int i = 0; i < 3; i++) of[i] = sum(of_shift[i]), all_of += of[i] * head.shift[i];
    for (int i = 0; i < 3; i++) to[2 + i] = head.shift[i] * (of[i] - all_of);
    to[5] = sum(of_gamma) * logistic(said[s.width + 5]);
}

// From the gradient of a memory to that of the one before, of the weightings of the write heads, and of e and a.
static void write_backward(const Sizes& s, const Planes& p, int64_t row, float* of_memory, float* of_weights,
                           float* of_said, Buffer& scratch) {
    const float* ea = p.said + row * s.PP + s.of_heads;
    const float *memory = p.memory + row * s.width * s.N, *weights = p.after + (row * s.heads + s.reading) * s.N;
    float* of_ea = of_said + s.of_heads;
    for (int64_t w = 0; w < s.width; w++) {
        float* grad = of_memory + w * s.N;
        for (int64_t j = 0; j < s.writing; j++) {
            const float a = std::tanh(ea[(j * 2 + 1) * s.width + w]);
            float* of_v = of_weights + (s.reading + j) * s.N;
            of_ea[(j * 2 + 1) * s.width + w] = dot(grad, weights + j * s.N, s.N) * (1 - a * a);
            for (int64_t n = 0; n < s.N; n += W) at(of_v + n) += a * at(grad + n);
        }
        memcpy(scratch, memory + w * s.N, s.N * 4);  // what each head has erased from, one behind the other
        for (int64_t j = 0; j + 1 < s.writing; j++) {
            const float e = logistic(ea[j * 2 * s.width + w]), *v = weights + j * s.N;
            for (int64_t n = 0; n < s.N; n += W)
                at(scratch + (j + 1) * s.N + n) = at(scratch + j * s.N + n) * (1.0f - e * at(v + n));
        }
        for (int64_t j = s.writing - 1; j >= 0; j--) {
            const float e = logistic(ea[j * 2 * s.width + w]), *v = weights + j * s.N, *old = scratch + j * s.N;
            float* of_v = of_weights + (s.reading + j) * s.N;
            vec of_e = {};
            for (int64_t n = 0; n < s.N; n += W) {
                vec product = at(grad + n) * at(old + n);
                of_e -= product * at(v + n);
                at(of_v + n) -= e * product;
                at(grad + n) *= 1.0f - e * at(v + n);
            }
            of_ea[j * 2 * s.width + w] = sum(of_e) * e * (1 - e);
        }
    }
}

// (..., outer, inner, kept, grad of outer, of inner)
// -> grad of x, outer, inner, W_r, b, U, W_head, b_head, W_write, b_write
extern "C" void machine_backward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t* numbers) {
    const Sizes s(t, numbers);
    each_restart(restarts, threads, [&](int64_t r) {
        const Hearing plan(s.B, s.T, t[1].ints(r));
        const Planes p(s, t[14].floats(r));
        const int64_t N4 = s.G * s.D, ld = s.KP + W, rows = plan.first[s.T];
        Buffer maps(N4 * ld), to_heads(s.P * (s.D + W)), slopes(rows * N4), of_said(rows * s.PP), of_output(s.B * s.D);
        Buffer of_heard(s.B * s.KP), of_lengths(s.N), key(s.wide), scratch((2 + s.writing) * s.N);
        for (int64_t g = 0; g < s.G; g++) {
            pack(maps + g * s.D * ld, ld, t[5].floats(r) + g * s.d * s.reads, s.reads, s.d);
            if (s.lstm) pack(maps + g * s.D * ld + s.reads, ld, t[7].floats(r) + g * s.d * s.d, s.d, s.d);
        }
        for (int64_t i = 0; i < s.P; i++) memcpy(to_heads + i * (s.D + W), s.maps(t, r, i), s.d * 4);
        State grad(s);
        Circle circle(s);
        auto answer = [&](int64_t l) {
            for (int64_t n = 0; n < s.A && t[16].data; n++) {
                const int64_t place = t[2].ints(r)[n];
                if (place % s.T == l) grad.add_inner(place / s.T, t[16].floats(r) + n * s.inner);
            }
        };
        for (int64_t l = s.T - 1; l >= 0; l--) {
            answer(l);
            if (t[15].data)
                for (int64_t b = 0; b < s.B; b++) grad.add_outer(b, t[15].floats(r) + (b * s.T + l) * s.outer);
            const int64_t first = plan.first[l], count = plan.first[l + 1] - first;
            for (int64_t m = 0; m < count; m++) {
                const int64_t row = first + m, b = plan.sequence[row];
                const float *memory = p.memory + row * s.width * s.N, *lengths = p.lengths + row * s.N;
                float *of_memory = grad.memory_of(b), *of_weights = grad.weights_of(b), *said = of_said + row * s.PP;
                write_backward(s, p, row, of_memory, of_weights, said, scratch);
                for (int64_t h = 0; h < s.reading; h++) for (int64_t w = 0; w < s.width; w++) {
                    const float g = grad.reads_of(b)[h * s.width + w], *v = p.after + (row * s.heads + h) * s.N;
                    for (int64_t n = 0; n < s.N; n += W) {
                        at(of_weights + h * s.N + n) += g * at(memory + w * s.N + n);
                        at(of_memory + w * s.N + n) += g * at(v + n);
                    }
                }
                of_lengths.clear();
                for (int64_t h = 0; h < s.heads; h++)
                    address_backward(s, p, row, h, of_weights + h * s.N, of_memory, of_lengths,
                                     said + h * (s.width + 6), key, scratch, circle);
                for (int64_t n = 0; n < s.N; n += W) {
                    vec part = at(of_lengths + n) * reciprocal(at(lengths + n));
                    for (int64_t w = 0; w < s.width; w++)
                        at(of_memory + w * s.N + n) += part * at(memory + w * s.N + n);
                }
                memcpy(of_output + m * s.D, grad.output + b * s.D, s.D * 4);
            }
            gemm(of_said + first * s.PP, s.PP, to_heads, s.D + W, of_output, s.D, count, s.D, s.P);
            for (int64_t m = 0; m < count; m++) {
                const int64_t row = first + m, b = plan.sequence[row];
                float *x = slopes + row * N4, *of_c = grad.cell + b * s.D;
                const float *g = of_output + m * s.D, *h = p.output + row * s.D, *c = p.cell + row * s.D;
                for (int64_t i = 0; i < s.D; i += W) {
                    if (s.lstm) {
                        const float* z = p.gates + row * 4 * s.D;
                        vec in = at(z + i), forget = at(z + s.D + i), out = at(z + 2 * s.D + i);
                        vec candidate = at(z + 3 * s.D + i), bent = tanh_(forget * at(c + i) + in * candidate);
                        vec of = at(of_c + i) + at(g + i) * out * (1.0f - bent * bent);
                        at(x + i) = of * candidate * in * (1.0f - in);
                        at(x + s.D + i) = of * at(c + i) * forget * (1.0f - forget);
                        at(x + 2 * s.D + i) = at(g + i) * bent * out * (1.0f - out);
                        at(x + 3 * s.D + i) = of * in * (1.0f - candidate * candidate);
                        at(of_c + i) = of * forget;
                    } else {
                        at(x + i) = at(g + i) * (1.0f - at(h + i) * at(h + i));
                    }
                }
                float* dx = t[17].floats(r) + plan.word[row] * s.G * s.d;
                for (int64_t k = 0; k < s.G; k++) for (int64_t i = 0; i < s.d; i++) dx[k * s.d + i] += x[k * s.D + i];
            }
            memset(of_heard, 0, count * s.KP * 4);
            gemm(slopes + first * N4, N4, maps, ld, of_heard, s.KP, count, s.KP, N4);
            for (int64_t m = 0; m < count; m++) {
                const int64_t b = plan.sequence[first + m];
                memcpy(grad.reads_of(b), of_heard + m * s.KP, s.reads * 4);
                memset(grad.output + b * s.D, 0, s.D * 4);
                memcpy(grad.output + b * s.D, of_heard + m * s.KP + s.reads, s.cells * 4);
            }
        }
        for (int64_t b = 0; b < s.B; b++) {
            grad.get_outer(b, t[18].floats(r) + b * s.outer);
            grad.get_inner(b, t[19].floats(r) + b * s.inner);
        }
        Buffer of_maps(s.K * (N4 + W)), of_to_heads(s.d * (s.PP + W)), biases(N4 + s.PP);
        outer(p.heard, s.KP, slopes, N4, of_maps, N4 + W, s.K, N4, rows);
        outer(p.output, s.D, of_said, s.PP, of_to_heads, s.PP + W, s.d, s.PP, rows);
        for (int64_t row = 0; row < rows; row++) {
            for (int64_t i = 0; i < N4; i += W) at(biases + i) += at(slopes + row * N4 + i);
            for (int64_t i = 0; i < s.PP; i += W) at(biases + N4 + i) += at(of_said + row * s.PP + i);
        }
        for (int64_t g = 0; g < s.G; g++) for (int64_t o = 0; o < s.d; o++) {
            const int64_t row = g * s.d + o;
            const float* from = of_maps + g * s.D + o;
            for (int64_t k = 0; k < s.reads; k++) t[20].floats(r)[row * s.reads + k] = from[k * (N4 + W)];
            t[21].floats(r)[row] = biases[g * s.D + o];
            for (int64_t k = 0; k < s.cells; k++) t[22].floats(r)[row * s.d + k] = from[(s.reads + k) * (N4 + W)];
        }
        for (int64_t i = 0; i < s.P; i++) {
            float* to = i < s.of_heads ? t[23].floats(r) + i * s.d : t[25].floats(r) + (i - s.of_heads) * s.d;
            for (int64_t k = 0; k < s.d; k++) to[k] = of_to_heads[k * (s.PP + W) + i];
            (i < s.of_heads ? t[24].floats(r)[i] : t[26].floats(r)[i - s.of_heads]) = biases[N4 + i];
        }
    });
}
