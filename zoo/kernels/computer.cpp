// The differentiable neural computer, step after step, forward and backward: an LSTM, and a memory whose rows are
// allocated, freed and linked.
//
// The stories of a restart take their steps together. A step keeps a row of each plane below for every story that hears
// something then. What lies between the memory before a step and after it is not kept; the backward makes it again. The
// memory lies column by column, (width, N), so vectors run over its rows.
#include "common.h"

constexpr float EPSILON = 1e-6f;

// (x (V, 4d), told (B, T), asked (A), kept (B, d) or none, outer (B, d + reads + reading + N),
// inner (B, d + memory + N + precedence + links), W_r (4d, reads), U (4d, d), b (4d), W_said (P, d), b_said (P),
// gate_gain (4d), cell_gain, cell_shift (d), said_gain, said_shift (P), the last five or none of them)
// and slots, width
struct Sizes {
    int64_t B, T, A, d, D, N4, slots, N, width, R, reads, K, KP, P, PP, outer, inner;
    bool normal, linked;
    int64_t strengths, write_key, write_strength, erase, add, free, allocate, write, modes;  // where they begin in said
    Sizes(const Tensor* t, const int64_t* numbers)
        : B(t[1].size[0]), T(t[1].size[1]), A(t[2].size[0]), d(t[9].size[1]), D(padded(d)), N4(4 * D),
          slots(numbers[0]), N(padded(slots)), width(numbers[1]), R(t[6].size[1] / width), reads(R * width),
          K(reads + d), KP(padded(K)), P(t[9].size[0]), PP(padded(P)), outer(t[4].size[1]), inner(t[5].size[1]),
          normal(t[11].data != nullptr) {
        strengths = R * width, write_key = strengths + R, write_strength = write_key + width;
        erase = write_strength + 1, add = erase + width, free = add + width, allocate = free + R;
        write = allocate + 1, modes = write + 1, linked = P > modes;
    }
};

// All that a memory holds, or the gradient of it, with padded rows.
struct Memory {
    float *M = nullptr, *usage = nullptr, *writing = nullptr, *reading = nullptr, *p = nullptr, *L = nullptr;
    Memory() = default;
    static int64_t numbers(const Sizes& z) {
        return (z.width + 2 + z.R + (z.linked ? 1 + z.slots : 0)) * z.N;
    }
    Memory(const Sizes& z, float* from)
        : M(from), usage(M + z.width * z.N), writing(usage + z.N), reading(writing + z.N), p(reading + z.R * z.N),
          L(p + z.N) {}
};

// What a step keeps for the backward, and where.
struct Planes {
    const Sizes& z;
    float *heard, *scaled, *gates, *cell, *output, *scaled_said, *said, *memory, *inverse;
    Planes(const Sizes& z, float* from, int64_t rows) : z(z) {
        auto plane = [&](int64_t numbers) { float* here = from; from += rows * numbers; return here; };
        heard = plane(z.KP), scaled = plane(z.normal ? z.N4 : 0), gates = plane(z.N4), cell = plane(z.D);
        output = plane(z.D), scaled_said = plane(z.normal ? z.PP : 0), said = plane(z.PP);
        memory = plane(Memory::numbers(z)), inverse = plane(W);
    }
    static int64_t numbers(const Sizes& z) {
        return z.KP + (z.normal ? 2 : 1) * (z.N4 + z.PP) + 2 * z.D + Memory::numbers(z) + W;
    }
};

// Every story's own state, or the gradient of it.
struct State {
    const Sizes& z;
    Buffer h, reads, c, memory;
    explicit State(const Sizes& z)
        : z(z), h(z.B * z.D), reads(z.B * (z.reads + W)), c(z.B * z.D), memory(z.B * Memory::numbers(z)) {}
    float* reads_of(int64_t b) { return reads + b * (z.reads + W); }
    Memory memory_of(int64_t b) { return Memory(z, memory + b * Memory::numbers(z)); }

