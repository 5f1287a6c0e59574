// Facts compared with a vector of each question: forward, and backward by hand.
//
// z = W_times (f * v) + W_minus |f - v| + w_mapped (mapped . v) + base + own for every fact that is seen; where w_2 is
// given, w_2 . tanh z in its place. Facts of several questions are multiplied together.
#include "common.h"

// (f (N, T, d), v (N, d), mapped (N, T, d) or none, seen (N, T), base (N, T, d) or none, own (N, d) or none,
// W_times (d, d), W_minus (d, d), w_mapped (d, 1), w_2 (1, d) or none) of a restart
struct Facts {
    int64_t N, T, d, D, K;
    const float *f, *v, *mapped, *base, *own, *times, *minus, *w_mapped, *w_2;
    const bool* seen;
    Facts(const Tensor* t, int64_t r)
        : N(t[0].size[0]), T(t[0].size[1]), d(t[0].size[2]), D(padded(d)),
          K(2 * d + (t[2].data != nullptr)), f(t[0].floats(r)), v(t[1].floats(r)), mapped(t[2].floats(r)),
          base(t[4].floats(r)), own(t[5].floats(r)), times(t[6].floats(r)), minus(t[7].floats(r)),
          w_mapped(t[8].floats(r)), w_2(t[9].floats(r)), seen(t[3].bools(r)) {}
};

constexpr int TOGETHER = 60;  // facts

// Some facts, and what they are compared by: rows of f and of mapped, padded; and f * v, |f - v| and mapped . v.
struct Handful {
    const Facts& s;
    Buffer v, facts, mapped, compared;
    int64_t numbers[TOGETHER], questions[TOGETHER], count = 0, ld;

    explicit Handful(const Facts& s)
        : s(s), v(s.N * s.D), facts(TOGETHER * s.D), mapped(TOGETHER * s.D), compared(TOGETHER * (s.K + W) + W),
          ld(s.K + W) {
        pack(v, s.D, s.v, s.d, s.N);
    }
    void compare(int64_t m) {
        const float* with = v + questions[m] * s.D;
        float *fact = facts + m * s.D, *to = compared + m * ld;
        memcpy(fact, s.f + numbers[m] * s.d, s.d * 4);
        for (int64_t i = 0; i < s.D; i += W) at(to + i) = at(fact + i) * at(with + i);
        for (int64_t i = 0; i < s.D; i += W) {
            vec apart = at(fact + i) - at(with + i);
            at(to + s.d + i) = larger(apart, -apart);
        }
        if (s.mapped) {
            memcpy(mapped + m * s.D, s.mapped + numbers[m] * s.d, s.d * 4);
            vec product = {};
            for (int64_t i = 0; i < s.D; i += W) product += at(mapped + m * s.D + i) * at(with + i);
            to[2 * s.d] = sum(product);
        }
    }
    // f() for handfuls of all the facts that are seen
    template <typename F> void each(F f) {
        for (int64_t n = 0; n < s.N; n++) for (int64_t t = 0; t < s.T; t++) {
            if (!s.seen[n * s.T + t]) continue;
            numbers[count] = n * s.T + t, questions[count] = n;
            if (++count == TOGETHER) f(), count = 0;
        }
        if (count) f();
    }
};

// -> z (N, T, d) or scores (N, T), tanh z (N, T, D) kept
extern "C" void compare_forward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t*) {
    each_restart(restarts, threads, [&](int64_t r) {
        const Facts s(t, r);
        const int64_t D = s.D, ld = D + W;
        Handful some(s);
        Buffer weights(s.K * ld), sums(TOGETHER * D), w_2(D), own(s.own ? s.N * D : 0);
        pack_transposed(weights, ld, s.times, s.d, s.d);
        pack_transposed(weights + s.d * ld, ld, s.minus, s.d, s.d);
        if (s.mapped) memcpy(weights + 2 * s.d * ld, s.w_mapped, s.d * 4);
        if (s.own) pack(own, D, s.own, s.d, s.N);
        if (s.w_2) memcpy(w_2, s.w_2, s.d * 4);
        float *out = t[10].floats(r), *kept = t[11].floats(r);
        memset(out, 0, s.N * s.T * (s.w_2 ? 1 : s.d) * 4);
        some.each([&] {
            for (int64_t m = 0; m < some.count; m++) {
                some.compare(m);
                float* sum = sums + m * D;
                if (s.base) memcpy(sum, s.base + some.numbers[m] * s.d, s.d * 4);
                else memset(sum, 0, D * 4);
                if (s.own) for (int64_t i = 0; i < D; i += W) at(sum + i) += at(own + some.questions[m] * D + i);
            }
            gemm(some.compared, some.ld, weights, ld, sums, D, some.count, D, s.K);
            for (int64_t m = 0; m < some.count; m++) {
                if (!s.w_2) {
                    memcpy(out + some.numbers[m] * s.d, sums + m * D, s.d * 4);
                    continue;
                }
                vec score = {};
                for (int64_t i = 0; i < D; i += W) {
                    vec bent = tanh_(at(sums + m * D + i));
                    score += bent * at(w_2 + i);
                    if (kept) at(kept + some.numbers[m] * D + i) = bent;
                }
                out[some.numbers[m]] = sum(score);
            }
        });
    });
}

