// A layer of the transformer: attention of several heads, then two maps, each behind a normalisation and beside a
// connection past it. Forward, and backward by hand, which begins with the forward: that is cheaper than keeping it.
//
// Only tokens that are there are computed. Maps read the tokens of several questions together. What the sublayers find
// may be multiplied, dimension by dimension, with numbers of the question, as dropout does.
#include "common.h"

// (x (N, T, d), seen (N, T), gain (2, d), shift (2, d), W_Q, W_K, W_V, W_O (d, d), W_1 (f, d), b_1 (f), W_2 (d, f),
// b_2 (d), kept (N, 2, d)) and heads; the last token of a question is always there, and `seen` tells whether others
// attend to it
struct Sizes {
    int64_t N, T, d, D, heads, of_head, E, HE, f, F, S;
    float scale;
    Sizes(const Tensor* t, const int64_t* numbers)
        : N(t[0].size[0]), T(t[0].size[1]), d(t[0].size[2]), D(padded(d)), heads(numbers[0]), of_head(d / heads),
          E(padded(of_head)), HE(heads * E), f(t[8].size[0]), F(padded(f)), S(padded(T)),
          scale(1 / std::sqrt(float(of_head))) {}
};

constexpr int64_t TOGETHER = 64;  // tokens, at least, unless there are no more

struct Weights {
    Buffer in, out, first, second, gain, shift, b_1, b_2, inside;  // W_Q, W_K and W_V side by side; W_O; W_1; W_2
    int64_t ld_in, ld_out, ld_first, ld_second;
    // `forward`: the transposes, for rows on their left
    Weights(const Sizes& s, const Tensor* t, int64_t r, bool forward)
        : in(forward ? s.D * (3 * s.HE + W) : 3 * s.HE * (s.D + W)),
          out(forward ? s.HE * (s.D + W) : s.D * (s.HE + W)), first(forward ? s.D * (s.F + W) : s.F * (s.D + W)),
          second(forward ? s.F * (s.D + W) : s.D * (s.F + W)), gain(2 * s.D), shift(2 * s.D), b_1(s.F), b_2(s.D),
          inside(s.D), ld_in(forward ? 3 * s.HE + W : s.D + W), ld_out(forward ? s.D + W : s.HE + W),
          ld_first(forward ? s.F + W : s.D + W), ld_second(forward ? s.D + W : s.F + W) {
        for (int64_t i = 0; i < 3; i++) for (int64_t h = 0; h < s.heads; h++) {
            const float* from = t[4 + i].floats(r) + h * s.of_head * s.d;
            const int64_t place = i * s.HE + h * s.E;
            if (forward) pack_transposed(in + place, ld_in, from, s.d, s.of_head);
            else pack(in + place * ld_in, ld_in, from, s.d, s.of_head);
        }
        for (int64_t h = 0; h < s.heads; h++) for (int64_t i = 0; i < s.of_head; i++) for (int64_t o = 0; o < s.d; o++)
            out[forward ? (h * s.E + i) * ld_out + o : o * ld_out + h * s.E + i] =
                t[7].floats(r)[o * s.d + h * s.of_head + i];
        (forward ? pack_transposed : pack)(first, ld_first, t[8].floats(r), s.d, s.f);
        (forward ? pack_transposed : pack)(second, ld_second, t[10].floats(r), s.f, s.d);
        pack(gain, s.D, t[2].floats(r), s.d, 2);
        pack(shift, s.D, t[3].floats(r), s.d, 2);
        memcpy(b_1, t[9].floats(r), s.f * 4);
        memcpy(b_2, t[11].floats(r), s.d * 4);
        for (int64_t i = 0; i < s.d; i++) inside[i] = 1;
    }
};

