// A step of training of memory networks that hop over a story: MemN2N, its gated form, and key-value memories.
//
// The loss of the answers and its gradient, for all questions of a batch. Slots without a sentence hold zero vectors, so
// they are counted in the softmax, where a network counts them, and not computed.
#include "common.h"

enum Update { ADD, MAP, GATE, RESIDUAL };  // u + o; H u + o; o * g + u * (1 - g); R (u + o) + b

struct Hop { int64_t input, output, time_input, time_output, weight, bias; };

// Where everything lies in the weights of a network; written by `zoo.kernels.hops.layout_of`.
struct Layout {
    int64_t d, V, window, counts_empty, relu, update, question, answer, encoded, tables, times, hops;
    const int64_t *table, *time;  // offsets; a table of V words may lack the first, which is not read
    const Hop* hop;
    explicit Layout(const int64_t* n)
        : d(n[0]), V(n[1]), window(n[2]), counts_empty(n[3]), relu(n[4]), update(n[5]), question(n[6]), answer(n[7]),
          encoded(n[8]), tables(n[9]), times(n[10]), hops(n[11]), table(n + 12), time(table + tables),
          hop((const Hop*)(time + times)) {}
};

struct Slot { int64_t sentence, time; };

// N vectors in registers.
template <int N> struct Row {
    vec v[N];
    Row() { for (int k = 0; k < N; k++) v[k] = vec{}; }
    explicit Row(const float* x) { for (int k = 0; k < N; k++) v[k] = at(x + k * W); }
    void store(float* x) const { for (int k = 0; k < N; k++) at(x + k * W) = v[k]; }
    void add(float* x) const { for (int k = 0; k < N; k++) at(x + k * W) += v[k]; }
    Row& operator+=(const Row& other) { for (int k = 0; k < N; k++) v[k] += other.v[k]; return *this; }
    friend Row operator*(float a, const Row& b) { Row c; for (int k = 0; k < N; k++) c.v[k] = a * b.v[k]; return c; }
    friend Row operator*(const Row& a, const Row& b) { Row c; for (int k = 0; k < N; k++) c.v[k] = a.v[k] * b.v[k]; return c; }
    float dot(const Row& other) const {
        vec s = v[0] * other.v[0];
        for (int k = 1; k < N; k++) s += v[k] * other.v[k];
        return sum(s);
    }
};

