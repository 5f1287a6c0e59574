// Sentences as sums of word vectors: sums[u] = sum_j masks[j] * words[sentences[u][j]], the empty word left out.
#include "common.h"

// (sentences (U, J), words (V, d), masks (J, d)) -> sums (U, d)
extern "C" void encode_forward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t*) {
    const int64_t U = t[0].size[0], J = t[0].size[1], d = t[1].size[1];
    each_restart(restarts, threads, [&](int64_t r) {
        const int64_t* sentence = t[0].ints(r);
        const float *words = t[1].floats(r), *masks = t[2].floats(r);
        float* __restrict sums = t[3].floats(r);
        memset(sums, 0, U * d * 4);
        for (int64_t u = 0; u < U; u++, sums += d)
            for (int64_t j = 0; j < J; j++) {
                const int64_t word = sentence[u * J + j];
                if (!word) continue;
                const float *x = words + word * d, *f = masks + j * d;
                for (int64_t i = 0; i < d; i++) sums[i] += f[i] * x[i];
            }
    });
}

// (sentences, words, masks, sums, grad of sums) -> grad of words, of masks
extern "C" void encode_backward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t*) {
    const int64_t U = t[0].size[0], J = t[0].size[1], d = t[1].size[1];
    if (!t[4].data) return;
    each_restart(restarts, threads, [&](int64_t r) {
        const int64_t* sentence = t[0].ints(r);
        const float *words = t[1].floats(r), *masks = t[2].floats(r), *grad = t[4].floats(r);
        float *of_words = t[5].floats(r), *of_masks = t[6].floats(r);
        for (int64_t u = 0; u < U; u++, grad += d)
            for (int64_t j = 0; j < J; j++) {
                const int64_t word = sentence[u * J + j];
                if (!word) continue;
                const float *x = words + word * d, *f = masks + j * d;
                float *__restrict dx = of_words + word * d, *__restrict df = of_masks + j * d;
                for (int64_t i = 0; i < d; i++) {
                    dx[i] += f[i] * grad[i];
                    df[i] += x[i] * grad[i];
                }
            }
    });
}
