// Fast weights: what every write of a story adds, each corrected by those before it; forward and backward.
#include "common.h"

struct Sizes {
    int64_t B, T, N, E, Q, writes, at_once, I;  // stories, sentences, questions; of a write; writes of a story
    int64_t lE, lQ, lI;                         // padded
    Sizes(const Tensor* t, const int64_t* numbers)
        : B(t[2].size[0]), T(t[2].size[1]), N(t[3].size[0]), E(numbers[0]), Q(t[0].size[1] / numbers[1] - E),
          writes(numbers[1]), at_once(numbers[2]), I(T * writes), lE(padded(E)), lQ(padded(Q)), lI(padded(I)) {}
};

constexpr int64_t ROWS = 24;  // writes whose products with all before them are made at once

// How many sentences of each story somebody asks about.
static std::vector<int64_t> asked(const Sizes& z, const int64_t* story, const int64_t* told) {
    std::vector<int64_t> most(z.B);
    for (int64_t n = 0; n < z.N; n++) most[story[n]] = std::max(most[story[n]], told[n]);
    return most;
}

// The vectors of a story's writes, as rows and as columns.
struct Story {
    Buffer e, r, s, e_columns, r_columns;
    explicit Story(const Sizes& z)
        : e(z.I * z.lE), r(z.I * z.lQ), s(z.I * z.lQ), e_columns(z.E * z.lI), r_columns(z.Q * z.lI) {}
    // Behind the last write columns must hold numbers, which are multiplied with nothing: zeros, or an older story's.
    void load(const Sizes& z, const float* keys, const float* wanted, const int64_t* sentences, int64_t count) {
        for (int64_t i = 0; i < count; i++) {
            const int64_t place = sentences[i / z.writes] * z.writes + i % z.writes;
            const float *key = keys + place * (z.E + z.Q), *want = wanted + place * (z.E + z.Q);
            memcpy(e + i * z.lE, key, z.E * 4);
            memcpy(r + i * z.lQ, key + z.E, z.Q * 4);
            memcpy(s + i * z.lQ, want, z.Q * 4);
            for (int64_t k = 0; k < z.E; k++) e_columns[k * z.lI + i] = key[k];
            for (int64_t k = 0; k < z.Q; k++) r_columns[k * z.lI + i] = key[z.E + k];
        }
    }
};

// Products of the keys of some writes with those of all writes before the last of them.
struct Products {
    Buffer of_e, of_r, both;  // (ROWS, lI)
    explicit Products(const Sizes& z) : of_e(ROWS * z.lI), of_r(ROWS * z.lI), both(ROWS * z.lI) {}
    void make(const Sizes& z, Story& story, int64_t begin, int64_t end) {
        const int64_t wide = padded(end);
        for (int64_t m = 0; m < end - begin; m++) {
            memset(of_e + m * z.lI, 0, wide * 4);
            memset(of_r + m * z.lI, 0, wide * 4);
        }
        gemm(story.e + begin * z.lE, z.lE, story.e_columns, z.lI, of_e, z.lI, end - begin, wide, z.E);
        gemm(story.s + begin * z.lQ, z.lQ, story.r_columns, z.lI, of_r, z.lI, end - begin, wide, z.Q);
        for (int64_t m = 0; m < end - begin; m++) {
            for (int64_t j = 0; j < wide; j += W)
                at(both + m * z.lI + j) = at(of_e + m * z.lI + j) * at(of_r + m * z.lI + j);
            cut(z, both + m * z.lI, begin + m, wide);
        }
    }
    // What does not precede write i counts for nothing.
    static void cut(const Sizes& z, float* row, int64_t i, int64_t wide) {
        for (int64_t j = i - i % z.at_once; j < wide; j++) row[j] = 0;
    }
};

// (keys (U, writes (E + Q)), wanted (U, writes (Q + E)), stories (B, T), story, told (N,)) -> D (B, I, E)
extern "C" void correct_forward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t* numbers) {
    const Sizes z(t, numbers);
    each_restart(restarts, threads, [&](int64_t r) {
        const auto most = asked(z, t[3].ints(r), t[4].ints(r));
        Story story(z);
        Products products(z);
        Buffer D(z.I * z.lE);
        float* out = t[5].floats(r);
        memset(out, 0, z.B * z.I * z.E * 4);
        for (int64_t b = 0; b < z.B; b++) {
            const int64_t count = most[b] * z.writes;
            const int64_t* sentences = t[2].ints(r) + b * z.T;
            story.load(z, t[0].floats(r), t[1].floats(r), sentences, count);
            for (int64_t begin = 0; begin < count; begin += ROWS) {
                const int64_t end = std::min(begin + ROWS, count);
                products.make(z, story, begin, end);
                for (int64_t i = begin; i < end; i++) {
                    const int64_t place = sentences[i / z.writes] * z.writes + i % z.writes;
                    memcpy(D + i * z.lE, t[1].floats(r) + place * (z.E + z.Q) + z.Q, z.E * 4);
                    float* row = products.both + (i - begin) * z.lI;
                    for (int64_t j = 0; j < end; j++) row[j] = -row[j];
                }
                gemm(products.both, z.lI, D, z.lE, D + begin * z.lE, z.lE, end - begin, z.lE, begin);
                for (int64_t i = begin; i < end; i++)
                    for (int64_t j = begin; j < i - i % z.at_once; j++) {
                        const float by = products.both[(i - begin) * z.lI + j];
                        for (int64_t k = 0; k < z.lE; k += W) at(D + i * z.lE + k) += by * at(D + j * z.lE + k);
                    }
            }
            unpack(out + b * z.I * z.E, z.E, D, z.lE, count);
        }
    });
}