// (..., z or scores, kept, grad of z or scores)
// -> grad of f, v, mapped, base, own, W_times, W_minus, w_mapped, w_2
extern "C" void compare_backward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t*) {
    each_restart(restarts, threads, [&](int64_t r) {
        const Facts s(t, r);
        const int64_t D = s.D, ld = 2 * D + W;
        const float *kept = t[11].floats(r), *grad = t[12].floats(r);
        float *df = t[13].floats(r), *dv = t[14].floats(r), *d_mapped = t[15].floats(r), *dbase = t[16].floats(r);
        float *down = t[17].floats(r), *d_times = t[18].floats(r), *d_minus = t[19].floats(r);
        float *d_w_mapped = t[20].floats(r), *d_w_2 = t[21].floats(r);
        for (int64_t number = 0; number < s.N * s.T; number++) if (!s.seen[number]) {
            memset(df + number * s.d, 0, s.d * 4);
            if (s.mapped) memset(d_mapped + number * s.d, 0, s.d * 4);
            if (s.base) memset(dbase + number * s.d, 0, s.d * 4);
        }
        Handful some(s);
        Buffer weights(s.d * ld), of_compared(TOGETHER * 2 * D), slopes(TOGETHER * D), w_2(D), w_mapped(D), of_w_2(D);
        Buffer of_weights(s.K * (D + W)), of_v(s.N * D), of_own(s.own ? s.N * D : 0), of_fact(D), of_mapped(D);
        pack(weights, ld, s.times, s.d, s.d);
        pack(weights + D, ld, s.minus, s.d, s.d);
        if (s.mapped) memcpy(w_mapped, s.w_mapped, s.d * 4);
        if (s.w_2) memcpy(w_2, s.w_2, s.d * 4);
        some.each([&] {
            for (int64_t m = 0; m < some.count; m++) {
                some.compare(m);
                if (!s.w_2) {
                    memcpy(slopes + m * D, grad + some.numbers[m] * s.d, s.d * 4);
                    continue;
                }
                const vec g = all(grad[some.numbers[m]]);
                for (int64_t i = 0; i < D; i += W) {
                    vec bent = at(kept + some.numbers[m] * D + i);
                    at(of_w_2 + i) += g * bent;
                    at(slopes + m * D + i) = g * at(w_2 + i) * (1.0f - bent * bent);
                }
            }
            outer(some.compared, some.ld, slopes, D, of_weights, D + W, s.K, D, some.count);
            memset(of_compared, 0, some.count * 2 * D * 4);
            gemm(slopes, D, weights, ld, of_compared, 2 * D, some.count, 2 * D, s.d);
            for (int64_t m = 0; m < some.count; m++) {
                const int64_t place = some.numbers[m] * s.d, n = some.questions[m];
                const float *fact = some.facts + m * D, *with = some.v + n * D, *slope = slopes + m * D;
                const float *of_times = of_compared + m * 2 * D, *of_minus = of_times + D;
                float* of_with = of_v + n * D;
                for (int64_t i = 0; i < D; i += W) {
                    vec apart = at(fact + i) - at(with + i), minus = at(of_minus + i);
                    minus = apart > 0 ? minus : apart < 0 ? -minus : all(0);
                    at(of_fact + i) = at(of_times + i) * at(with + i) + minus;
                    at(of_with + i) += at(of_times + i) * at(fact + i) - minus;
                }
                memcpy(df + place, of_fact, s.d * 4);
                if (s.mapped) {
                    vec product = {};
                    for (int64_t i = 0; i < D; i += W) product += at(slope + i) * at(w_mapped + i);
                    const vec g = all(sum(product));
                    for (int64_t i = 0; i < D; i += W) {
                        at(of_mapped + i) = g * at(with + i);
                        at(of_with + i) += g * at(some.mapped + m * D + i);
                    }
                    memcpy(d_mapped + place, of_mapped, s.d * 4);
                }
                if (s.base) memcpy(dbase + place, slope, s.d * 4);
                if (s.own) for (int64_t i = 0; i < D; i += W) at(of_own + n * D + i) += at(slope + i);
            }
        });
        unpack(dv, s.d, of_v, D, s.N);
        if (s.own) unpack(down, s.d, of_own, D, s.N);
        for (int64_t o = 0; o < s.d; o++) for (int64_t k = 0; k < s.d; k++) {
            d_times[o * s.d + k] = of_weights[k * (D + W) + o];
            d_minus[o * s.d + k] = of_weights[(s.d + k) * (D + W) + o];
        }
        if (s.mapped) memcpy(d_w_mapped, of_weights + 2 * s.d * (D + W), s.d * 4);
        if (s.w_2) memcpy(d_w_2, of_w_2, s.d * 4);
    });
}
