// Facts compared with a vector of each question: forward, and backward by hand.
//
// z = W_times (f * v) + W_minus |f - v| + w_mapped (mapped . v) + base + own for every fact that is seen; where w_2 is
// given, w_2 . tanh z in its place. Facts of several questions are multiplied together.
#include "common.h"

// (f (N, T, d), v (N, d), mapped (N, T, d) or none, seen (N, T), base (N, T, d) or none, own (N, d) or none, W_times (d, d),
// W_minus (d, d), w_mapped (d, 1), w_2 (1, d) or none) of a restart
struct Facts {
    int64_t N, T, d, D, K;
    const float *f, *v, *mapped, *base, *own, *times, *minus, *w_mapped, *w_2;
    const bool* seen;
    Facts(const Tensor* t, int64_t r)
        : N(t[0].size[0]), T(t[0].size[1]), d(t[0].size[2]), D(padded(d)), K(2 * d + 1), f(t[0].floats(r)),
          v(t[1].floats(r)), mapped(t[2].floats(r)), base(t[4].floats(r)), own(t[5].floats(r)), times(t[6].floats(r)),
          minus(t[7].floats(r)), w_mapped(t[8].floats(r)), w_2(t[9].floats(r)), seen(t[3].bools(r)) {}

    // f * v, |f - v| and mapped . v of a fact
    void compare(int64_t n, int64_t t, float* __restrict to) const {
        const float *fact = f + (n * T + t) * d, *with = v + n * d;
        for (int64_t i = 0; i < d; i++) to[i] = fact[i] * with[i];
        for (int64_t i = 0; i < d; i++) to[d + i] = std::fabs(fact[i] - with[i]);
        float product = 0;
        if (mapped) for (int64_t i = 0; i < d; i++) product += mapped[(n * T + t) * d + i] * with[i];
        to[2 * d] = product;
    }
};

constexpr int TOGETHER = 48;  // facts

// f(numbers of facts in (N, T), how many) for handfuls of the facts that are seen
template <typename F> static void handfuls(const Facts& s, F f) {
    int64_t numbers[TOGETHER], count = 0;
    for (int64_t number = 0; number < s.N * s.T; number++) {
        if (s.seen[number]) numbers[count++] = number;
        if (count == TOGETHER || (count && number + 1 == s.N * s.T)) {
            f(numbers, count);
            count = 0;
        }
    }
}

// -> z (N, T, d) or scores (N, T), tanh z (N, T, D) kept
extern "C" void compare_forward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t*) {
    each_restart(restarts, threads, [&](int64_t r) {
        const Facts s(t, r);
        const int64_t D = s.D, ld = D + W;
        Buffer weights(s.K * ld), compared(TOGETHER * s.K), sums(TOGETHER * D), w_2(D);
        pack_transposed(weights, ld, s.times, s.d, s.d);
        pack_transposed(weights + s.d * ld, ld, s.minus, s.d, s.d);
        if (s.mapped) memcpy(weights + 2 * s.d * ld, s.w_mapped, s.d * 4);
        if (s.w_2) memcpy(w_2, s.w_2, s.d * 4);
        float *out = t[10].floats(r), *kept = t[11].floats(r);
        memset(out, 0, s.N * s.T * (s.w_2 ? 1 : s.d) * 4);
        handfuls(s, [&](const int64_t* numbers, int64_t count) {
            for (int64_t m = 0; m < count; m++) {
                const int64_t n = numbers[m] / s.T;
                s.compare(n, numbers[m] % s.T, compared + m * s.K);
                float* __restrict sum = sums + m * D;
                for (int64_t i = 0; i < s.d; i++)
                    sum[i] = (s.base ? s.base[numbers[m] * s.d + i] : 0) + (s.own ? s.own[n * s.d + i] : 0);
            }
            gemm(compared, s.K, weights, ld, sums, D, count, D, s.K);
            for (int64_t m = 0; m < count; m++) {
                if (!s.w_2) {
                    memcpy(out + numbers[m] * s.d, sums + m * D, s.d * 4);
                    continue;
                }
                vec score = {};
                for (int64_t i = 0; i < D; i += W) {
                    vec bent = tanh_(at(sums + m * D + i));
                    score += bent * at(w_2 + i);
                    if (kept) at(kept + numbers[m] * D + i) = bent;
                }
                out[numbers[m]] = sum(score);
            }
        });
    });
}

