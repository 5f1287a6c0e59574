// A step of the differentiable neural computer's memory: usage, writing, links and reading, forward and backward.
//
// The memory lies column by column, (width, N), so vectors run over its rows. Nothing is kept for the backward, which
// makes the step again.
#include "common.h"

constexpr float EPSILON = 1e-6f;

// (said (B, P), memory (B, width, N), usage, writing (B, N), precedence (B, N) or nothing, links (B, N, N) or nothing,
//  reading (B, R, N)) -> the six after the step, and reads (B, R, width)
struct Sizes {
    int64_t B, P, width, slots, N, R;
    bool linked;
    int64_t strengths, write_key, write_strength, erase, add, free, allocate, write, modes;  // where they begin in said
    explicit Sizes(const Tensor* t)
        : B(t[0].size[0]), P(t[0].size[1]), width(t[1].size[1]), slots(t[1].size[2]), N(padded(slots)),
          R(t[6].size[1]), linked(t[5].size[1] > 0) {
        strengths = R * width, write_key = strengths + R, write_strength = write_key + width;
        erase = write_strength + 1, add = erase + width, free = add + width, allocate = free + R;
        write = allocate + 1, modes = write + 1;
    }
};

static float logistic(float x) { return 1 / (1 + std::exp(-x)); }
static float oneplus(float x) { return 1 + (x > 20 ? x : std::log1p(std::exp(x))); }
static float dot(const float* x, const float* y, int64_t n) {
    vec s = {};
    for (int64_t i = 0; i < n; i += W) s += at(x + i) * at(y + i);
    return sum(s);
}
static void add_to(float* to, float by, const float* x, int64_t n) {
    for (int64_t i = 0; i < n; i += W) at(to + i) += by * at(x + i);
}

// A story's step, with all that lies between its input and its output.
struct Step {
    const Sizes& z;
    const float* said = nullptr;
    Buffer M, after, usage, before, used, retained, product, a, lengths, lengths_after, cosine, content, w, p, p_after,
        L, L_after, reading, by_key, found, back, forth, reads_with, inside, pi;
    std::vector<int64_t> phi;
    float g_a = 0, g_w = 0;

    explicit Step(const Sizes& z)
        : z(z), M(z.width * z.N), after(z.width * z.N), usage(z.N), before(z.N), used(z.N), retained(z.N), product(z.N),
          a(z.N), lengths(z.N), lengths_after(z.N), cosine(z.N), content(z.N), w(z.N), p(z.N), p_after(z.N),
          L(z.linked ? z.slots * z.N : 0), L_after(z.linked ? z.slots * z.N : 0), reading(z.R * z.N), by_key(z.R * z.N),
          found(z.R * z.N), back(z.R * z.N), forth(z.R * z.N), reads_with(z.R * z.N), inside(z.N), pi(3 * z.R),
          phi(z.slots) {
        for (int64_t n = 0; n < z.slots; n++) inside[n] = 1;
    }

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