// (weights (P,), layout, sentences (U, J), stories (B, T), noise (B, window) or none, told, question, answer (B,),
//  linear (), constant (J, d) or none) -> loss (), gradient (P,)
template <int N> static void step(int64_t restarts, int64_t threads, const Tensor* t, const Layout& z) {
    const int64_t P = t[0].size[0], U = t[2].size[0], J = t[2].size[1], B = t[3].size[0], T = t[3].size[1];
    const int64_t d = z.d, V = z.V, wide = padded(V), K = z.hops, noise_width = t[4].size[1];
    constexpr int64_t ld = N * W;  // of N vectors
    each_restart(restarts, threads, [&](int64_t r) {
        const float* weights = t[0].floats(r);
        const int64_t *sentences = t[2].ints(r), *stories = t[3].ints(r), *noise = t[4].ints(r), *told = t[5].ints(r);
        const int64_t *question = t[6].ints(r), *answer = t[7].ints(r);
        const bool linear = *t[8].bools(r);
        float* gradient = t[11].floats(r);

        // the slots of each question that hold something: where the rows of its sentence and time begin
        std::vector<Slot> slots;
        std::vector<int64_t> begin(B + 1), used(U, 0);
        slots.reserve(B * T);
        for (int64_t b = 0; b < B; b++) {
            for (int64_t i = 0; i < T; i++) {
                const int64_t sentence = stories[b * T + i];
                const int64_t time = !z.times ? 0 : noise ? noise[b * noise_width + i] : std::max<int64_t>(told[b] - i, 0);
                if (sentence) slots.push_back({sentence * ld, time * ld});
                used[sentence] = 1;
            }
            used[question[b]] = 1;
            begin[b + 1] = slots.size();
        }

        // tables and times in rows of whole vectors, and the sentences as sums
        Buffer words(z.tables * V * ld), of_words(z.tables * V * ld);
        Buffer times(z.times * (z.window + 1) * ld), of_times(z.times * (z.window + 1) * ld);
        Buffer features(z.encoded * U * ld), of_features(z.encoded * U * ld), constant(J * ld);
        for (int64_t k = 0; k < z.tables; k++)
            pack(words + (k * V + 1) * ld, ld, weights + z.table[k] + d, d, V - 1);
        for (int64_t k = 0; k < z.times; k++)
            pack(times + (k * (z.window + 1) + 1) * ld, ld, weights + z.time[k], d, z.window);
        for (int64_t i = 0; i < J * ld; i++) constant[i] = 1;
        if (t[9].data) pack(constant, ld, t[9].floats(r), d, J);
        for (int64_t s = 1; s < U; s++) if (used[s])
            for (int64_t k = 0; k < z.encoded; k++) {
                Row<N> all_words;
                for (int64_t j = 0; j < J; j++) if (const int64_t word = sentences[s * J + j])
                    all_words += Row<N>(constant + j * ld) * Row<N>(words + (k * V + word) * ld);
                all_words.store(features + (k * U + s) * ld);
            }

        // the hops, each of all questions
        const int64_t state = B * ld, most = slots.size() + W;
        Buffer u((K + 1) * state), o(K * state), x(K * state), p(K * most), weight(K * d * ld), turned(K * d * ld);
        for (int64_t b = 0; b < B; b++)
            memcpy(u + b * ld, features + (z.question * U + question[b]) * ld, ld * 4);
        for (int64_t k = 0; k < K; k++) {
            const Hop& hop = z.hop[k];
            const float *m = features + hop.input * U * ld, *c = features + hop.output * U * ld;
            const float *tm = times + hop.time_input * (z.window + 1) * ld, *tc = times + hop.time_output * (z.window + 1) * ld;
            float *uk = u + k * state, *un = uk + state, *ok = o + k * state, *xk = x + k * state, *pk = p + k * most;
            for (int64_t b = 0; b < B; b++) {
                const int64_t first = begin[b], end = begin[b + 1];
                const float empty = z.counts_empty ? T - (end - first) : 0;
                float highest = empty ? 0 : -INFINITY;
                const Row<N> ub(uk + b * ld);
                for (int64_t i = first; i < end; i++) {
                    Row<N> slot(m + slots[i].sentence);
                    if (z.times) slot += Row<N>(tm + slots[i].time);
                    pk[i] = ub.dot(slot);
                    highest = std::max(highest, pk[i]);
                }
                if (!linear && end > first) {
                    float total = empty ? empty * exp_(-highest) : 0;
                    for (int64_t i = first; i < end; i += W) {
                        vec e = exp_(at(pk + i) - highest);
                        for (int64_t l = 0; l < W && i + l < end; l++) total += pk[i + l] = e[l];
                    }
                    for (int64_t i = first; i < end; i++) pk[i] /= total;
                }
                Row<N> read;
                for (int64_t i = first; i < end; i++) {
                    Row<N> slot(c + slots[i].sentence);
                    if (z.times) slot += Row<N>(tc + slots[i].time);
                    read += pk[i] * slot;
                }
                read.store(ok + b * ld);
            }
            if (z.update != ADD) {
                pack(weight + k * d * ld, ld, weights + hop.weight, d, d);
                pack_transposed(turned + k * d * ld, ld, weights + hop.weight, d, d);
            }
            const float* bias = weights + hop.bias;
            if (z.update == ADD) {
                for (int64_t i = 0; i < state; i += W) at(un + i) = at(uk + i) + at(ok + i);
            } else if (z.update == MAP) {
                memcpy(un, ok, state * 4);
                gemm(uk, ld, turned + k * d * ld, ld, un, ld, B, ld, d);
            } else if (z.update == GATE) {  // x is the gate
                for (int64_t b = 0; b < B; b++) memcpy(xk + b * ld, bias, d * 4);
                gemm(uk, ld, turned + k * d * ld, ld, xk, ld, B, ld, d);
                for (int64_t i = 0; i < state; i += W) {
                    at(xk + i) = sigmoid(at(xk + i));
                    at(un + i) = at(uk + i) + at(xk + i) * (at(ok + i) - at(uk + i));
                }
            } else {  // x is u + o
                for (int64_t i = 0; i < state; i += W) at(xk + i) = at(uk + i) + at(ok + i);
                for (int64_t b = 0; b < B; b++) memcpy(un + b * ld, bias, d * 4);
                gemm(xk, ld, turned + k * d * ld, ld, un, ld, B, ld, d);
            }
            if (z.relu) for (int64_t i = 0; i < state; i += W) at(un + i) = larger(at(un + i), vec{});
        }

        // the answers: log-softmax of the scores, in which the empty word has 0
        float *last = u + K * state, *answers = words + z.answer * V * ld, *of_answers = of_words + z.answer * V * ld;
        Buffer scores(B * wide), across(ld * wide), du(state), next(state);
        pack_transposed(across, wide, answers, ld, V);
        gemm(last, ld, across, wide, scores, wide, B, wide, ld);
        double loss = 0;
        for (int64_t b = 0; b < B; b++) {
            float* s = scores + b * wide;
            if (!answer[b]) {
                memset(s, 0, wide * 4);
                continue;
            }
            for (int64_t v = V; v < wide; v++) s[v] = -INFINITY;
            vec top = at(s), total{};
            for (int64_t v = W; v < wide; v += W) top = larger(top, at(s + v));
            float highest = top[0];
            for (int l = 1; l < W; l++) highest = std::max(highest, top[l]);
            const float right = s[answer[b]] - highest;
            for (int64_t v = 0; v < wide; v += W) total += at(s + v) = exp_(at(s + v) - highest);
            for (int64_t v = V; v < wide; v++) s[v] = 0;
            const float all_of_it = sum(total);
            loss += std::log(all_of_it) - right;
            for (int64_t v = 0; v < wide; v += W) at(s + v) *= 1 / all_of_it;
            s[answer[b]] -= 1;
        }
        *t[10].floats(r) = loss;
        memset(gradient, 0, P * 4);
        gemm(scores, wide, answers, ld, du, ld, B, ld, V);
        outer(scores, wide, last, ld, of_answers, ld, V, ld, B);

        // back through the hops
        Buffer of_o(state), inner(state), dots(most), of_weight(d * ld);
        for (int64_t k = K - 1; k >= 0; k--) {
            const Hop& hop = z.hop[k];
            const float *uk = u + k * state, *un = uk + state, *ok = o + k * state, *xk = x + k * state, *pk = p + k * most;
            if (z.relu) for (int64_t i = 0; i < state; i += W) at(du + i) = at(un + i) > 0 ? at(du + i) : vec{};
            const float* back = weight + k * d * ld;
            of_weight.clear();
            if (z.update == ADD) {
                memcpy(of_o, du, state * 4);
                memcpy(next, du, state * 4);
            } else if (z.update == MAP) {
                memcpy(of_o, du, state * 4);
                next.clear();
                gemm(du, ld, back, ld, next, ld, B, ld, d);
                outer(du, ld, uk, ld, of_weight, ld, d, ld, B);
            } else if (z.update == GATE) {
                for (int64_t i = 0; i < state; i += W) {
                    const vec dy = at(du + i), g = at(xk + i);
                    at(of_o + i) = dy * g;
                    at(next + i) = dy - dy * g;
                    at(inner + i) = dy * (at(ok + i) - at(uk + i)) * g * (1 - g);
                }
                gemm(inner, ld, back, ld, next, ld, B, ld, d);
                outer(inner, ld, uk, ld, of_weight, ld, d, ld, B);
            } else {
                next.clear();
                gemm(du, ld, back, ld, next, ld, B, ld, d);
                memcpy(of_o, next, state * 4);
                memcpy(inner, du, state * 4);
                outer(du, ld, xk, ld, of_weight, ld, d, ld, B);
            }
            if (z.update != ADD)
                for (int64_t j = 0; j < d; j++) for (int64_t i = 0; i < d; i++) gradient[hop.weight + j * d + i] += of_weight[j * ld + i];
            if (z.update == GATE || z.update == RESIDUAL)
                for (int64_t b = 0; b < B; b++) for (int64_t i = 0; i < d; i++) gradient[hop.bias + i] += inner[b * ld + i];

            const float *m = features + hop.input * U * ld, *c = features + hop.output * U * ld;
            const float *tm = times + hop.time_input * (z.window + 1) * ld, *tc = times + hop.time_output * (z.window + 1) * ld;
            float *dm = of_features + hop.input * U * ld, *dc = of_features + hop.output * U * ld;
            float *dtm = of_times + hop.time_input * (z.window + 1) * ld, *dtc = of_times + hop.time_output * (z.window + 1) * ld;
            for (int64_t b = 0; b < B; b++) {
                const int64_t first = begin[b], end = begin[b + 1];
                const Row<N> of_read(of_o + b * ld), ub(uk + b * ld);
                float mean = 0;
                for (int64_t i = first; i < end; i++) {
                    const auto [sentence, time] = slots[i];
                    const Row<N> grad = pk[i] * of_read;
                    Row<N> slot(c + sentence);
                    grad.add(dc + sentence);
                    if (z.times) {
                        slot += Row<N>(tc + time);
                        grad.add(dtc + time);
                    }
                    dots[i] = of_read.dot(slot);
                    mean += pk[i] * dots[i];
                }
                Row<N> of_u(next + b * ld);
                for (int64_t i = first; i < end; i++) {
                    const auto [sentence, time] = slots[i];
                    const float of_score = linear ? dots[i] : pk[i] * (dots[i] - mean);
                    const Row<N> grad = of_score * ub;
                    Row<N> slot(m + sentence);
                    grad.add(dm + sentence);
                    if (z.times) {
                        slot += Row<N>(tm + time);
                        grad.add(dtm + time);
                    }
                    of_u += of_score * slot;
                }
                of_u.store(next + b * ld);
            }
            du.swap(next);
        }
        for (int64_t b = 0; b < B; b++) Row<N>(du + b * ld).add(of_features + (z.question * U + question[b]) * ld);
        for (int64_t s = 1; s < U; s++) if (used[s])
            for (int64_t k = 0; k < z.encoded; k++) {
                const Row<N> grad(of_features + (k * U + s) * ld);
                for (int64_t j = 0; j < J; j++) if (const int64_t word = sentences[s * J + j])
                    (Row<N>(constant + j * ld) * grad).add(of_words + (k * V + word) * ld);
            }
        for (int64_t k = 0; k < z.tables; k++)
            unpack(gradient + z.table[k] + d, d, of_words + (k * V + 1) * ld, ld, V - 1);
        for (int64_t k = 0; k < z.times; k++)
            unpack(gradient + z.time[k], d, of_times + (k * (z.window + 1) + 1) * ld, ld, z.window);
    });
}

extern "C" void hops_forward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t*) {
    const Layout z(t[1].ints(0));
    switch ((z.d + W - 1) / W) {
    case 1: return step<1>(restarts, threads, t, z);
    case 2: return step<2>(restarts, threads, t, z);
    case 3: return step<3>(restarts, threads, t, z);
    case 4: return step<4>(restarts, threads, t, z);
    case 5: case 6: return step<6>(restarts, threads, t, z);
    default: return step<8>(restarts, threads, t, z);
    }
}

// (the inputs, the outputs, grad of the loss) -> grad of the weights
extern "C" void hops_backward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t*) {
    each_restart(restarts, threads, [&](int64_t r) {
        const float *gradient = t[11].floats(r), of_loss = *t[12].floats(r);
        for (int64_t i = 0; i < t[0].size[0]; i++) t[13].floats(r)[i] = of_loss * gradient[i];
    });
}