// (..., z or scores, kept, grad of z or scores)
// -> grad of f, v, mapped, base, own, W_times, W_minus, w_mapped, w_2
extern "C" void compare_backward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t*) {
    if (!t[12].data) return;
    each_restart(restarts, threads, [&](int64_t r) {
        const Facts s(t, r);
        const int64_t D = s.D, ld = 2 * D + W;
        const float *kept = t[11].floats(r), *grad = t[12].floats(r);
        float *df = t[13].floats(r), *dv = t[14].floats(r), *d_mapped = t[15].floats(r), *dbase = t[16].floats(r);
        float *down = t[17].floats(r), *d_times = t[18].floats(r), *d_minus = t[19].floats(r);
        float *d_w_mapped = t[20].floats(r), *d_w_2 = t[21].floats(r);
        Buffer weights(s.d * ld), compared(TOGETHER * s.K), of_compared(TOGETHER * 2 * D), slopes(TOGETHER * D);
        Buffer w_2(D), of_w_2(D), of_weights(s.K * (D + W));
        pack(weights, ld, s.times, s.d, s.d);
        pack(weights + D, ld, s.minus, s.d, s.d);
        if (s.w_2) memcpy(w_2, s.w_2, s.d * 4);
        handfuls(s, [&](const int64_t* numbers, int64_t count) {
            for (int64_t m = 0; m < count; m++) {
                s.compare(numbers[m] / s.T, numbers[m] % s.T, compared + m * s.K);
                if (!s.w_2) {
                    memcpy(slopes + m * D, grad + numbers[m] * s.d, s.d * 4);
                    continue;
                }
                const vec g = all(grad[numbers[m]]);
                for (int64_t i = 0; i < D; i += W) {
                    vec bent = at(kept + numbers[m] * D + i);
                    at(of_w_2 + i) += g * bent;
                    at(slopes + m * D + i) = g * at(w_2 + i) * (1.0f - bent * bent);
                }
            }
            outer(compared, s.K, slopes, D, of_weights, D + W, s.K, D, count);
            memset(of_compared, 0, count * 2 * D * 4);
            gemm(slopes, D, weights, ld, of_compared, 2 * D, count, 2 * D, s.d);
            for (int64_t m = 0; m < count; m++) {
                const int64_t n = numbers[m] / s.T;
                const float *fact = s.f + numbers[m] * s.d, *with = s.v + n * s.d, *slope = slopes + m * D;
                const float *of_times = of_compared + m * 2 * D, *of_minus = of_times + D;
                float *__restrict of_fact = df + numbers[m] * s.d, *__restrict of_with = dv + n * s.d;
                for (int64_t i = 0; i < s.d; i++) {
                    float apart = fact[i] - with[i];
                    float minus = apart > 0 ? of_minus[i] : apart < 0 ? -of_minus[i] : 0;
                    of_fact[i] = of_times[i] * with[i] + minus;
                    of_with[i] += of_times[i] * fact[i] - minus;
                }
                if (s.mapped) {
                    const float* mapped = s.mapped + numbers[m] * s.d;
                    float g = 0, *__restrict of_mapped = d_mapped + numbers[m] * s.d;
                    for (int64_t i = 0; i < s.d; i++) g += slope[i] * s.w_mapped[i];
                    for (int64_t i = 0; i < s.d; i++) of_mapped[i] = g * with[i], of_with[i] += g * mapped[i];
                }
                if (s.base) memcpy(dbase + numbers[m] * s.d, slope, s.d * 4);
                if (s.own) for (int64_t i = 0; i < s.d; i++) down[n * s.d + i] += slope[i];
            }
        });
        for (int64_t o = 0; o < s.d; o++) for (int64_t k = 0; k < s.d; k++) {
            d_times[o * s.d + k] = of_weights[k * (D + W) + o];
            d_minus[o * s.d + k] = of_weights[(s.d + k) * (D + W) + o];
        }
        if (s.mapped) memcpy(d_w_mapped, of_weights + 2 * s.d * (D + W), s.d * 4);
        if (s.w_2) memcpy(d_w_2, of_w_2, s.d * 4);
    });
}
