// A relation network over pairs: the sum over i, j of three rectified maps of [o_i; o_j; q]. Forward, and backward by
// hand, which begins with the forward: that is cheaper than keeping it. Several questions are computed together.
#include "common.h"

// (buffer (N, K, d), q (N, d), g_1 (r, 3d), g_2 (r, r), g_3 (r, r), bias (3, r)) of a restart
struct Sizes {
    int64_t N, K, d, D, r, P, together;
    explicit Sizes(const Tensor* t)
        : N(t[0].size[0]), K(t[0].size[1]), d(t[0].size[2]), D(padded(d)), r(t[3].size[0]), P(padded(r)),
          together(std::max<int64_t>(1, 64 / (K * K))) {}
};

struct Weights {
    Buffer first, asked, second, third, bias;  // g_1 of o_i beside g_1 of o_j; of q; g_2; g_3: all transposed
    int64_t ld_first, ld;
    Weights(const Sizes& s, const Tensor* t, int64_t r)
        : first(s.d * (2 * s.P + W)), asked(s.d * (s.P + W)), second(s.P * (s.P + W)), third(s.P * (s.P + W)),
          bias(3 * s.P), ld_first(2 * s.P + W), ld(s.P + W) {
        for (int64_t o = 0; o < s.r; o++) for (int64_t k = 0; k < s.d; k++) {
            const float* row = t[2].floats(r) + o * 3 * s.d;
            first[k * ld_first + o] = row[k], first[k * ld_first + s.P + o] = row[s.d + k];
            asked[k * ld + o] = row[2 * s.d + k];
        }
        pack_transposed(second, ld, t[3].floats(r), s.r, s.r);
        pack_transposed(third, ld, t[4].floats(r), s.r, s.r);
        pack(bias, s.P, t[5].floats(r), s.r, 3);
    }
};

// What is computed of the questions from n on.
struct Pairs {
    const Sizes& s;
    Buffer parts, of_q, x_1, x_2, x_3;  // of o_i and o_j, of q, and the three layers for every pair
    int64_t count = 0;                  // questions
    explicit Pairs(const Sizes& s)
        : s(s), parts(s.together * s.K * 2 * s.P), of_q(s.together * s.P), x_1(s.together * s.K * s.K * s.P),
          x_2(s.together * s.K * s.K * s.P), x_3(s.together * s.K * s.K * s.P) {}

    void forward(const Weights& w, const Tensor* t, int64_t r, int64_t n) {
        count = std::min(s.together, s.N - n);
        memset(parts, 0, count * s.K * 2 * s.P * 4);
        gemm(t[0].floats(r) + n * s.K * s.d, s.d, w.first.data, w.ld_first, parts, 2 * s.P, count * s.K, 2 * s.P, s.d);
        for (int64_t m = 0; m < count; m++) memcpy(of_q + m * s.P, w.bias.data, s.P * 4);
        gemm(t[1].floats(r) + n * s.d, s.d, w.asked.data, w.ld, of_q, s.P, count, s.P, s.d);
        float* row = x_1;
        for (int64_t m = 0; m < count; m++) for (int64_t i = 0; i < s.K; i++) for (int64_t j = 0; j < s.K; j++) {
            const float* own = parts + (m * s.K + i) * 2 * s.P, *other = parts + (m * s.K + j) * 2 * s.P + s.P;
            for (int64_t v = 0; v < s.P; v += W)
                at(row + v) = larger(at(own + v) + at(other + v) + at(of_q + m * s.P + v), all(0));
            row += s.P;
        }
        map(w.second.data, w.ld, w.bias.data + s.P, x_1, x_2);
        map(w.third.data, w.ld, w.bias.data + 2 * s.P, x_2, x_3);
    }
    void map(const float* weights, int64_t ld, const float* bias, const float* x, float* y) const {
        const int64_t rows = count * s.K * s.K;
        for (int64_t m = 0; m < rows; m++) memcpy(y + m * s.P, bias, s.P * 4);
        gemm(x, s.P, weights, ld, y, s.P, rows, s.P, s.r);
        for (int64_t i = 0; i < rows * s.P; i += W) at(y + i) = larger(at(y + i), all(0));
    }
};

// -> sums (N, r)
extern "C" void relate_forward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t*) {
    const Sizes s(t);
    each_restart(restarts, threads, [&](int64_t r) {
        const Weights w(s, t, r);
        Pairs pairs(s);
        Buffer total(s.P);
        for (int64_t n = 0; n < s.N; n += s.together) {
            pairs.forward(w, t, r, n);
            for (int64_t m = 0; m < pairs.count; m++) {
                total.clear();
                for (int64_t k = m * s.K * s.K; k < (m + 1) * s.K * s.K; k++)
                    for (int64_t v = 0; v < s.P; v += W) at(total + v) += at(pairs.x_3 + k * s.P + v);
                memcpy(t[6].floats(r) + (n + m) * s.r, total, s.r * 4);
            }
        }
    });
}

