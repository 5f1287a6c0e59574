// GRU, LSTM and gated GRU over the words that are there: forward, and backward by hand.
//
// The sequences of a restart are sorted by how many words they hear, most first, so those that still hear something in
// a step are the first ones. Their states before all steps lie behind one another in rows, step after step, and then
// the last state of each sequence.
#include "common.h"

// (x (V, G d), words (B, L), at (N), h (B, S), U (G d, d), gate (B, L) or none) of a restart
struct Shape {
    int64_t V, B, L, N, d, G, D, S;
    bool lstm, gated;
    explicit Shape(const Tensor* t)
        : V(t[0].size[0]), B(t[1].size[0]), L(t[1].size[1]), N(t[2].size[0]), d(t[4].size[1]),
          G(t[4].size[0] / t[4].size[1]), D(padded(d)), S(t[3].size[1]), lstm(G == 4), gated(t[5].data) {}
    int64_t row() const { return lstm ? 2 * D : D; }  // numbers of a state
    int64_t step() const { return (G == 2 ? 3 : 4) * D; }  // numbers that a step keeps for the backward
};

// Who hears what, and when.
struct Plan {
    std::vector<int> order, words, place;  // sequence of each rank; word and place in `gate` of each row
    std::vector<int> active, first;        // sequences in each step, and its first row
    std::vector<int> asked;                // row of the state of each question
    int rows = 0;

    Plan(const Shape& s, const int64_t* words_, const int64_t* at_) : order(s.B), asked(s.N) {
        std::vector<int> until(s.B), heard(s.B * (s.L + 1)), rank(s.B), count(s.B);
        for (int64_t n = 0; n < s.N; n++) {
            int& most = until[at_[n] / (s.L + 1)];
            most = std::max(most, int(at_[n] % (s.L + 1)));
        }
        for (int64_t b = 0; b < s.B; b++) {
            int* so_far = &heard[b * (s.L + 1)];
            for (int l = 0; l < until[b]; l++) so_far[l + 1] = so_far[l] + (words_[b * s.L + l] >= 0);
            count[b] = so_far[until[b]];
            order[b] = int(b);
        }
        std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return count[a] > count[b]; });
        for (int k = 0; k < s.B; k++) rank[order[k]] = k;
        int steps = s.B ? count[order[0]] : 0;
        active.resize(steps);
        first.resize(steps + 1);
        for (int l = 0; l < steps; l++) {
            while (active[l] < s.B && count[order[active[l]]] > l) active[l]++;
            first[l + 1] = rows += active[l];
        }
        words.resize(rows);
        place.resize(rows);
        for (int64_t b = 0; b < s.B; b++) for (int l = 0; l < until[b]; l++) if (words_[b * s.L + l] >= 0) {
            int row = first[heard[b * (s.L + 1) + l]] + rank[b];
            words[row] = int(words_[b * s.L + l]);
            place[row] = int(b * s.L + l);
        }
        for (int64_t n = 0; n < s.N; n++) {
            int b = int(at_[n] / (s.L + 1)), step = heard[at_[n]];
            asked[n] = (step < count[b] ? first[step] : rows) + rank[b];
        }
    }
    // The row of the first state of rank m.
    int begin(int m) const { return (!active.empty() && m < active[0] ? 0 : rows) + m; }
    // The row of its state after a step.
    int after(size_t step, int m) const {
        return (step + 1 < active.size() && m < active[step + 1] ? first[step + 1] : rows) + m;
    }
};

// Rows of G parts of d numbers, each part padded to D; the tensor itself where nothing is to be padded.
struct Parts {
    std::vector<float> copy;
    float* data;
    Parts(const float* from, int64_t rows, const Shape& s) : copy(s.d < s.D ? rows * s.G * s.D : 0) {
        data = s.d < s.D ? copy.data() : (float*)from;
        if (s.d < s.D) pack(data, s.D, from, s.d, rows * s.G);
    }
};

