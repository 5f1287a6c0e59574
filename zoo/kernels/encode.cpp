// Sentences as sums of word vectors, a weight for each place and dimension; the empty word is left out.
#include "common.h"

// f(words of this table, the weights of place j, word) for every word of sentence u that is there
template <typename F> static inline void each_word(const int64_t* sentence, int64_t J, F f) {
    for (int64_t j = 0; j < J; j++) if (sentence[j]) f(j, sentence[j]);
}

// (sentences (U, J), words (K, V, d), constant (J, d) or none, masks (J, d) or none) -> sums (K, U, d)
extern "C" void encode_forward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t*) {
    const int64_t U = t[0].size[0], J = t[0].size[1], K = t[1].size[0], V = t[1].size[1], d = t[1].size[2];
    each_restart(restarts, threads, [&](int64_t r) {
        const float* weights = t[2].data ? t[2].floats(r) : t[3].floats(r);
        for (int64_t k = 0; k < K; k++) {
            const float* words = t[1].floats(r) + k * V * d;
            for (int64_t u = 0; u < U; u++) {
                float* __restrict sums = t[4].floats(r) + (k * U + u) * d;
                memset(sums, 0, d * 4);
                each_word(t[0].ints(r) + u * J, J, [&](int64_t j, int64_t word) {
                    const float* x = words + word * d;
                    if (weights) {
                        const float* f = weights + j * d;
                        for (int64_t i = 0; i < d; i++) sums[i] += f[i] * x[i];
                    } else {
                        for (int64_t i = 0; i < d; i++) sums[i] += x[i];
                    }
                });
            }
        }
    });
}

// (sentences, words, constant, masks, sums, grad of sums) -> grad of words, of masks
extern "C" void encode_backward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t*) {
    const int64_t U = t[0].size[0], J = t[0].size[1], K = t[1].size[0], V = t[1].size[1], d = t[1].size[2];
    if (!t[5].data) return;
    each_restart(restarts, threads, [&](int64_t r) {
        const float *constant = t[2].floats(r), *masks = t[3].floats(r);
        float* of_masks = t[7].floats(r);
        for (int64_t k = 0; k < K; k++) {
            const float* words = t[1].floats(r) + k * V * d;
            float* of_words = t[6].floats(r) + k * V * d;
            for (int64_t u = 0; u < U; u++) {
                const float* grad = t[5].floats(r) + (k * U + u) * d;
                each_word(t[0].ints(r) + u * J, J, [&](int64_t j, int64_t word) {
                    const float* x = words + word * d;
                    float* __restrict dx = of_words + word * d;
                    if (masks) {
                        const float* f = masks + j * d;
                        float* __restrict df = of_masks + j * d;
                        for (int64_t i = 0; i < d; i++) dx[i] += f[i] * grad[i];
                        for (int64_t i = 0; i < d; i++) df[i] += x[i] * grad[i];
                    } else if (constant) {
                        const float* f = constant + j * d;
                        for (int64_t i = 0; i < d; i++) dx[i] += f[i] * grad[i];
                    } else {
                        for (int64_t i = 0; i < d; i++) dx[i] += grad[i];
                    }
                });
            }
        }
    });
}
