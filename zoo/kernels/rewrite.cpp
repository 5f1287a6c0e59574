// EntNet's slots, all rewritten by every sentence of a story: eq. 2 to 5 of the paper, forward and backward.
#include "common.h"

struct Sizes {
    int64_t B, T, S, d, N, width, ld;  // stories, sentences, slots, dimensions, questions; of a row of features, padded d
    explicit Sizes(const Tensor* t)
        : B(t[1].size[0]), T(t[1].size[1]), S(t[4].size[0]), d(t[4].size[1]), N(t[2].size[0]), width(t[0].size[1]),
          ld((d + 15) / 16 * 16) {}
};

// The questions of each story by the time at which they are asked; what is told after the last one is not read.
struct Asked {
    std::vector<std::vector<std::pair<int64_t, int64_t>>> of;  // of each story: the last sentence told, the question
    Asked(const Sizes& z, const int64_t* story, const int64_t* told) : of(z.B) {
        for (int64_t n = 0; n < z.N; n++) of[story[n]].emplace_back(told[n] > 0 ? told[n] - 1 : 0, n);
        for (auto& some : of) std::sort(some.begin(), some.end());
    }
    int64_t sentences(int64_t b) const { return of[b].empty() ? 0 : of[b].back().first + 1; }
};

// (features (U, 2d + S): s, W s and s^T w_j with the bias of the gate; stories (B, T); story, told (N,); w, key (S, d);
//  U (d, d); slope (d,)) -> asked (N, S, d), gates (B, T, S); kept: states (B, T + 1, S, ld), candidates (B, T, S, ld)
//  before phi, norms (B, T, S)
extern "C" void rewrite_forward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t*) {
    const Sizes z(t);
    const int64_t S = z.S, d = z.d, ld = z.ld, all_slots = S * ld;
    each_restart(restarts, threads, [&](int64_t r) {
        const float* features = t[0].floats(r);
        const int64_t* stories = t[1].ints(r);
        Buffer U(d * ld), key(all_slots), w(all_slots), slope(ld), s(ld), Ws(ld), scratch(3 * all_slots);
        pack(w, ld, t[4].floats(r), d, S);
        pack(key, ld, t[5].floats(r), d, S);
        pack_transposed(U, ld, t[6].floats(r), d, d);
        pack(slope, ld, t[7].floats(r), d, 1);
        float *asked = t[8].floats(r), *gates = t[9].floats(r);
        const bool keep = t[10].size[0];
        memset(gates, 0, z.B * z.T * S * 4);
        const Asked questions(z, t[2].ints(r), t[3].ints(r));
        for (int64_t b = 0; b < z.B; b++) {
            float* h = keep ? t[10].floats(r) + b * (z.T + 1) * all_slots : scratch;
            memcpy(h, w, all_slots * 4);
            auto next = questions.of[b].begin();
            for (int64_t time = 0; time < questions.sentences(b); time++) {
                const int64_t place = b * z.T + time;
                float* a = keep ? t[11].floats(r) + place * all_slots : scratch + 2 * all_slots;
                float* after = keep ? h + all_slots : scratch + (time % 2 ? 0 : all_slots);
                const float* f = features + stories[place] * z.width;
                memcpy(s, f, d * 4);
                memcpy(Ws, f + d, d * 4);
                for (int64_t j = 0; j < S; j++)
                    for (int64_t i = 0; i < ld; i += W) at(a + j * ld + i) = at(key + j * ld + i) + at(Ws + i);
                gemm(h, ld, U, ld, a, ld, S, ld, d);
                for (int64_t j = 0; j < S; j++) {
                    const float *hj = h + j * ld, *aj = a + j * ld;
                    float* x = after + j * ld;
                    vec dot{}, square{};
                    for (int64_t i = 0; i < ld; i += W) dot += at(hj + i) * at(s + i);
                    const float g = sigmoid(sum(dot) + f[2 * d + j]);  // eq. 2
                    for (int64_t i = 0; i < ld; i += W) {
                        const vec candidate = at(aj + i) > 0 ? at(aj + i) : at(slope + i) * at(aj + i);  // eq. 3
                        const vec moved = at(hj + i) + g * candidate;  // eq. 4
                        square += moved * moved;
                        at(x + i) = moved;
                    }
                    const float norm = std::max(std::sqrt(sum(square)), 1e-8f);
                    for (int64_t i = 0; i < ld; i += W) at(x + i) *= 1 / norm;  // eq. 5
                    gates[place * S + j] = g;
                    if (keep) t[12].floats(r)[place * S + j] = norm;
                }
                h = after;
                for (; next != questions.of[b].end() && next->first == time; ++next)
                    unpack(asked + next->second * S * d, d, h, ld, S);
            }
        }
    });
}