    // Calls f(own, its, count, rows, own step, its step) for each part of a row of `outer`, or of `inner`.
    template <typename F> void each_outer(int64_t b, float* its, F f) {
        const Memory m = memory_of(b);
        f(h + b * z.D, its, z.d, 1, z.D);
        f(reads_of(b), its += z.d, z.reads, 1, z.reads);
        f(m.reading, its += z.reads, z.slots, z.R, z.N);
        f(m.writing, its += z.R * z.slots, z.slots, 1, z.N);
    }
    template <typename F> void each_inner(int64_t b, float* its, F f) {
        const Memory m = memory_of(b);
        f(c + b * z.D, its, z.d, 1, z.D);
        f(m.M, its += z.d, z.slots, z.width, z.N);
        f(m.usage, its += z.width * z.slots, z.slots, 1, z.N);
        if (!z.linked) return;
        f(m.p, its += z.slots, z.slots, 1, z.N);
        f(m.L, its += z.slots, z.slots, z.slots, z.N);
    }
    static void add(float* own, float* its, int64_t count, int64_t rows, int64_t step) {
        for (int64_t i = 0; i < rows; i++) for (int64_t k = 0; k < count; k++) own[i * step + k] += its[i * count + k];
    }
    static void get(float* own, float* its, int64_t count, int64_t rows, int64_t step) {
        unpack(its, count, own, step, rows);
    }
};

static float oneplus(float x) { return 1 + softplus(x); }
static void add_to(float* to, float by, const float* x, int64_t n) {
    for (int64_t i = 0; i < n; i += W) at(to + i) += by * at(x + i);
}

// Layer norm of `groups` rows of d numbers together, each padded to D; returns what it multiplies with.
static float normalise(float* x, int64_t groups, int64_t D, int64_t d) {
    float total = 0, square = 0;
    for (int64_t g = 0; g < groups; g++) for (int64_t i = 0; i < d; i++) total += x[g * D + i];
    const float mean = total / (groups * d);
    for (int64_t g = 0; g < groups; g++) for (int64_t i = 0; i < d; i++) {
        x[g * D + i] -= mean;
        square += x[g * D + i] * x[g * D + i];
    }
    const float inverse = 1 / std::sqrt(square / (groups * d) + 1e-5f);
    for (int64_t g = 0; g < groups; g++) for (int64_t i = 0; i < d; i++) x[g * D + i] *= inverse;
    return inverse;
}
// From the gradient of scaled * gain + shift, which it overwrites, to that of what was normalised.
static void normalise_backward(float* of, const float* scaled, float inverse, const float* gain, float* of_gain,
                               float* of_shift, int64_t groups, int64_t D, int64_t d) {
    float mean = 0, along = 0;
    for (int64_t g = 0; g < groups; g++) for (int64_t i = g * D; i < g * D + d; i++) {
        of_gain[i] += of[i] * scaled[i];
        of_shift[i] += of[i];
        of[i] *= gain[i];
        mean += of[i];
        along += of[i] * scaled[i];
    }
    mean /= groups * d, along /= groups * d;
    for (int64_t g = 0; g < groups; g++) for (int64_t i = g * D; i < g * D + d; i++)
        of[i] = inverse * (of[i] - mean - scaled[i] * along);
}

// A story's step of the memory, with all that lies between its input and its output.
struct Step {
    const Sizes& z;
    const float* said = nullptr;
    Memory before;
    Buffer after, used, retained, product, a, lengths, lengths_after, cosine, content, w, p_after, L_after, by_key,
        found, back, forth, reads_with, inside, pi;
    std::vector<int64_t> phi;
    float g_a = 0, g_w = 0;

    explicit Step(const Sizes& z)
        : z(z), after(z.width * z.N), used(z.N), retained(z.N), product(z.N), a(z.N), lengths(z.N),
          lengths_after(z.N), cosine(z.N), content(z.N), w(z.N), p_after(z.N), L_after(z.linked ? z.slots * z.N : 0),
          by_key(z.R * z.N), found(z.R * z.N), back(z.R * z.N), forth(z.R * z.N), reads_with(z.R * z.N), inside(z.N),
          pi(3 * z.R), phi(z.slots) {
        for (int64_t n = 0; n < z.slots; n++) inside[n] = 1;
    }
    float at_least(int64_t n) const { return EPSILON + (1 - EPSILON) * used.data[n]; }

    void measure(const float* memory, float* to) {
        for (int64_t n = 0; n < z.N; n += W) {
            vec square = all(EPSILON);
            for (int64_t i = 0; i < z.width; i++) square += at(memory + i * z.N + n) * at(memory + i * z.N + n);
            for (int i = 0; i < W; i++) to[n + i] = std::sqrt(square[i]);
        }
    }
    float norm(const float* key) {
        float square = EPSILON;
        for (int64_t i = 0; i < z.width; i++) square += key[i] * key[i];
        return std::sqrt(square);
    }
    void look_up(const float* key, float strength, const float* memory, const float* of_rows, float* cosines,
                 float* weights) {
        const float length = norm(key), beta = oneplus(strength);
        vec most = all(-3e38f), total = {};
        for (int64_t n = 0; n < z.N; n += W) {
            vec products = {};
            for (int64_t i = 0; i < z.width; i++) products += key[i] * at(memory + i * z.N + n);
            at(cosines + n) = products / (length * at(of_rows + n) + EPSILON);
            most = larger(most, at(inside + n) > 0 ? beta * at(cosines + n) : all(-3e38f));
        }
        float top = most[0];
        for (int i = 1; i < W; i++) top = std::max(top, most[i]);
        for (int64_t n = 0; n < z.N; n += W)
            total += at(weights + n) = at(inside + n) * exp_(beta * at(cosines + n) - top);
        const float part = 1 / sum(total);
        for (int64_t n = 0; n < z.N; n += W) at(weights + n) *= part;
    }