// The gradient of a layer's input, and of its map (transposed) and bias, from that of its output, which is rectified.
static void map_backward(const Sizes& s, int64_t rows, const float* weights, const float* x, const float* y,
                         float* of_y, float* of_x, float* of_weights, float* of_bias) {
    for (int64_t m = 0; m < rows; m++) for (int64_t v = 0; v < s.P; v += W) {
        vec g = at(y + m * s.P + v) > 0 ? at(of_y + m * s.P + v) : all(0);
        at(of_y + m * s.P + v) = g;
        at(of_bias + v) += g;
    }
    outer(x, s.P, of_y, s.P, of_weights, s.P + W, s.r, s.P, rows);
    memset(of_x, 0, rows * s.P * 4);
    gemm(of_y, s.P, weights, s.P + W, of_x, s.P, rows, s.P, s.r);
}

// (..., sums, grad of sums) -> grad of buffer, q, g_1, g_2, g_3, bias
extern "C" void relate_backward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t*) {
    const Sizes s(t);
    each_restart(restarts, threads, [&](int64_t r) {
        const Weights w(s, t, r);
        Pairs pairs(s);
        const int64_t most = s.together * s.K * s.K, narrow = s.D + W, ld = s.P + W;
        Buffer back_1(3 * s.P * narrow), back_2(s.P * ld), back_3(s.P * ld), slopes(most * s.P), others(most * s.P);
        Buffer of_parts(s.together * s.K * 2 * s.P), of_q(s.together * s.P), of_rows(s.together * s.K * s.D);
        Buffer of_first(s.d * w.ld_first), of_asked(s.d * ld), of_second(s.P * ld), of_third(s.P * ld);
        Buffer of_bias(3 * s.P);
        for (int64_t part = 0; part < 3; part++) for (int64_t o = 0; o < s.r; o++)
            memcpy(back_1 + (part * s.P + o) * narrow, t[2].floats(r) + (o * 3 + part) * s.d, s.d * 4);
        pack(back_2, ld, t[3].floats(r), s.r, s.r);
        pack(back_3, ld, t[4].floats(r), s.r, s.r);
        for (int64_t n = 0; n < s.N; n += s.together) {
            pairs.forward(w, t, r, n);
            const int64_t count = pairs.count, rows = count * s.K * s.K;
            for (int64_t m = 0; m < rows; m++)
                memcpy(slopes + m * s.P, t[7].floats(r) + (n + m / (s.K * s.K)) * s.r, s.r * 4);
            map_backward(s, rows, back_3, pairs.x_2, pairs.x_3, slopes, others, of_third, of_bias + 2 * s.P);
            map_backward(s, rows, back_2, pairs.x_1, pairs.x_2, others, slopes, of_second, of_bias + s.P);
            of_parts.clear();
            of_q.clear();
            const float *row = pairs.x_1, *of_row = slopes;
            for (int64_t m = 0; m < count; m++) for (int64_t i = 0; i < s.K; i++) for (int64_t j = 0; j < s.K; j++) {
                float *own = of_parts + (m * s.K + i) * 2 * s.P, *other = of_parts + (m * s.K + j) * 2 * s.P + s.P;
                for (int64_t v = 0; v < s.P; v += W) {
                    vec g = at(row + v) > 0 ? at(of_row + v) : all(0);
                    at(own + v) += g, at(other + v) += g, at(of_q + m * s.P + v) += g;
                }
                row += s.P, of_row += s.P;
            }
            for (int64_t m = 0; m < count; m++)
                for (int64_t v = 0; v < s.P; v += W) at(of_bias + v) += at(of_q + m * s.P + v);
            outer(t[0].floats(r) + n * s.K * s.d, s.d, of_parts, 2 * s.P, of_first, w.ld_first, s.d, 2 * s.P,
                  count * s.K);
            outer(t[1].floats(r) + n * s.d, s.d, of_q, s.P, of_asked, ld, s.d, s.P, count);
            of_rows.clear();
            gemm(of_parts, 2 * s.P, back_1, narrow, of_rows, s.D, count * s.K, s.D, 2 * s.P);
            unpack(t[8].floats(r) + n * s.K * s.d, s.d, of_rows, s.D, count * s.K);
            of_rows.clear();
            gemm(of_q, s.P, back_1 + 2 * s.P * narrow, narrow, of_rows, s.D, count, s.D, s.P);
            unpack(t[9].floats(r) + n * s.d, s.d, of_rows, s.D, count);
        }
        for (int64_t o = 0; o < s.r; o++) {
            float* row = t[10].floats(r) + o * 3 * s.d;
            for (int64_t k = 0; k < s.d; k++) {
                row[k] = of_first[k * w.ld_first + o], row[s.d + k] = of_first[k * w.ld_first + s.P + o];
                row[2 * s.d + k] = of_asked[k * ld + o];
            }
            for (int64_t k = 0; k < s.r; k++) {
                t[11].floats(r)[o * s.r + k] = of_second[k * ld + o];
                t[12].floats(r)[o * s.r + k] = of_third[k * ld + o];
            }
        }
        unpack(t[13].floats(r), s.r, of_bias, s.P, 3);
    });
}