    void make(const Tensor* t, int64_t r, int64_t b) {
        said = t[0].floats(r) + b * z.P;
        pack(M, z.N, t[1].floats(r) + b * z.width * z.slots, z.slots, z.width);
        memcpy(usage, t[2].floats(r) + b * z.slots, z.slots * 4);
        memcpy(before, t[3].floats(r) + b * z.slots, z.slots * 4);
        pack(reading, z.N, t[6].floats(r) + b * z.R * z.slots, z.slots, z.R);
        // psi = prod_r (1 - f^r w^r), u = (u + w^w - u w^w) psi
        for (int64_t n = 0; n < z.N; n += W) {
            vec left = all(1);
            for (int64_t h = 0; h < z.R; h++) left *= 1 - logistic(said[z.free + h]) * at(reading + h * z.N + n);
            at(retained + n) = left;
            at(used + n) = (at(usage + n) + at(before + n) - at(usage + n) * at(before + n)) * left;
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
        measure(M, lengths);
        look_up(said + z.write_key, said[z.write_strength], M, lengths, cosine, content);
        for (int64_t n = 0; n < z.N; n += W)
            at(w + n) = g_w * (g_a * at(a + n) + (1 - g_a) * at(content + n));
        for (int64_t i = 0; i < z.width; i++) {
            const float e = logistic(said[z.erase + i]), v = said[z.add + i];
            for (int64_t n = 0; n < z.N; n += W)
                at(after + i * z.N + n) = at(M + i * z.N + n) * (1 - e * at(w + n)) + v * at(w + n);
        }
        measure(after, lengths_after);
        for (int64_t h = 0; h < z.R; h++)
            look_up(said + h * z.width, said[z.strengths + h], after, lengths_after, by_key + h * z.N, found + h * z.N);
        if (!z.linked) {
            memcpy(reads_with, found, z.R * z.N * 4);
            return;
        }
        memcpy(p, t[4].floats(r) + b * z.slots, z.slots * 4);
        pack(L, z.N, t[5].floats(r) + b * z.slots * z.slots, z.slots, z.slots);
        const float written = dot(w, inside, z.N);
        for (int64_t n = 0; n < z.N; n += W) at(p_after + n) = (1 - written) * at(p + n) + at(w + n);
        for (int64_t h = 0; h < z.R; h++) memset(back + h * z.N, 0, z.N * 4);
        for (int64_t i = 0; i < z.slots; i++) {
            float* row = L_after + i * z.N;
            for (int64_t j = 0; j < z.N; j += W)
                at(row + j) = (1 - w[i] - at(w + j)) * at(L + i * z.N + j) + w[i] * at(p + j);
            row[i] = 0;
            for (int64_t h = 0; h < z.R; h++) {
                forth[h * z.N + i] = dot(row, reading + h * z.N, z.N);
                add_to(back + h * z.N, reading[h * z.N + i], row, z.N);
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
    float at_least(int64_t n) const { return EPSILON + (1 - EPSILON) * used.data[n]; }
};

extern "C" void linked_forward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t*) {
    const Sizes z(t);
    each_restart(restarts, threads, [&](int64_t r) {
        Step step(z);
        for (int64_t b = 0; b < z.B; b++) {
            step.make(t, r, b);
            unpack(t[7].floats(r) + b * z.width * z.slots, z.slots, step.after, z.N, z.width);
            memcpy(t[8].floats(r) + b * z.slots, step.used, z.slots * 4);
            memcpy(t[9].floats(r) + b * z.slots, step.w, z.slots * 4);
            if (z.linked) {
                memcpy(t[10].floats(r) + b * z.slots, step.p_after, z.slots * 4);
                unpack(t[11].floats(r) + b * z.slots * z.slots, z.slots, step.L_after, z.N, z.slots);
            }
            unpack(t[12].floats(r) + b * z.R * z.slots, z.slots, step.reads_with, z.N, z.R);
            float* reads = t[13].floats(r) + b * z.R * z.width;
            for (int64_t h = 0; h < z.R; h++) for (int64_t i = 0; i < z.width; i++)
                reads[h * z.width + i] = dot(step.after + i * z.N, step.reads_with + h * z.N, z.N);
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
        of_key[i] += dot(slopes, memory + i * z.N, z.N) + along * key[i];
        add_to(of_memory + i * z.N, key[i], slopes, z.N);
    }
    *of_strength += sum(of_beta) * logistic(strength);
}
static void lengths_backward(const Sizes& z, const float* memory, const float* lengths, const float* of_lengths,
                             float* of_memory) {
    for (int64_t n = 0; n < z.N; n += W) {
        const vec part = at(of_lengths + n) / at(lengths + n);
        for (int64_t i = 0; i < z.width; i++) at(of_memory + i * z.N + n) += part * at(memory + i * z.N + n);
    }
}

// (the inputs, the outputs, the gradient of each) -> grad of said, memory, usage, precedence, links, reading
extern "C" void linked_backward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t*) {
    const Sizes z(t);
    each_restart(restarts, threads, [&](int64_t r) {
        Step step(z);
        Buffer of_M(z.width * z.N), of_used(z.N), of_w(z.N), of_p(z.N), of_p_after(z.N), of_L(z.linked ? z.N : 0),
            of_reading(z.N), of_before(z.R * z.N), of_back(z.R * z.N), of_forth(z.R * z.N), slopes(z.N),
            of_lengths(z.N), of_rows(z.linked ? z.slots * z.N : 0);
        auto given = [&](int place, int64_t b, float* to, int64_t rows) {  // a gradient, or none
            if (!t[place].data) memset(to, 0, rows * z.N * 4);
            else pack(to, z.N, t[place].floats(r) + b * rows * z.slots, z.slots, rows);
        };
        for (int64_t b = 0; b < z.B; b++) {
            step.make(t, r, b);
            float* of_said = t[21].floats(r) + b * z.P;
            given(14, b, of_M, z.width);
            given(15, b, of_used, 1);
            given(16, b, of_w, 1);
            memset(of_before, 0, z.R * z.N * 4);
            of_lengths.clear();
            for (int64_t h = 0; h < z.R; h++) {
                const float* with = step.reads_with + h * z.N;
                if (t[19].data) memcpy(of_reading, t[19].floats(r) + (b * z.R + h) * z.slots, z.slots * 4);
                else of_reading.clear();
                if (t[20].data) for (int64_t i = 0; i < z.width; i++) {
                    const float of = t[20].floats(r)[(b * z.R + h) * z.width + i];
                    add_to(of_reading, of, step.after + i * z.N, z.N);
                    add_to(of_M + i * z.N, of, with, z.N);
                }
                float* content = of_reading;
                if (z.linked) {
                    const float* mode = step.pi + 3 * h;
                    const float* parts[] = {step.back + h * z.N, step.found + h * z.N, step.forth + h * z.N};
                    float of_mode[3], mean = 0;
                    for (int k = 0; k < 3; k++)
                        of_mode[k] = dot(of_reading, parts[k], z.N), mean += of_mode[k] * mode[k];
                    for (int k = 0; k < 3; k++) of_said[z.modes + 3 * h + k] = mode[k] * (of_mode[k] - mean);
                    for (int64_t n = 0; n < z.N; n += W) {
                        at(of_back + h * z.N + n) = mode[0] * at(of_reading + n);
                        at(of_forth + h * z.N + n) = mode[2] * at(of_reading + n);
                        at(content + n) = mode[1] * at(of_reading + n);
                    }
                }
                look_up_backward(step, step.said + h * z.width, step.said[z.strengths + h], step.after,
                                 step.lengths_after, step.by_key + h * z.N, step.found + h * z.N, content,
                                 of_said + h * z.width, of_said + z.strengths + h, of_M, of_lengths);
            }
            lengths_backward(z, step.after, step.lengths_after, of_lengths, of_M);
            if (z.linked) {
                given(17, b, of_p_after, 1);
                given(18, b, of_rows, z.slots);
                const float written = dot(step.w, step.inside, z.N), along = dot(of_p_after, step.p, z.N);
                for (int64_t n = 0; n < z.N; n += W) {
                    at(of_p + n) = (1 - written) * at(of_p_after + n);
                    at(of_w + n) += at(step.inside + n) * (at(of_p_after + n) - along);
                }
                float* to = t[25].floats(r) + b * z.slots * z.slots;
                for (int64_t i = 0; i < z.slots; i++) {
                    float *of = of_rows + i * z.N, *row = step.L_after + i * z.N;
                    const float *old = step.L + i * z.N, w = step.w[i];
                    for (int64_t h = 0; h < z.R; h++) {
                        const float *read = step.reading + h * z.N, *of_b = of_back + h * z.N;
                        const float of_f = of_forth[h * z.N + i];
                        add_to(of, of_f, read, z.N);
                        add_to(of, read[i], of_b, z.N);
                        add_to(of_before + h * z.N, of_f, row, z.N);
                        of_before[h * z.N + i] += dot(row, of_b, z.N);
                    }
                    of[i] = 0;
                    vec own = {};
                    for (int64_t j = 0; j < z.N; j += W) {
                        own += at(of + j) * (at(step.p + j) - at(old + j));
                        at(of_w + j) -= at(of + j) * at(old + j);
                        at(of_p + j) += w * at(of + j);
                        at(of_L + j) = (1 - w - at(step.w + j)) * at(of + j);
                    }
                    of_w[i] += sum(own);
                    memcpy(to + i * z.slots, of_L, z.slots * 4);
                }
                memcpy(t[24].floats(r) + b * z.slots, of_p, z.slots * 4);
            }
            for (int64_t i = 0; i < z.width; i++) {
                const float e = logistic(step.said[z.erase + i]), v = step.said[z.add + i];
                float* of = of_M + i * z.N;
                const float* old = step.M + i * z.N;
                vec of_e = {}, of_v = {};
                for (int64_t n = 0; n < z.N; n += W) {
                    of_v += at(of + n) * at(step.w + n);
                    of_e -= at(of + n) * at(old + n) * at(step.w + n);
                    at(of_w + n) += at(of + n) * (v - e * at(old + n));
                    at(of + n) *= 1 - e * at(step.w + n);
                }
                of_said[z.add + i] = sum(of_v);
                of_said[z.erase + i] = sum(of_e) * e * (1 - e);
            }
            vec of_g_w = {}, of_g_a = {};
            for (int64_t n = 0; n < z.N; n += W) {
                const vec mixed = step.g_a * at(step.a + n) + (1 - step.g_a) * at(step.content + n);
                of_g_w += at(of_w + n) * mixed;
                of_g_a += at(of_w + n) * (at(step.a + n) - at(step.content + n));
                at(slopes + n) = step.g_w * (1 - step.g_a) * at(of_w + n);
            }
            of_said[z.write] = sum(of_g_w) * step.g_w * (1 - step.g_w);
            of_said[z.allocate] = step.g_w * sum(of_g_a) * step.g_a * (1 - step.g_a);
            of_lengths.clear();
            look_up_backward(step, step.said + z.write_key, step.said[z.write_strength], step.M, step.lengths,
                             step.cosine, step.content, slopes, of_said + z.write_key, of_said + z.write_strength,
                             of_M, of_lengths);
            lengths_backward(z, step.M, step.lengths, of_lengths, of_M);
            unpack(t[22].floats(r) + b * z.width * z.slots, z.slots, of_M, z.N, z.width);
            float behind = 0;  // sum of the gradient of what comes behind a row in order, times that
            for (int64_t n = z.slots - 1; n >= 0; n--) {
                const int64_t row = step.phi[n];
                const float of_a = step.g_w * step.g_a * of_w[row];
                of_used[row] += (1 - EPSILON) * (behind / step.at_least(row) - step.product[row] * of_a);
                behind += of_a * step.a[row];
            }
            for (int64_t h = 0; h < z.R; h++) {
                const float f = logistic(step.said[z.free + h]);
                vec of_f = {};
                for (int64_t n = 0; n < z.N; n += W) {
                    const vec u = at(step.usage + n), w = at(step.before + n);
                    vec of = at(of_used + n) * (u + w - u * w);
                    for (int64_t k = 0; k < z.R; k++)
                        if (k != h) of *= 1 - logistic(step.said[z.free + k]) * at(step.reading + k * z.N + n);
                    of_f -= of * at(step.reading + h * z.N + n);
                    at(of_before + h * z.N + n) -= f * of;
                }
                of_said[z.free + h] = sum(of_f) * f * (1 - f);
            }
            unpack(t[26].floats(r) + b * z.R * z.slots, z.slots, of_before, z.N, z.R);
            float* of_usage = t[23].floats(r) + b * z.slots;
            for (int64_t n = 0; n < z.slots; n++) of_usage[n] = of_used[n] * step.retained[n] * (1 - step.before[n]);
        }
    });
}