    void make(const float* heard, const Memory& held) {
        said = heard, before = held;
        // psi = prod_r (1 - f^r w^r), u = (u + w^w - u w^w) psi
        for (int64_t n = 0; n < z.N; n += W) {
            vec left = all(1);
            for (int64_t h = 0; h < z.R; h++)
                left *= 1 - logistic(said[z.free + h]) * at(before.reading + h * z.N + n);
            const vec u = at(before.usage + n), v = at(before.writing + n);
            at(retained + n) = left;
            at(used + n) = (u + v - u * v) * left;
        }
        // a: rows by rising usage take what those before have left
        for (int64_t n = 0; n < z.slots; n++) phi[n] = n;
        std::stable_sort(phi.begin(), phi.end(), [&](int64_t i, int64_t j) { return at_least(i) < at_least(j); });
        float left = 1;
        for (int64_t n : phi) {
            product[n] = left;
            a[n] = (1 - at_least(n)) * left;
            left *= at_least(n);
        }
        g_a = logistic(said[z.allocate]), g_w = logistic(said[z.write]);
        measure(before.M, lengths);
        look_up(said + z.write_key, said[z.write_strength], before.M, lengths, cosine, content);
        for (int64_t n = 0; n < z.N; n += W)
            at(w + n) = g_w * (g_a * at(a + n) + (1 - g_a) * at(content + n));
        for (int64_t i = 0; i < z.width; i++) {
            const float e = logistic(said[z.erase + i]), v = said[z.add + i];
            for (int64_t n = 0; n < z.N; n += W)
                at(after + i * z.N + n) = at(before.M + i * z.N + n) * (1 - e * at(w + n)) + v * at(w + n);
        }
        measure(after, lengths_after);
        for (int64_t h = 0; h < z.R; h++)
            look_up(said + h * z.width, said[z.strengths + h], after, lengths_after, by_key + h * z.N, found + h * z.N);
        if (z.linked) link();
        else memcpy(reads_with, found, z.R * z.N * 4);
    }

    void link() {
        const float written = dot(w, inside, z.N);
        for (int64_t n = 0; n < z.N; n += W) at(p_after + n) = (1 - written) * at(before.p + n) + at(w + n);
        back.clear();
        for (int64_t i = 0; i < z.slots; i++) {
            float* row = L_after + i * z.N;
            for (int64_t j = 0; j < z.N; j += W)
                at(row + j) = (1 - w[i] - at(w + j)) * at(before.L + i * z.N + j) + w[i] * at(before.p + j);
            row[i] = 0;
            for (int64_t h = 0; h < z.R; h++) {
                forth[h * z.N + i] = dot(row, before.reading + h * z.N, z.N);
                add_to(back + h * z.N, before.reading[h * z.N + i], row, z.N);
            }
        }
        for (int64_t h = 0; h < z.R; h++) {
            float *mode = pi + 3 * h, total = 0;
            const float *x = said + z.modes + 3 * h, top = std::max(x[0], std::max(x[1], x[2]));
            for (int k = 0; k < 3; k++) total += mode[k] = std::exp(x[k] - top);
            for (int k = 0; k < 3; k++) mode[k] /= total;
            for (int64_t n = 0; n < z.N; n += W)
                at(reads_with + h * z.N + n) = mode[0] * at(back + h * z.N + n) + mode[1] * at(found + h * z.N + n)
                                               + mode[2] * at(forth + h * z.N + n);
        }
    }

    void leave(const Memory& to, float* reads) {
        memcpy(to.M, after, z.width * z.N * 4);
        memcpy(to.usage, used, z.N * 4);
        memcpy(to.writing, w, z.N * 4);
        memcpy(to.reading, reads_with, z.R * z.N * 4);
        if (z.linked) memcpy(to.p, p_after, z.N * 4), memcpy(to.L, L_after, z.slots * z.N * 4);
        for (int64_t h = 0; h < z.R; h++) for (int64_t i = 0; i < z.width; i++)
            reads[h * z.width + i] = dot(after + i * z.N, reads_with + h * z.N, z.N);
    }
};

