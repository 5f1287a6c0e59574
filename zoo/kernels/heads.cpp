// Attention of several heads over the memories of a question, with keys tanh(W_h m): forward, and backward by hand.
#include "common.h"

// (memory (N, T, d), u (N, d), W_head (H d, d), seen (N, T)) of a restart
struct Sizes {
    int64_t N, T, d, D, H, HD;
    float scale;
    explicit Sizes(const Tensor* t)
        : N(t[0].size[0]), T(t[0].size[1]), d(t[0].size[2]), D(padded(d)), H(t[2].size[0] / d), HD(H * D),
          scale(1 / std::sqrt(float(d))) {}
};

// The memories of a question that are seen, in padded rows.
struct Seen {
    Buffer rows;
    std::vector<int64_t> places;
    explicit Seen(const Sizes& s) : rows(s.T * s.D) {}
    void look(const Sizes& s, const Tensor* t, int64_t r, int64_t n) {
        places.clear();
        for (int64_t i = 0; i < s.T; i++) if (t[3].bools(r)[n * s.T + i]) {
            memcpy(rows + places.size() * s.D, t[0].floats(r) + (n * s.T + i) * s.d, s.d * 4);
            places.push_back(i);
        }
    }
    int64_t count() const { return int64_t(places.size()); }
};

// -> z (N, H d), a (N, H, T), keys (N, T, H D) kept
extern "C" void heads_forward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t*) {
    const Sizes s(t);
    each_restart(restarts, threads, [&](int64_t r) {
        const int64_t ld = s.HD + W;
        Buffer maps(s.d * ld), own(t[6].data ? 0 : s.T * s.HD), u(s.D), z(s.HD), scores(s.T);
        for (int64_t h = 0; h < s.H; h++)
            pack_transposed(maps + h * s.D, ld, t[2].floats(r) + h * s.d * s.d, s.d, s.d);
        memset(t[5].floats(r), 0, s.N * s.H * s.T * 4);
        Seen seen(s);
        for (int64_t n = 0; n < s.N; n++) {
            seen.look(s, t, r, n);
            float *keys = t[6].data ? t[6].floats(r) + n * s.T * s.HD : own.data, *a = t[5].floats(r) + n * s.H * s.T;
            memset(keys, 0, seen.count() * s.HD * 4);
            gemm(seen.rows, s.D, maps, ld, keys, s.HD, seen.count(), s.HD, s.d);
            memcpy(u, t[1].floats(r) + n * s.d, s.d * 4);
            z.clear();
            for (int64_t i = 0; i < seen.count() * s.HD; i += W) at(keys + i) = tanh_(at(keys + i));
            for (int64_t h = 0; h < s.H; h++) {
                float most = -INFINITY, total = 0;
                for (int64_t m = 0; m < seen.count(); m++) {
                    vec product = {};
                    for (int64_t i = 0; i < s.D; i += W) product += at(keys + m * s.HD + h * s.D + i) * at(u + i);
                    scores[m] = sum(product) * s.scale;
                    most = std::max(most, scores[m]);
                }
                for (int64_t m = 0; m < seen.count(); m += W) {
                    at(scores + m) = exp_(at(scores + m) - most);
                    for (int64_t i = m; i < std::min(m + W, seen.count()); i++) total += scores[i];
                }
                for (int64_t m = 0; m < seen.count(); m++) {
                    const float share = a[h * s.T + seen.places[m]] = scores[m] / total;
                    for (int64_t i = 0; i < s.D; i += W) at(z + h * s.D + i) += share * at(seen.rows + m * s.D + i);
                }
            }
            unpack(t[4].floats(r) + n * s.H * s.d, s.d, z, s.D, s.H);
        }
    });
}

// (..., z, a, keys, grad of z, of a) -> grad of memory, u, W_head
extern "C" void heads_backward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t*) {
    const Sizes s(t);
    each_restart(restarts, threads, [&](int64_t r) {
        const int64_t ld = s.D + W, lo = s.HD + W;
        Buffer maps(s.HD * ld), of_maps(s.D * lo), u(s.D), of_u(s.D), of_z(s.HD), slopes(s.T * s.HD);
        Buffer of_rows(s.T * s.D), of_scores(s.T);
        for (int64_t h = 0; h < s.H; h++) pack(maps + h * s.D * ld, ld, t[2].floats(r) + h * s.d * s.d, s.d, s.d);
        Seen seen(s);
        for (int64_t n = 0; n < s.N; n++) {
            seen.look(s, t, r, n);
            const float *keys = t[6].floats(r) + n * s.T * s.HD, *a = t[5].floats(r) + n * s.H * s.T;
            const float* of_a = t[8].data ? t[8].floats(r) + n * s.H * s.T : nullptr;
            memcpy(u, t[1].floats(r) + n * s.d, s.d * 4);
            if (t[7].data) pack(of_z, s.D, t[7].floats(r) + n * s.H * s.d, s.d, s.H);
            of_u.clear();
            of_rows.clear();
            for (int64_t h = 0; h < s.H; h++) {
                float mean = 0;
                for (int64_t m = 0; m < seen.count(); m++) {
                    const float share = a[h * s.T + seen.places[m]];
                    vec product = {};
                    for (int64_t i = 0; i < s.D; i += W) {
                        product += at(of_z + h * s.D + i) * at(seen.rows + m * s.D + i);
                        at(of_rows + m * s.D + i) += share * at(of_z + h * s.D + i);
                    }
                    of_scores[m] = sum(product) + (of_a ? of_a[h * s.T + seen.places[m]] : 0);
                    mean += share * of_scores[m];
                }
                for (int64_t m = 0; m < seen.count(); m++) {
                    const vec g = all(a[h * s.T + seen.places[m]] * (of_scores[m] - mean) * s.scale);
                    for (int64_t i = 0; i < s.D; i += W) {
                        vec key = at(keys + m * s.HD + h * s.D + i);
                        at(of_u + i) += g * key;
                        at(slopes + m * s.HD + h * s.D + i) = g * at(u + i) * (1.0f - key * key);
                    }
                }
            }
            gemm(slopes, s.HD, maps, ld, of_rows, s.D, seen.count(), s.D, s.HD);
            outer(seen.rows, s.D, slopes, s.HD, of_maps, lo, s.d, s.HD, seen.count());
            memset(t[9].floats(r) + n * s.T * s.d, 0, s.T * s.d * 4);
            for (int64_t m = 0; m < seen.count(); m++)
                memcpy(t[9].floats(r) + (n * s.T + seen.places[m]) * s.d, of_rows + m * s.D, s.d * 4);
            memcpy(t[10].floats(r) + n * s.d, of_u, s.d * 4);
        }
        for (int64_t h = 0; h < s.H; h++) for (int64_t o = 0; o < s.d; o++) for (int64_t k = 0; k < s.d; k++)
            t[11].floats(r)[(h * s.d + o) * s.d + k] = of_maps[k * lo + h * s.D + o];
    });
}
