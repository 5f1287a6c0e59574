// Fast weights: what questions find at a key of a story's memory, and which sentences wrote it; forward and backward.
#include "common.h"

struct Sizes {
    int64_t B, T, N, E, Q, I, writes, lE, lQ;  // stories, sentences, questions; of a write; writes of a story; padded
    explicit Sizes(const Tensor* t)
        : B(t[2].size[0]), T(t[2].size[1]), N(t[3].size[0]), E(t[5].size[1]), Q(t[6].size[1]), I(t[1].size[1]),
          writes(T ? I / T : 1), lE(padded(E)), lQ(padded(Q)) {}
};

// Calls f(writes heard, number of the question) for every question, story after story, with the story's rows loaded.
struct Story {
    const Sizes& z;
    Buffer e, r, D;
    explicit Story(const Sizes& z) : z(z), e(z.I * z.lE), r(z.I * z.lQ), D(z.I * z.lE) {}
    template <typename F, typename G> void each(const Tensor* t, int64_t restart, F f, G done) {
        const int64_t *story = t[3].ints(restart), *told = t[4].ints(restart);
        std::vector<std::vector<int64_t>> of(z.B);
        for (int64_t n = 0; n < z.N; n++) if (told[n]) of[story[n]].push_back(n);
        for (int64_t b = 0; b < z.B; b++) {
            int64_t most = 0;
            for (int64_t n : of[b]) most = std::max(most, told[n] * z.writes);
            for (int64_t i = 0; i < most; i++) {
                const float* key = t[0].floats(restart) + row(t, restart, b, i);
                memcpy(e + i * z.lE, key, z.E * 4);
                memcpy(r + i * z.lQ, key + z.E, z.Q * 4);
            }
            pack(D, z.lE, t[1].floats(restart) + b * z.I * z.E, z.E, most);
            for (int64_t n : of[b]) f(told[n] * z.writes, n);
            done(b, most);
        }
    }
    // Where in the table of keys write i of story b stands.
    int64_t row(const Tensor* t, int64_t restart, int64_t b, int64_t i) const {
        return (t[2].ints(restart)[b * z.T + i / z.writes] * z.writes + i % z.writes) * (z.E + z.Q);
    }
};

// (keys (U, writes (E + Q)), D (B, I, E), stories (B, T), story, told (N,), entity (N, E), relation (N, Q))
//  -> found (N, E), parts (N, T)
extern "C" void find_forward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t*) {
    const Sizes z(t);
    each_restart(restarts, threads, [&](int64_t r) {
        Story story(z);
        Buffer q(z.lE), p(z.lQ), score(z.I), found(z.lE);
        float *out = t[7].floats(r), *parts = t[8].floats(r);
        memset(out, 0, z.N * z.E * 4);
        memset(parts, 0, z.N * z.T * 4);
        auto answer = [&](int64_t heard, int64_t n) {
            memcpy(q, t[5].floats(r) + n * z.E, z.E * 4);
            memcpy(p, t[6].floats(r) + n * z.Q, z.Q * 4);
            found.clear();
            for (int64_t i = 0; i < heard; i++) {
                const float by = dot(story.e + i * z.lE, q, z.lE) * dot(story.r + i * z.lQ, p, z.lQ);
                for (int64_t k = 0; k < z.lE; k += W) at(found + k) += by * at(story.D + i * z.lE + k);
                score[i] = by;
            }
            memcpy(out + n * z.E, found, z.E * 4);
            const float length = std::max(dot(found, found, z.lE), 1e-12f);
            for (int64_t i = 0; i < heard; i++)
                parts[n * z.T + i / z.writes] += score[i] * dot(story.D + i * z.lE, found, z.lE) / length;
        };
        story.each(t, r, answer, [](int64_t, int64_t) {});
    });
}

// (the inputs, the outputs, grad of found, grad of parts, which counts for nothing) -> grad of keys, D, entity, relation
extern "C" void find_backward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t*) {
    const Sizes z(t);
    if (!t[9].data) return;
    each_restart(restarts, threads, [&](int64_t r) {
        Story story(z);
        Buffer q(z.lE), p(z.lQ), of(z.lE), dq(z.lE), dp(z.lQ), de(z.I * z.lE), dr(z.I * z.lQ), dD(z.I * z.lE);
        auto answer = [&](int64_t heard, int64_t n) {
            memcpy(q, t[5].floats(r) + n * z.E, z.E * 4);
            memcpy(p, t[6].floats(r) + n * z.Q, z.Q * 4);
            memcpy(of, t[9].floats(r) + n * z.E, z.E * 4);
            dq.clear();
            dp.clear();
            for (int64_t i = 0; i < heard; i++) {
                const float *e = story.e + i * z.lE, *rel = story.r + i * z.lQ, *D = story.D + i * z.lE;
                float *dei = de + i * z.lE, *dri = dr + i * z.lQ, *dDi = dD + i * z.lE;
                const float by_e = dot(e, q, z.lE), by_r = dot(rel, p, z.lQ), along = dot(D, of, z.lE);
                const float of_e = along * by_r, of_r = along * by_e, score = by_e * by_r;
                for (int64_t k = 0; k < z.lE; k += W) {
                    at(dDi + k) += score * at(of + k);
                    at(dq + k) += of_e * at(e + k);
                    at(dei + k) += of_e * at(q + k);
                }
                for (int64_t k = 0; k < z.lQ; k += W) {
                    at(dp + k) += of_r * at(rel + k);
                    at(dri + k) += of_r * at(p + k);
                }
            }
            memcpy(t[13].floats(r) + n * z.E, dq, z.E * 4);
            memcpy(t[14].floats(r) + n * z.Q, dp, z.Q * 4);
        };
        auto done = [&](int64_t b, int64_t most) {
            for (int64_t i = 0; i < most; i++) {
                float* of_key = t[11].floats(r) + story.row(t, r, b, i);
                for (int64_t k = 0; k < z.E; k++) of_key[k] += de[i * z.lE + k];
                for (int64_t k = 0; k < z.Q; k++) of_key[z.E + k] += dr[i * z.lQ + k];
            }
            unpack(t[12].floats(r) + b * z.I * z.E, z.E, dD, z.lE, most);
            memset(de, 0, most * z.lE * 4);
            memset(dr, 0, most * z.lQ * 4);
            memset(dD, 0, most * z.lE * 4);
        };
        story.each(t, r, answer, done);
    });
}