// -> outer (B, T, ...), inner (A, ...), kept
extern "C" void computer_forward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t* numbers) {
    const Sizes z(t, numbers);
    each_restart(restarts, threads, [&](int64_t r) {
        const Hearing plan(z.B, z.T, t[1].ints(r));
        const bool keep = t[18].data;
        const int64_t ld = z.N4 + W, lp = z.PP + W, rows = keep ? z.B * z.T : z.B;
        Buffer maps(z.K * ld), bias(z.N4), gain(z.N4), to_memory(z.d * lp), said_bias(z.PP), sums(z.B * z.N4);
        Buffer shown(z.D), own(keep ? 0 : rows * Planes::numbers(z));
        const Planes p(z, keep ? t[18].floats(r) : own.data, rows);
        for (int64_t g = 0; g < 4; g++) {
            pack_transposed(maps + g * z.D, ld, t[6].floats(r) + g * z.d * z.reads, z.reads, z.d);
            pack_transposed(maps + z.reads * ld + g * z.D, ld, t[7].floats(r) + g * z.d * z.d, z.d, z.d);
        }
        pack(bias, z.D, t[8].floats(r), z.d, 4);
        if (z.normal) pack(gain, z.D, t[11].floats(r), z.d, 4);
        pack_transposed(to_memory, lp, t[9].floats(r), z.d, z.P);
        memcpy(said_bias, t[10].floats(r), z.P * 4);
        State state(z);
        Step step(z);
        for (int64_t b = 0; b < z.B; b++) {
            state.each_outer(b, t[4].floats(r) + b * z.outer, State::add);
            state.each_inner(b, t[5].floats(r) + b * z.inner, State::add);
        }
        for (int64_t l = 0; l < z.T; l++) {
            const int64_t begin = plan.first[l], count = plan.first[l + 1] - begin, first = keep ? begin : 0;
            for (int64_t m = 0; m < count; m++) {
                const int64_t b = plan.sequence[begin + m];
                float *heard = p.heard + (first + m) * z.KP, *sum = sums + m * z.N4;
                memcpy(heard, state.reads_of(b), z.reads * 4);
                memcpy(heard + z.reads, state.h + b * z.D, z.d * 4);
                memset(heard + z.K, 0, (z.KP - z.K) * 4);
                memset(sum, 0, z.N4 * 4);
                pack(sum, z.D, t[0].floats(r) + plan.word[begin + m] * 4 * z.d, z.d, 4);
                if (!z.normal) for (int64_t i = 0; i < z.N4; i += W) at(sum + i) += at(bias + i);
            }
            gemm(p.heard + first * z.KP, z.KP, maps, ld, sums, z.N4, count, z.N4, z.K);
            for (int64_t m = 0; m < count; m++) {
                const int64_t row = first + m, b = plan.sequence[begin + m];
                float *x = sums + m * z.N4, *h = p.output + row * z.D, *c = state.c + b * z.D;
                float *gates = p.gates + row * z.N4, *inverse = p.inverse + row * W;
                if (z.normal) {
                    inverse[0] = normalise(x, 4, z.D, z.d);
                    memcpy(p.scaled + row * z.N4, x, z.N4 * 4);
                    for (int64_t i = 0; i < z.N4; i += W) at(x + i) = at(x + i) * at(gain + i) + at(bias + i);
                }
                memcpy(p.cell + row * z.D, c, z.D * 4);
                for (int64_t i = 0; i < z.D; i += W) {
                    for (int k = 0; k < 3; k++) at(gates + k * z.D + i) = sigmoid(at(x + k * z.D + i));
                    at(gates + 3 * z.D + i) = tanh_(at(x + 3 * z.D + i));
                    at(c + i) = at(gates + z.D + i) * at(c + i) + at(gates + i) * at(gates + 3 * z.D + i);
                }
                memcpy(shown, c, z.D * 4);
                if (z.normal) {
                    normalise(shown, 1, z.D, z.d);
                    for (int64_t i = 0; i < z.d; i++) shown[i] = shown[i] * t[12].floats(r)[i] + t[13].floats(r)[i];
                }
                for (int64_t i = 0; i < z.D; i += W) at(h + i) = at(gates + 2 * z.D + i) * tanh_(at(shown + i));
                memcpy(p.said + row * z.PP, said_bias, z.PP * 4);
            }
            gemm(p.output + first * z.D, z.D, to_memory, lp, p.said + first * z.PP, z.PP, count, z.PP, z.d);
            for (int64_t m = 0; m < count; m++) {
                const int64_t row = first + m, b = plan.sequence[begin + m];
                float* said = p.said + row * z.PP;
                if (z.normal) {
                    p.inverse[row * W + 1] = normalise(said, 1, z.PP, z.P);
                    memcpy(p.scaled_said + row * z.PP, said, z.PP * 4);
                    for (int64_t i = 0; i < z.P; i++) said[i] = said[i] * t[14].floats(r)[i] + t[15].floats(r)[i];
                }
                float* held = p.memory + row * Memory::numbers(z);
                memcpy(held, state.memory + b * Memory::numbers(z), Memory::numbers(z) * 4);
                step.make(said, Memory(z, held));
                step.leave(state.memory_of(b), state.reads_of(b));
                for (int64_t i = 0; i < z.d; i++)
                    state.h[b * z.D + i] = p.output[row * z.D + i] * (t[3].data ? t[3].floats(r)[b * z.d + i] : 1);
            }
            for (int64_t b = 0; b < z.B; b++)
                state.each_outer(b, t[16].floats(r) + (b * z.T + l) * z.outer, State::get);
            for (int64_t n = 0; n < z.A; n++) {
                const int64_t place = t[2].ints(r)[n];
                if (place % z.T == l) state.each_inner(place / z.T, t[17].floats(r) + n * z.inner, State::get);
            }
        }
    });
}

