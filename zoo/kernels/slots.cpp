// What batches of questions are made of: the sentences of each story, and times with gaps among them.
#include "common.h"

// (facts (M,), start, kept (N,)) -> windows (N, T): `kept` facts from `start` on, then the empty sentence. With names
// (P, columns) and renamed (N,) facts are columns, and what stands there in the row `renamed` goes into the window
extern "C" void slots_windows(int64_t, int64_t, const Tensor* t, const int64_t*) {
    const int64_t *facts = t[0].ints(0), *start = t[1].ints(0), *kept = t[2].ints(0);
    const int64_t *names = t[4].ints(0), *renamed = t[5].ints(0);
    const int64_t N = t[3].size[0], T = t[3].size[1];
    for (int64_t n = 0; n < N; n++) {
        int64_t* window = (int64_t*)t[3].ints(0) + n * T;
        if (names) {
            const int64_t* name = names + renamed[n] * t[4].size[1];
            for (int64_t i = 0; i < kept[n]; i++) window[i] = name[facts[start[n] + i]];
        } else {
            memcpy(window, facts + start[n], kept[n] * 8);
        }
        memset(window + kept[n], 0, (T - kept[n]) * 8);
    }
}

// (told (N,), count (N,), place (N, most)) -> times (N, T), whose last index is T: 1 for the last sentence told, 2 for
// the one before, and one more from each of the first `count` places on
extern "C" void slots_gaps(int64_t, int64_t, const Tensor* t, const int64_t*) {
    const int64_t *told = t[0].ints(0), *count = t[1].ints(0), *place = t[2].ints(0);
    const int64_t N = t[3].size[0], T = t[3].size[1], most = t[2].size[1];
    for (int64_t n = 0; n < N; n++) {
        int64_t* __restrict times = (int64_t*)t[3].ints(0) + n * T;
        for (int64_t i = 0; i < T; i++) times[i] = std::max<int64_t>(told[n] - i, 0);
        for (int64_t k = 0; k < std::min(count[n], most); k++) {
            const int64_t here = place[n * most + k];
            for (int64_t i = 0; i < T; i++) times[i] += times[i] >= here;
        }
        for (int64_t i = 0; i < T; i++) times[i] = std::min(times[i], T);
    }
}