// (the inputs, D, its gradient) -> grad of keys, wanted
extern "C" void correct_backward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t* numbers) {
    const Sizes z(t, numbers);
    if (!t[6].data) return;
    each_restart(restarts, threads, [&](int64_t r) {
        const auto most = asked(z, t[3].ints(r), t[4].ints(r));
        Story story(z);
        Products products(z);
        // `due` is the gradient of what a write holds; of_D that of its products with those before
        Buffer due(z.I * z.lE), D_columns(z.E * z.lI), of_D(ROWS * z.lI), de(z.I * z.lE), dr(z.I * z.lQ),
            ds(z.I * z.lQ);
        for (int64_t b = 0; b < z.B; b++) {
            const int64_t count = most[b] * z.writes;
            const int64_t* sentences = t[2].ints(r) + b * z.T;
            story.load(z, t[0].floats(r), t[1].floats(r), sentences, count);
            const float *D = t[5].floats(r) + b * z.I * z.E, *dD = t[6].floats(r) + b * z.I * z.E;
            pack(due, z.lE, dD, z.E, count);
            for (int64_t i = 0; i < count; i++)
                for (int64_t k = 0; k < z.E; k++) D_columns[k * z.lI + i] = D[i * z.E + k];
            memset(de, 0, count * z.lE * 4);
            memset(dr, 0, count * z.lQ * 4);
            memset(ds, 0, count * z.lQ * 4);
            for (int64_t begin = (count - 1) / ROWS * ROWS; begin >= 0 && count; begin -= ROWS) {
                const int64_t end = std::min(begin + ROWS, count), some = end - begin, wide = padded(end);
                products.make(z, story, begin, end);
                for (int64_t i = end - 1; i >= begin; i--)
                    for (int64_t j = begin; j < i - i % z.at_once; j++) {
                        const float by = products.both[(i - begin) * z.lI + j];
                        for (int64_t k = 0; k < z.lE; k += W) at(due + j * z.lE + k) -= by * at(due + i * z.lE + k);
                    }
                for (int64_t m = 0; m < some; m++) {
                    float* row = products.both + m * z.lI;
                    for (int64_t j = 0; j < wide; j += W) at(row + j) = -at(row + j);
                }
                outer(products.both, z.lI, due + begin * z.lE, z.lE, due, z.lE, begin, z.lE, some);
                memset(of_D, 0, ROWS * z.lI * 4);
                gemm(due + begin * z.lE, z.lE, D_columns, z.lI, of_D, z.lI, some, wide, z.E);
                for (int64_t m = 0; m < some; m++) {
                    Products::cut(z, of_D + m * z.lI, begin + m, wide);
                    float *of = of_D + m * z.lI, *of_e = products.of_e + m * z.lI, *of_r = products.of_r + m * z.lI;
                    for (int64_t j = 0; j < wide; j += W) {  // of_e becomes the gradient of products of r, of_r of e
                        at(of_e + j) *= -at(of + j);
                        at(of_r + j) *= -at(of + j);
                    }
                }
                gemm(products.of_r, z.lI, story.e, z.lE, de + begin * z.lE, z.lE, some, z.lE, end);
                outer(products.of_r, z.lI, story.e + begin * z.lE, z.lE, de, z.lE, end, z.lE, some);
                gemm(products.of_e, z.lI, story.r, z.lQ, ds + begin * z.lQ, z.lQ, some, z.lQ, end);
                outer(products.of_e, z.lI, story.s + begin * z.lQ, z.lQ, dr, z.lQ, end, z.lQ, some);
            }
            for (int64_t i = 0; i < count; i++) {
                const int64_t place = sentences[i / z.writes] * z.writes + i % z.writes;
                float* of_key = t[7].floats(r) + place * (z.E + z.Q);
                float* of_wanted = t[8].floats(r) + place * (z.E + z.Q);
                for (int64_t k = 0; k < z.E; k++) of_key[k] += de[i * z.lE + k];
                for (int64_t k = 0; k < z.Q; k++) of_key[z.E + k] += dr[i * z.lQ + k];
                for (int64_t k = 0; k < z.Q; k++) of_wanted[k] += ds[i * z.lQ + k];
                for (int64_t k = 0; k < z.E; k++) of_wanted[z.Q + k] += due[i * z.lE + k];
            }
        }
    });
}