// From the gradient of a look-up's weights, which it overwrites, to those of key, strength, memory and lengths.
static void look_up_backward(Step& step, const float* key, float strength, const float* memory, const float* of_rows,
                             const float* cosines, const float* weights, float* slopes, float* of_key,
                             float* of_strength, float* of_memory, float* of_lengths) {
    const Sizes& z = step.z;
    const float length = step.norm(key), beta = oneplus(strength), mean = dot(slopes, weights, z.N);
    vec of_beta = {}, of_length = {};
    for (int64_t n = 0; n < z.N; n += W) {
        const vec slope = at(weights + n) * (at(slopes + n) - mean);
        of_beta += slope * at(cosines + n);
        const vec of_product = beta * slope / (length * at(of_rows + n) + EPSILON);
        of_length -= of_product * at(cosines + n) * at(of_rows + n);
        at(of_lengths + n) -= of_product * at(cosines + n) * length;
        at(slopes + n) = of_product;
    }
    const float along = sum(of_length) / length;
    for (int64_t i = 0; i < z.width; i++) {
        of_key[i] = dot(slopes, memory + i * z.N, z.N) + along * key[i];
        add_to(of_memory + i * z.N, key[i], slopes, z.N);
    }
    *of_strength = sum(of_beta) * logistic(strength);
}
static void lengths_backward(const Sizes& z, const float* memory, const float* lengths, const float* of_lengths,
                             float* of_memory) {
    for (int64_t n = 0; n < z.N; n += W) {
        const vec part = at(of_lengths + n) / at(lengths + n);
        for (int64_t i = 0; i < z.width; i++) at(of_memory + i * z.N + n) += part * at(memory + i * z.N + n);
    }
}

// The backward of a step.
struct Backward {
    const Sizes& z;
    Buffer of_before, of_back, of_forth, of_p, slopes, of_lengths;
    explicit Backward(const Sizes& z)
        : z(z), of_before(z.R * z.N), of_back(z.R * z.N), of_forth(z.R * z.N), of_p(z.N), slopes(z.N),
          of_lengths(z.N) {}

    // From the gradients of the memory after a step and of what was read, to those of the memory before, which take
    // their place, and of what was said.
    void make(Step& step, const Memory& of, const float* of_reads, float* of_said) {
        of_before.clear();
        of_lengths.clear();
        for (int64_t h = 0; h < z.R; h++) read(step, h, of, of_reads + h * z.width, of_said);
        lengths_backward(z, step.after, step.lengths_after, of_lengths, of.M);
        if (z.linked) link(step, of);
        write(step, of, of_said);
        use(step, of, of_said);
        memset(of.writing, 0, z.N * 4);  // nothing flows back into what a step before has written with
        memcpy(of.reading, of_before, z.R * z.N * 4);
    }