template <bool LSTM, bool UPDATES, bool GATED>
static void hear(const Shape& s, const Plan& plan, const float* x, const float* U, const float* gate, float* states,
                 float* kept) {
    const int64_t D = s.D, N = s.G * D, ld = N + W, row = s.row();
    Buffer mapped(D * ld), sums(s.B * N);
    for (int64_t g = 0; g < s.G; g++) pack_transposed(mapped + g * D, ld, U + g * s.d * s.d, s.d, s.d);
    for (size_t step = 0; step < plan.active.size(); step++) {
        const int count = plan.active[step], first = plan.first[step];
        float* before = states + first * row;
        for (int m = 0; m < count; m++) {
            const float* given = x + plan.words[first + m] * N;
            memcpy(sums + m * N, given, (LSTM ? N : N - D) * 4);
            if (!LSTM) memset(sums + m * N + N - D, 0, D * 4);
        }
        gemm(before, row, mapped, ld, sums, N, count, N, s.d);
        for (int m = 0; m < count; m++) {
            const float *p = sums + m * N, *h = before + m * row;
            float *next = states + plan.after(step, m) * row, *z = kept + (first + m) * s.step();
            const vec open = GATED ? all(gate[plan.place[first + m]]) : all(1.0f);
            const float* given = x + plan.words[first + m] * N + N - D;
            for (int64_t i = 0; i < D; i += W) {
                if (LSTM) {
                    vec in = sigmoid(at(p + i)), forget = sigmoid(at(p + D + i)), out = sigmoid(at(p + 2 * D + i));
                    vec candidate = tanh_(at(p + 3 * D + i));
                    vec c = forget * at(h + D + i) + in * candidate;
                    at(z + i) = in, at(z + D + i) = forget, at(z + 2 * D + i) = out, at(z + 3 * D + i) = candidate;
                    at(next + D + i) = c;
                    at(next + i) = out * tanh_(c);
                } else {
                    vec update = UPDATES ? sigmoid(at(p + i)) : all(0.0f), reset = sigmoid(at(p + N - 2 * D + i));
                    vec of_state = at(p + N - D + i), candidate = tanh_(at(given + i) + reset * of_state);
                    at(z + i) = reset, at(z + D + i) = candidate, at(z + 2 * D + i) = of_state;
                    if (UPDATES) at(z + 3 * D + i) = update;
                    at(next + i) = at(h + i) + open * (1.0f - update) * (candidate - at(h + i));
                }
            }
        }
    }
}

// `grads` (like the states) holds what comes from the questions; in the end the gradients of the first states too.
template <bool LSTM, bool UPDATES, bool GATED>
static void learn(const Shape& s, const Plan& plan, const float* U, const float* gate, const float* states,
                  const float* kept, float* grads, float* dx, float* dU, float* dgate) {
    const int64_t D = s.D, N = s.G * D, row = s.row(), together = 192;  // rows whose products with states are summed
    Buffer mapped(N * (D + W)), slopes((together + s.B) * N), of_U(D * (N + W));
    for (int64_t g = 0; g < s.G; g++) pack(mapped + g * D * (D + W), D + W, U + g * s.d * s.d, s.d, s.d);
    int end = plan.rows;  // of the rows whose slopes are kept
    float* latest = slopes + (together + s.B) * N;
    for (int64_t step = int64_t(plan.active.size()) - 1; step >= 0; step--) {
        const int count = plan.active[step], first = plan.first[step];
        latest -= count * N;
        for (int m = 0; m < count; m++) {
            const float *h = states + (first + m) * row, *z = kept + (first + m) * s.step();
            float *of_next = grads + plan.after(step, m) * row, *of_h = grads + (first + m) * row;
            float *p = latest + m * N, *given = dx + plan.words[first + m] * N;
            const vec open = GATED ? all(gate[plan.place[first + m]]) : all(1.0f);
            vec of_gate = {};
            for (int64_t i = 0; i < D; i += W) {
                const vec g = at(of_next + i);
                if (LSTM) {
                    vec in = at(z + i), forget = at(z + D + i), out = at(z + 2 * D + i), candidate = at(z + 3 * D + i);
                    vec t = tanh_(forget * at(h + D + i) + in * candidate);
                    vec c = at(of_next + D + i) + g * out * (1.0f - t * t);
                    at(of_h + D + i) += c * forget;
                    vec a = c * candidate * in * (1.0f - in), b = c * at(h + D + i) * forget * (1.0f - forget);
                    vec o = g * t * out * (1.0f - out), q = c * in * (1.0f - candidate * candidate);
                    at(p + i) = a, at(p + D + i) = b, at(p + 2 * D + i) = o, at(p + 3 * D + i) = q;
                    at(given + i) += a, at(given + D + i) += b, at(given + 2 * D + i) += o, at(given + 3 * D + i) += q;
                } else {
                    vec update = UPDATES ? at(z + 3 * D + i) : all(0.0f), reset = at(z + i), candidate = at(z + D + i);
                    vec moved = g * (candidate - at(h + i)), kept_open = open * (1.0f - update);
                    if (GATED) of_gate += moved * (1.0f - update);
                    at(of_h + i) += g * (1.0f - kept_open);
                    vec q = g * kept_open * (1.0f - candidate * candidate);
                    vec r = q * at(z + 2 * D + i) * reset * (1.0f - reset);
                    at(p + N - 2 * D + i) = r, at(p + N - D + i) = q * reset;
                    at(given + N - 2 * D + i) += r, at(given + N - D + i) += q;
                    if (UPDATES) {
                        vec u = -open * moved * update * (1.0f - update);
                        at(p + i) = u;
                        at(given + i) += u;
                    }
                }
            }
            if (GATED) dgate[plan.place[first + m]] += sum(of_gate);
        }
        gemm(latest, N, mapped, D + W, grads + first * row, row, count, D, N);
        if (end - first >= together || step == 0) {
            outer(states + first * row, row, latest, N, of_U, N + W, s.d, N, end - first);
            end = first;
            latest = slopes + (together + s.B) * N;
        }
    }
    for (int64_t g = 0; g < s.G; g++) for (int64_t o = 0; o < s.d; o++) for (int64_t k = 0; k < s.d; k++)
        dU[(g * s.d + o) * s.d + k] = of_U[k * (N + W) + g * D + o];
}