// The tokens of some questions, and all that the layer makes of them.
struct Tokens {
    const Sizes& s;
    std::vector<int64_t> places, begins;  // of tokens in (N, T); the first token of each question, and the end
    std::vector<int64_t> keys;  // of each question, how many of its tokens are attended to: all, or all but the last
    bool drops;
    Buffer kept, scaled;  // (questions, 2, D); a gradient multiplied with it
    Buffer x, straight, normal, qkv, shares, found, middle, straight_2, normal_2, hidden, y, turned;
    std::vector<float> size, size_2;  // what rows were multiplied with to normalise them
    Tokens(const Sizes& s, bool drops)
        : s(s), drops(drops), kept(drops ? most() * 2 * s.D : 0), scaled(drops ? most() * s.D : 0), x(most() * s.D), straight(most() * s.D), normal(most() * s.D), qkv(most() * 3 * s.HE),
          shares(most() * s.heads * s.S), found(most() * s.HE), middle(most() * s.D), straight_2(most() * s.D),
          normal_2(most() * s.D), hidden(most() * s.F), y(most() * s.D), turned(s.E * s.S), size(most()),
          size_2(most()) {}
    int64_t most() const { return TOGETHER + s.T; }
    int64_t count() const { return int64_t(places.size()); }

    // f() for handfuls of all the questions
    template <typename G> void each(const Tensor* t, int64_t r, G f) {
        for (int64_t n = 0; n < s.N; n++) {
            const bool* seen = t[1].bools(r) + n * s.T;
            if (drops) pack(kept + keys.size() * 2 * s.D, s.D, t[12].floats(r) + n * 2 * s.d, s.d, 2);
            begins.push_back(count());
            for (int64_t i = 0; i < s.T; i++) if (seen[i] || i + 1 == s.T) places.push_back(n * s.T + i);
            keys.push_back(count() - begins.back() - !seen[s.T - 1]);
            if (count() < TOGETHER && n + 1 < s.N) continue;
            begins.push_back(count());
            f();
            places.clear();
            begins.clear();
            keys.clear();
        }
    }
    // Rows times what is kept of sublayer `which`; the rows themselves, if nothing is dropped.
    const float* times_kept(const float* rows, int64_t which) {
        if (!drops) return rows;
        for (size_t q = 0; q < keys.size(); q++) for (int64_t m = begins[q]; m < begins[q + 1]; m++)
            for (int64_t i = 0; i < s.D; i += W)
                at(scaled + m * s.D + i) = at(rows + m * s.D + i) * at(kept + (q * 2 + which) * s.D + i);
        return scaled;
    }
    // to = from + what sublayer `which` found, as far as it is kept
    void add(const float* from, const float* what, int64_t which, float* to) {
        what = times_kept(what, which);
        for (int64_t i = 0; i < count() * s.D; i += W) at(to + i) = at(from + i) + at(what + i);
    }
    void normalise(const Weights& w, int64_t which, const float* from, float* straight, float* to, float* size) const {
        const float *gain = w.gain.data + which * s.D, *shift = w.shift.data + which * s.D;
        for (int64_t m = 0; m < count(); m++) {
            const float* row = from + m * s.D;
            vec total = {}, squares = {};
            for (int64_t i = 0; i < s.D; i += W) total += at(row + i);
            const float mean = sum(total) / s.d;
            for (int64_t i = 0; i < s.D; i += W) {
                vec apart = (at(row + i) - mean) * at(w.inside.data + i);
                squares += apart * apart;
                at(straight + m * s.D + i) = apart;
            }
            size[m] = 1 / std::sqrt(sum(squares) / s.d + 1e-5f);
            for (int64_t i = 0; i < s.D; i += W) {
                vec here = at(straight + m * s.D + i) *= size[m];
                at(to + m * s.D + i) = here * at(gain + i) + at(shift + i);
            }
        }
    }
    // From the gradient of what was normalised; added to `of_row`.
    void normalise_backward(const Weights& w, int64_t which, const float* straight, const float* size,
                            const float* grad, float* of_row, float* of_gain, float* of_shift) const {
        for (int64_t m = 0; m < count(); m++) {
            const float *g = grad + m * s.D, *here = straight + m * s.D, *gain = w.gain.data + which * s.D;
            vec total = {}, along = {};
            for (int64_t i = 0; i < s.D; i += W) {
                at(of_gain + which * s.D + i) += at(g + i) * at(here + i);
                at(of_shift + which * s.D + i) += at(g + i);
                total += at(g + i) * at(gain + i);
                along += at(g + i) * at(gain + i) * at(here + i);
            }
            const float mean = sum(total) / s.d, mean_along = sum(along) / s.d;
            for (int64_t i = 0; i < s.D; i += W)
                at(of_row + m * s.D + i) += at(w.inside.data + i) * size[m]
                    * (at(g + i) * at(gain + i) - mean - at(here + i) * mean_along);
        }
    }
    // The rows `part` (0 Q, 1 K, 2 V) of a head and a question, as columns: (E, S).
    const float* turn(const float* rows, int64_t part, int64_t head, int64_t begin, int64_t end) {
        for (int64_t i = 0; i < s.E; i++) for (int64_t j = begin; j < end; j++)
            turned[i * s.S + j - begin] = rows[j * 3 * s.HE + part * s.HE + head * s.E + i];
        return turned;
    }
    void forward(const Weights& w, const float* from) {
        for (int64_t m = 0; m < count(); m++) memcpy(x + m * s.D, from + places[m] * s.d, s.d * 4);
        normalise(w, 0, x, straight, normal, size.data());
        memset(qkv, 0, count() * 3 * s.HE * 4);
        gemm(normal, s.D, w.in.data, w.ld_in, qkv, 3 * s.HE, count(), 3 * s.HE, s.d);
        memset(found, 0, count() * s.HE * 4);
        memset(shares, 0, count() * s.heads * s.S * 4);
        for (size_t q = 0; q + 1 < begins.size(); q++) for (int64_t h = 0; h < s.heads; h++) {
            const int64_t begin = begins[q], end = begins[q + 1], keys = this->keys[q], ld = s.heads * s.S;
            float* share = shares + (begin * s.heads + h) * s.S;
            gemm(qkv + begin * 3 * s.HE + h * s.E, 3 * s.HE, turn(qkv, 1, h, begin, begin + keys), s.S, share, ld,
                 end - begin, padded(keys), s.of_head);
            for (int64_t m = begin; m < end; m++, share += ld) {
                float most = -INFINITY, total = 0;
                for (int64_t j = 0; j < keys; j++) most = std::max(most, share[j]);
                for (int64_t j = 0; j < keys; j += W) at(share + j) = exp_((at(share + j) - most) * s.scale);
                for (int64_t j = 0; j < keys; j++) total += share[j];
                for (int64_t j = 0; j < keys; j++) share[j] /= total;
                for (int64_t j = keys; j < padded(keys); j++) share[j] = 0;
            }
            gemm(shares + (begin * s.heads + h) * s.S, ld, qkv + begin * 3 * s.HE + 2 * s.HE + h * s.E, 3 * s.HE,
                 found + begin * s.HE + h * s.E, s.HE, end - begin, s.E, keys);
        }
        memset(middle, 0, count() * s.D * 4);
        gemm(found, s.HE, w.out.data, w.ld_out, middle, s.D, count(), s.D, s.HE);
        add(x, middle, 0, middle);
        normalise(w, 1, middle, straight_2, normal_2, size_2.data());
        for (int64_t m = 0; m < count(); m++) memcpy(hidden + m * s.F, w.b_1.data, s.F * 4);
        gemm(normal_2, s.D, w.first.data, w.ld_first, hidden, s.F, count(), s.F, s.d);
        for (int64_t i = 0; i < count() * s.F; i += W) at(hidden + i) = larger(at(hidden + i), all(0));
        for (int64_t m = 0; m < count(); m++) memcpy(y + m * s.D, w.b_2.data, s.D * 4);
        gemm(hidden, s.F, w.second.data, w.ld_second, y, s.D, count(), s.D, s.f);
        add(middle, y, 1, y);
    }
};