    void read(Step& step, int64_t h, const Memory& of, const float* of_reads, float* of_said) {
        float* content = of.reading + h * z.N;
        for (int64_t i = 0; i < z.width; i++) {
            add_to(content, of_reads[i], step.after + i * z.N, z.N);
            add_to(of.M + i * z.N, of_reads[i], step.reads_with + h * z.N, z.N);
        }
        if (z.linked) {
            const float* mode = step.pi + 3 * h;
            const float* parts[] = {step.back + h * z.N, step.found + h * z.N, step.forth + h * z.N};
            float of_mode[3], mean = 0;
            for (int k = 0; k < 3; k++) of_mode[k] = dot(content, parts[k], z.N), mean += of_mode[k] * mode[k];
            for (int k = 0; k < 3; k++) of_said[z.modes + 3 * h + k] = mode[k] * (of_mode[k] - mean);
            for (int64_t n = 0; n < z.N; n += W) {
                at(of_back + h * z.N + n) = mode[0] * at(content + n);
                at(of_forth + h * z.N + n) = mode[2] * at(content + n);
                at(content + n) *= mode[1];
            }
        }
        look_up_backward(step, step.said + h * z.width, step.said[z.strengths + h], step.after, step.lengths_after,
                         step.by_key + h * z.N, step.found + h * z.N, content, of_said + h * z.width,
                         of_said + z.strengths + h, of.M, of_lengths);
    }

    void link(Step& step, const Memory& of) {
        const Memory& held = step.before;
        const float written = dot(step.w, step.inside, z.N), along = dot(of.p, held.p, z.N);
        for (int64_t n = 0; n < z.N; n += W) {
            at(of_p + n) = (1 - written) * at(of.p + n);
            at(of.writing + n) += at(step.inside + n) * (at(of.p + n) - along);
        }
        for (int64_t i = 0; i < z.slots; i++) {
            float *of_row = of.L + i * z.N, *row = step.L_after + i * z.N;
            const float *old = held.L + i * z.N, w = step.w[i];
            for (int64_t h = 0; h < z.R; h++) {
                const float *read = held.reading + h * z.N, *of_b = of_back + h * z.N;
                const float of_f = of_forth[h * z.N + i];
                add_to(of_row, of_f, read, z.N);
                add_to(of_row, read[i], of_b, z.N);
                add_to(of_before + h * z.N, of_f, row, z.N);
                of_before[h * z.N + i] += dot(row, of_b, z.N);
            }
            of_row[i] = 0;
            vec of_w = {};
            for (int64_t j = 0; j < z.N; j += W) {
                of_w += at(of_row + j) * (at(held.p + j) - at(old + j));
                at(of.writing + j) -= at(of_row + j) * at(old + j);
                at(of_p + j) += w * at(of_row + j);
                at(of_row + j) *= 1 - w - at(step.w + j);
            }
            of.writing[i] += sum(of_w);
        }
        memcpy(of.p, of_p, z.N * 4);
    }

    void write(Step& step, const Memory& of, float* of_said) {
        const float* said = step.said;
        for (int64_t i = 0; i < z.width; i++) {
            const float e = logistic(said[z.erase + i]), v = said[z.add + i], *old = step.before.M + i * z.N;
            float* of_row = of.M + i * z.N;
            vec of_e = {}, of_v = {};
            for (int64_t n = 0; n < z.N; n += W) {
                of_v += at(of_row + n) * at(step.w + n);
                of_e -= at(of_row + n) * at(old + n) * at(step.w + n);
                at(of.writing + n) += at(of_row + n) * (v - e * at(old + n));
                at(of_row + n) *= 1 - e * at(step.w + n);
            }
            of_said[z.add + i] = sum(of_v);
            of_said[z.erase + i] = sum(of_e) * e * (1 - e);
        }
        vec of_g_w = {}, of_g_a = {};
        for (int64_t n = 0; n < z.N; n += W) {
            const vec of_w = at(of.writing + n), apart = at(step.a + n) - at(step.content + n);
            of_g_w += of_w * (at(step.content + n) + step.g_a * apart);
            of_g_a += of_w * apart;
            at(slopes + n) = step.g_w * (1 - step.g_a) * of_w;
        }
        of_said[z.write] = sum(of_g_w) * step.g_w * (1 - step.g_w);
        of_said[z.allocate] = step.g_w * sum(of_g_a) * step.g_a * (1 - step.g_a);
        of_lengths.clear();
        look_up_backward(step, said + z.write_key, said[z.write_strength], step.before.M, step.lengths, step.cosine,
                         step.content, slopes, of_said + z.write_key, of_said + z.write_strength, of.M, of_lengths);
        lengths_backward(z, step.before.M, step.lengths, of_lengths, of.M);
    }

