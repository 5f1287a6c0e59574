// A walk over memories, each of which may take the place of the best so far.
#include "common.h"

// (match, younger, place, there (B, M), times (B, 3)) -> winner (B,). The sum has the order of the plain form, so that
// ties fall alike: its products are with zero or one, and nothing may be reordered.
__attribute__((optimize("no-associative-math"))) static int64_t
walk_one(const float* match, const bool* younger, const float* place, const bool* there, const float* times, int64_t n) {
    int64_t winner = 0;
    for (int64_t other = 1; other < n; other++) {
        if (!there[other]) continue;
        float timed = younger[winner] ? times[0] : 0.0f;
        timed += younger[other] ? times[1] : 0.0f;
        timed += place[winner] < place[other] ? times[2] : 0.0f;
        float gain = match[winner] - match[other];
        gain += timed;
        if (gain < 0) winner = other;
    }
    return winner;
}

extern "C" void walk_forward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t* numbers) {
    const int64_t B = t[0].size[0], M = t[0].size[1], n = numbers[0];
    each_restart(restarts, threads, [&](int64_t r) {
        for (int64_t b = 0; b < B; b++)
            t[5].floats(r)[b] = (float)walk_one(
                t[0].floats(r) + b * M, t[1].bools(r) + b * M, t[2].floats(r) + b * M, t[3].bools(r) + b * M,
                t[4].floats(r) + b * 3, n);
    });
}

extern "C" void walk_backward(int64_t, int64_t, const Tensor*, const int64_t*) {}