// f(LSTM, UPDATES, GATED) as constants
template <typename F> static void of_kind(const Shape& s, F f) {
    if (s.lstm) f(std::true_type(), std::true_type(), std::false_type());
    else if (s.G == 2) f(std::false_type(), std::false_type(), std::true_type());
    else if (s.gated) f(std::false_type(), std::true_type(), std::true_type());
    else f(std::false_type(), std::true_type(), std::false_type());
}

static void copy_state(const Shape& s, float* to, int64_t ld, const float* from, int64_t ld_from) {
    for (int64_t part = 0; part < s.S / s.d; part++) memcpy(to + part * ld, from + part * ld_from, s.d * 4);
}

// (x, words, at, h, U, gate) -> asked (N, S), states, kept
extern "C" void recur_forward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t*) {
    const Shape s(t);
    each_restart(restarts, threads, [&](int64_t r) {
        const Plan plan(s, t[1].ints(r), t[2].ints(r));
        const Parts x(t[0].floats(r), s.V, s);
        std::vector<float> own(t[7].data ? 0 : (plan.rows + s.B) * s.row() + plan.rows * s.step());
        float* states = t[7].data ? t[7].floats(r) : own.data();
        float* kept = t[7].data ? t[8].floats(r) : own.data() + (plan.rows + s.B) * s.row();
        for (int m = 0; m < s.B; m++) {
            float* state = states + plan.begin(m) * s.row();
            memset(state, 0, s.row() * 4);
            copy_state(s, state, s.D, t[3].floats(r) + plan.order[m] * s.S, s.d);
        }
        of_kind(s, [&](auto lstm, auto updates, auto gated) {
            hear<lstm, updates, gated>(s, plan, x.data, t[4].floats(r), t[5].floats(r), states, kept);
        });
        for (int64_t n = 0; n < s.N; n++)
            copy_state(s, t[6].floats(r) + n * s.S, s.d, states + plan.asked[n] * s.row(), s.D);
    });
}

// (x, words, at, h, U, gate, asked, states, kept, grad of asked) -> grad of x, h, U, gate
extern "C" void recur_backward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t*) {
    const Shape s(t);
    if (!t[9].data) return;
    each_restart(restarts, threads, [&](int64_t r) {
        const Plan plan(s, t[1].ints(r), t[2].ints(r));
        Parts dx(t[10].floats(r), s.V, s);
        Buffer grads((plan.rows + s.B) * s.row());
        for (int64_t n = 0; n < s.N; n++) {
            const float* from = t[9].floats(r) + n * s.S;
            float* to = grads + plan.asked[n] * s.row();
            for (int64_t part = 0; part < s.S / s.d; part++)
                for (int64_t i = 0; i < s.d; i++) to[part * s.D + i] += from[part * s.d + i];
        }
        of_kind(s, [&](auto lstm, auto updates, auto gated) {
            learn<lstm, updates, gated>(s, plan, t[4].floats(r), t[5].floats(r), t[7].floats(r), t[8].floats(r),
                                        grads, dx.data, t[12].floats(r), t[13].floats(r));
        });
        if (s.d < s.D) unpack(t[10].floats(r), s.d, dx.data, s.D, s.V * s.G);
        for (int m = 0; m < s.B; m++)
            copy_state(s, t[11].floats(r) + plan.order[m] * s.S, s.d, grads + plan.begin(m) * s.row(), s.D);
    });
}