    void use(Step& step, const Memory& of, float* of_said) {
        float behind = 0;  // sum of the gradient of what comes behind a row in order, times that
        for (int64_t n = z.slots - 1; n >= 0; n--) {
            const int64_t row = step.phi[n];
            const float of_a = step.g_w * step.g_a * of.writing[row];
            of.usage[row] += (1 - EPSILON) * (behind / step.at_least(row) - step.product[row] * of_a);
            behind += of_a * step.a[row];
        }
        for (int64_t h = 0; h < z.R; h++) {
            const float f = logistic(step.said[z.free + h]);
            vec of_f = {};
            for (int64_t n = 0; n < z.N; n += W) {
                const vec u = at(step.before.usage + n), w = at(step.before.writing + n);
                vec of_left = at(of.usage + n) * (u + w - u * w);
                for (int64_t k = 0; k < z.R; k++) if (k != h)
                    of_left *= 1 - logistic(step.said[z.free + k]) * at(step.before.reading + k * z.N + n);
                of_f -= of_left * at(step.before.reading + h * z.N + n);
                at(of_before + h * z.N + n) -= f * of_left;
            }
            of_said[z.free + h] = sum(of_f) * f * (1 - f);
        }
        for (int64_t n = 0; n < z.N; n += W)
            at(of.usage + n) *= at(step.retained + n) * (1 - at(step.before.writing + n));
    }
};