// -> y (N, T, d), attention of the last token (N, T), the mean of the heads
extern "C" void layer_forward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t* numbers) {
    const Sizes s(t, numbers);
    each_restart(restarts, threads, [&](int64_t r) {
        const Weights w(s, t, r, true);
        Tokens tokens(s, t[12].data);
        float *y = t[13].floats(r), *attention = t[14].floats(r);
        memset(y, 0, s.N * s.T * s.d * 4);
        memset(attention, 0, s.N * s.T * 4);
        tokens.each(t, r, [&] {
            tokens.forward(w, t[0].floats(r));
            for (int64_t m = 0; m < tokens.count(); m++)
                memcpy(y + tokens.places[m] * s.d, tokens.y + m * s.D, s.d * 4);
            for (size_t q = 0; q + 1 < tokens.begins.size(); q++) {
                const int64_t begin = tokens.begins[q], last = tokens.begins[q + 1] - 1;
                for (int64_t h = 0; h < s.heads; h++) for (int64_t j = begin; j < begin + tokens.keys[q]; j++)
                    attention[tokens.places[j]] += tokens.shares[(last * s.heads + h) * s.S + j - begin] / s.heads;
            }
        });
    });
}

// (..., y, attention, grad of y, of attention)
// -> grad of x, gain, shift, W_Q, W_K, W_V, W_O, W_1, b_1, W_2, b_2
extern "C" void layer_backward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t* numbers) {
    const Sizes s(t, numbers);
    each_restart(restarts, threads, [&](int64_t r) {
        const Weights w(s, t, r, true), back(s, t, r, false);
        Tokens tokens(s, t[12].data);
        const int64_t most = tokens.most(), ld = s.heads * s.S;
        Buffer of_y(most * s.D), of_hidden(most * s.F), of_normal(most * s.D), of_found(most * s.HE);
        Buffer of_qkv(most * 3 * s.HE), of_shares(most * s.S), of_gain(2 * s.D), of_shift(2 * s.D), of_b(s.F + s.D);
        Buffer of_in(s.D * w.ld_in), of_out(s.HE * w.ld_out), of_first(s.D * w.ld_first), of_second(s.F * w.ld_second);
        const float *grad = t[15].floats(r), *of_attention = t[16].floats(r);
        tokens.each(t, r, [&] {
            const int64_t count = tokens.count();
            tokens.forward(w, t[0].floats(r));
            memset(of_y, 0, count * s.D * 4);
            for (int64_t m = 0; grad && m < count; m++)
                memcpy(of_y + m * s.D, grad + tokens.places[m] * s.d, s.d * 4);
            const float* of_found_2 = tokens.times_kept(of_y, 1);
            outer(tokens.hidden, s.F, of_found_2, s.D, of_second, w.ld_second, s.f, s.D, count);
            memset(of_hidden, 0, count * s.F * 4);
            gemm(of_found_2, s.D, back.second.data, back.ld_second, of_hidden, s.F, count, s.F, s.d);
            for (int64_t m = 0; m < count; m++) {
                for (int64_t i = 0; i < s.F; i += W) {
                    vec g = at(tokens.hidden + m * s.F + i) > 0 ? at(of_hidden + m * s.F + i) : all(0);
                    at(of_hidden + m * s.F + i) = g;
                    at(of_b + i) += g;
                }
                for (int64_t i = 0; i < s.D; i += W) at(of_b + s.F + i) += at(of_found_2 + m * s.D + i);
            }
            outer(tokens.normal_2, s.D, of_hidden, s.F, of_first, w.ld_first, s.d, s.F, count);
            memset(of_normal, 0, count * s.D * 4);
            gemm(of_hidden, s.F, back.first.data, back.ld_first, of_normal, s.D, count, s.D, s.f);
            tokens.normalise_backward(w, 1, tokens.straight_2, tokens.size_2.data(), of_normal, of_y, of_gain,
                                      of_shift);
            const float* of_found_1 = tokens.times_kept(of_y, 0);
            outer(tokens.found, s.HE, of_found_1, s.D, of_out, w.ld_out, s.HE, s.D, count);
            memset(of_found, 0, count * s.HE * 4);
            gemm(of_found_1, s.D, back.out.data, back.ld_out, of_found, s.HE, count, s.HE, s.d);
            memset(of_qkv, 0, count * 3 * s.HE * 4);
            for (size_t q = 0; q + 1 < tokens.begins.size(); q++) for (int64_t h = 0; h < s.heads; h++) {
                const int64_t begin = tokens.begins[q], end = tokens.begins[q + 1], keys = tokens.keys[q];
                const float* share = tokens.shares + (begin * s.heads + h) * s.S;
                const float* of_head = of_found + begin * s.HE + h * s.E;
                float* of_q = of_qkv + begin * 3 * s.HE + h * s.E;
                memset(of_shares, 0, (end - begin) * s.S * 4);
                gemm(of_head, s.HE, tokens.turn(tokens.qkv, 2, h, begin, begin + keys), s.S, of_shares, s.S, end - begin,
                     padded(keys), s.of_head);
                outer(share, ld, of_head, s.HE, of_q + 2 * s.HE, 3 * s.HE, keys, s.E, end - begin);
                for (int64_t m = 0; m < end - begin; m++) {
                    float* slope = of_shares + m * s.S;
                    if (of_attention && m + 1 == end - begin)
                        for (int64_t j = 0; j < keys; j++) slope[j] += of_attention[tokens.places[begin + j]] / s.heads;
                    vec along = {};
                    for (int64_t j = 0; j < keys; j += W) along += at(slope + j) * at(share + m * ld + j);
                    const float mean = sum(along);
                    for (int64_t j = 0; j < keys; j += W)
                        at(slope + j) = at(share + m * ld + j) * (at(slope + j) - mean) * s.scale;
                }
                const float* q_k = tokens.qkv + begin * 3 * s.HE + h * s.E;
                gemm(of_shares, s.S, q_k + s.HE, 3 * s.HE, of_q, 3 * s.HE, end - begin, s.E, keys);
                outer(of_shares, s.S, q_k, 3 * s.HE, of_q + s.HE, 3 * s.HE, keys, s.E, end - begin);
            }
            outer(tokens.normal, s.D, of_qkv, 3 * s.HE, of_in, w.ld_in, s.d, 3 * s.HE, count);
            memset(of_normal, 0, count * s.D * 4);
            gemm(of_qkv, 3 * s.HE, back.in.data, back.ld_in, of_normal, s.D, count, s.D, 3 * s.HE);
            tokens.normalise_backward(w, 0, tokens.straight, tokens.size.data(), of_normal, of_y, of_gain, of_shift);
            for (int64_t m = 0; m < count; m++)
                memcpy(t[17].floats(r) + tokens.places[m] * s.d, of_y + m * s.D, s.d * 4);
        });
        unpack(t[18].floats(r), s.d, of_gain, s.D, 2);
        unpack(t[19].floats(r), s.d, of_shift, s.D, 2);
        for (int64_t h = 0; h < s.heads; h++) for (int64_t i = 0; i < s.of_head; i++) {
            const int64_t row = h * s.of_head + i, place = h * s.E + i;
            for (int64_t k = 0; k < s.d; k++) {
                for (int64_t part = 0; part < 3; part++)
                    t[20 + part].floats(r)[row * s.d + k] = of_in[k * w.ld_in + part * s.HE + place];
                t[23].floats(r)[k * s.d + row] = of_out[place * w.ld_out + k];
            }
        }
        for (int64_t o = 0; o < s.f; o++) for (int64_t k = 0; k < s.d; k++) {
            t[24].floats(r)[o * s.d + k] = of_first[k * w.ld_first + o];
            t[26].floats(r)[k * s.f + o] = of_second[o * w.ld_second + k];
        }
        memcpy(t[25].floats(r), of_b, s.f * 4);
        memcpy(t[27].floats(r), of_b + s.F, s.d * 4);
    });
}