// (the inputs, the outputs, grad of asked, grad of gates) -> grad of features, w, key, U, slope
extern "C" void rewrite_backward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t*) {
    const Sizes z(t);
    const int64_t S = z.S, d = z.d, ld = z.ld, all_slots = S * ld;
    if (!t[13].data) return;
    each_restart(restarts, threads, [&](int64_t r) {
        const float* features = t[0].floats(r);
        const int64_t* stories = t[1].ints(r);
        const float *gates = t[9].floats(r), *norms = t[12].floats(r), *of_asked = t[13].floats(r);
        float* of_features = t[15].floats(r);
        Buffer U(d * ld), slope(ld), s(ld), dU(d * ld), dkey(all_slots), dw(all_slots), dslope(ld), dh(all_slots),
            da(all_slots), ds(ld), dWs(ld), dv(ld);
        pack(U, ld, t[6].floats(r), d, d);
        pack(slope, ld, t[7].floats(r), d, 1);
        const Asked questions(z, t[2].ints(r), t[3].ints(r));
        for (int64_t b = 0; b < z.B; b++) {
            dh.clear();
            auto next = questions.of[b].rbegin();
            for (int64_t time = questions.sentences(b) - 1; time >= 0; time--) {
                for (; next != questions.of[b].rend() && next->first == time; ++next)
                    for (int64_t j = 0; j < S; j++)
                        for (int64_t i = 0; i < d; i++) dh[j * ld + i] += of_asked[(next->second * S + j) * d + i];
                const int64_t place = b * z.T + time, row = stories[place] * z.width;
                const float* h = t[10].floats(r) + (b * (z.T + 1) + time) * all_slots;
                const float *after = h + all_slots, *a = t[11].floats(r) + place * all_slots;
                memcpy(s, features + row, d * 4);
                ds.clear();
                dWs.clear();
                for (int64_t j = 0; j < S; j++) {
                    const float *hj = h + j * ld, *nj = after + j * ld, *aj = a + j * ld;
                    float *dhj = dh + j * ld, *daj = da + j * ld, *dkj = dkey + j * ld;
                    const float g = gates[place * S + j], norm = norms[place * S + j];
                    vec along{}, of_gate{};
                    for (int64_t i = 0; i < ld; i += W) along += at(nj + i) * at(dhj + i);
                    const float out = norm > 1e-8f ? sum(along) : 0;  // a norm that is clamped is a constant
                    for (int64_t i = 0; i < ld; i += W) {
                        const vec moved = (at(dhj + i) - out * at(nj + i)) * (1 / norm), x = at(aj + i);
                        const vec negative = x > 0 ? vec{} : x, steep = x > 0 ? all(1) : at(slope + i);
                        of_gate += moved * steep * x;
                        at(dslope + i) += g * moved * negative;
                        const vec inner = g * moved * steep;
                        at(daj + i) = inner;
                        at(dWs + i) += inner;
                        at(dkj + i) += inner;
                        at(dv + i) = moved;
                    }
                    const float dg = sum(of_gate) * g * (1 - g);
                    of_features[row + 2 * d + j] += dg;
                    for (int64_t i = 0; i < ld; i += W) {
                        at(ds + i) += dg * at(hj + i);
                        at(dhj + i) = at(dv + i) + dg * at(s + i);
                    }
                }
                for (int64_t i = 0; i < d; i++) {
                    of_features[row + i] += ds[i];
                    of_features[row + d + i] += dWs[i];
                }
                gemm(da, ld, U, ld, dh, ld, S, ld, d);
                outer(da, ld, h, ld, dU, ld, d, ld, S);
            }
            for (int64_t i = 0; i < all_slots; i++) dw[i] += dh[i];
        }
        unpack(t[16].floats(r), d, dw, ld, S);
        unpack(t[17].floats(r), d, dkey, ld, S);
        unpack(t[18].floats(r), d, dU, ld, d);
        unpack(t[19].floats(r), d, dslope, ld, 1);
    });
}