// (..., outer, inner, kept, grad of outer, of inner)
// -> grad of x, outer, inner, W_r, U, b, W_said, b_said, gate_gain, cell_gain, cell_shift, said_gain, said_shift
extern "C" void computer_backward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t* numbers) {
    const Sizes z(t, numbers);
    each_restart(restarts, threads, [&](int64_t r) {
        const Hearing plan(z.B, z.T, t[1].ints(r));
        const Planes p(z, t[18].floats(r), z.B * z.T);
        const int64_t ld = z.KP + W, rows = plan.first[z.T], held = Memory::numbers(z);
        Buffer maps(z.N4 * ld), gain(z.N4), to_memory(z.P * (z.D + W)), slopes(rows * z.N4), of_said(rows * z.PP);
        Buffer of_output(z.B * z.D), of_heard(z.B * z.KP), c(z.D), scaled(z.D), of_shown(z.D);
        Buffer of_b(z.N4), of_gain(z.N4), of_cell_gain(z.D), of_cell_shift(z.D), of_said_gain(z.PP),
            of_said_shift(z.PP), of_b_said(z.PP);
        for (int64_t g = 0; g < 4; g++) {
            pack(maps + g * z.D * ld, ld, t[6].floats(r) + g * z.d * z.reads, z.reads, z.d);
            pack(maps + g * z.D * ld + z.reads, ld, t[7].floats(r) + g * z.d * z.d, z.d, z.d);
        }
        if (z.normal) pack(gain, z.D, t[11].floats(r), z.d, 4);
        pack(to_memory, z.D + W, t[9].floats(r), z.d, z.P);
        State grad(z);
        Step step(z);
        Backward back(z);
        for (int64_t l = z.T - 1; l >= 0; l--) {
            for (int64_t n = 0; n < z.A && t[20].data; n++) {
                const int64_t place = t[2].ints(r)[n];
                if (place % z.T == l) grad.each_inner(place / z.T, t[20].floats(r) + n * z.inner, State::add);
            }
            if (t[19].data) for (int64_t b = 0; b < z.B; b++)
                grad.each_outer(b, t[19].floats(r) + (b * z.T + l) * z.outer, State::add);
            const int64_t first = plan.first[l], count = plan.first[l + 1] - first;
            for (int64_t m = 0; m < count; m++) {
                const int64_t row = first + m, b = plan.sequence[row];
                float *said = of_said + row * z.PP, *to = of_output + m * z.D;
                step.make(p.said + row * z.PP, Memory(z, p.memory + row * held));
                back.make(step, grad.memory_of(b), grad.reads_of(b), said);
                if (z.normal)
                    normalise_backward(said, p.scaled_said + row * z.PP, p.inverse[row * W + 1], t[14].floats(r),
                                       of_said_gain, of_said_shift, 1, z.PP, z.P);
                for (int64_t i = 0; i < z.P; i++) of_b_said[i] += said[i];
                memcpy(to, grad.h + b * z.D, z.D * 4);
                if (t[3].data) for (int64_t i = 0; i < z.d; i++) to[i] *= t[3].floats(r)[b * z.d + i];
            }
            gemm(of_said + first * z.PP, z.PP, to_memory, z.D + W, of_output, z.D, count, z.D, z.P);
            for (int64_t m = 0; m < count; m++) {
                const int64_t row = first + m, b = plan.sequence[row];
                const float *gates = p.gates + row * z.N4, *in = gates, *forget = gates + z.D, *out = gates + 2 * z.D,
                            *candidate = gates + 3 * z.D, *old = p.cell + row * z.D, *of = of_output + m * z.D;
                float *x = slopes + row * z.N4, *of_c = grad.c + b * z.D, inverse = 0;
                for (int64_t i = 0; i < z.D; i += W)
                    at(c + i) = at(scaled + i) = at(forget + i) * at(old + i) + at(in + i) * at(candidate + i);
                if (z.normal) {
                    inverse = normalise(scaled, 1, z.D, z.d);
                    for (int64_t i = 0; i < z.d; i++) c[i] = scaled[i] * t[12].floats(r)[i] + t[13].floats(r)[i];
                }
                for (int64_t i = 0; i < z.D; i += W) {
                    const vec bent = tanh_(at(c + i)), o = at(out + i);
                    at(x + 2 * z.D + i) = at(of + i) * bent * o * (1 - o);
                    at(of_shown + i) = at(of + i) * o * (1 - bent * bent);
                }
                if (z.normal)
                    normalise_backward(of_shown, scaled, inverse, t[12].floats(r), of_cell_gain, of_cell_shift, 1, z.D,
                                       z.d);
                for (int64_t i = 0; i < z.D; i += W) {
                    const vec of_cell = at(of_c + i) + at(of_shown + i), g = at(candidate + i);
                    at(x + i) = of_cell * g * at(in + i) * (1 - at(in + i));
                    at(x + z.D + i) = of_cell * at(old + i) * at(forget + i) * (1 - at(forget + i));
                    at(x + 3 * z.D + i) = of_cell * at(in + i) * (1 - g * g);
                    at(of_c + i) = of_cell * at(forget + i);
                }
                if (z.normal)
                    normalise_backward(x, p.scaled + row * z.N4, p.inverse[row * W], gain, of_gain, of_b, 4, z.D, z.d);
                else for (int64_t i = 0; i < z.N4; i += W) at(of_b + i) += at(x + i);
                float* dx = t[21].floats(r) + plan.word[row] * 4 * z.d;
                for (int64_t k = 0; k < 4; k++) for (int64_t i = 0; i < z.d; i++) dx[k * z.d + i] += x[k * z.D + i];
            }
            memset(of_heard, 0, count * z.KP * 4);
            gemm(slopes + first * z.N4, z.N4, maps, ld, of_heard, z.KP, count, z.KP, z.N4);
            for (int64_t m = 0; m < count; m++) {
                const int64_t b = plan.sequence[first + m];
                memcpy(grad.reads_of(b), of_heard + m * z.KP, z.reads * 4);
                memcpy(grad.h + b * z.D, of_heard + m * z.KP + z.reads, z.d * 4);
            }
        }
        for (int64_t b = 0; b < z.B; b++) {
            grad.each_outer(b, t[22].floats(r) + b * z.outer, State::get);
            grad.each_inner(b, t[23].floats(r) + b * z.inner, State::get);
        }
        Buffer of_maps(z.K * (z.N4 + W)), of_to_memory(z.d * (z.PP + W));
        outer(p.heard, z.KP, slopes, z.N4, of_maps, z.N4 + W, z.K, z.N4, rows);
        outer(p.output, z.D, of_said, z.PP, of_to_memory, z.PP + W, z.d, z.PP, rows);
        for (int64_t g = 0; g < 4; g++) for (int64_t o = 0; o < z.d; o++) {
            const int64_t row = g * z.d + o;
            const float* from = of_maps + g * z.D + o;
            for (int64_t k = 0; k < z.reads; k++) t[24].floats(r)[row * z.reads + k] = from[k * (z.N4 + W)];
            for (int64_t k = 0; k < z.d; k++) t[25].floats(r)[row * z.d + k] = from[(z.reads + k) * (z.N4 + W)];
        }
        unpack(t[26].floats(r), z.d, of_b, z.D, 4);
        for (int64_t i = 0; i < z.P; i++) for (int64_t k = 0; k < z.d; k++)
            t[27].floats(r)[i * z.d + k] = of_to_memory[k * (z.PP + W) + i];
        memcpy(t[28].floats(r), of_b_said, z.P * 4);
        if (!z.normal) return;
        unpack(t[29].floats(r), z.d, of_gain, z.D, 4);
        memcpy(t[30].floats(r), of_cell_gain, z.d * 4);
        memcpy(t[31].floats(r), of_cell_shift, z.d * 4);
        memcpy(t[32].floats(r), of_said_gain, z.P * 4);
        memcpy(t[33].floats(r), of_said_shift, z.P * 4);
    });
}
