// What the kernels share: tensors as Operator hands them over, vectors, products, and the usual nonlinear functions.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

// A tensor of R restarts, or of one network: `step` numbers lie between restarts, none where they share it.
struct Tensor {
    void* data;
    int64_t step;
    int64_t size[5];  // without the axis of restarts
    float* floats(int64_t restart) const { return data ? (float*)data + restart * step : nullptr; }
    const int64_t* ints(int64_t restart) const { return data ? (const int64_t*)data + restart * step : nullptr; }
    const bool* bools(int64_t restart) const { return data ? (const bool*)data + restart * step : nullptr; }
};

// Calls f(r) for every restart; a thread has every `threads`-th of them, so no sum depends on how many there are.
template <typename F> static void each_restart(int64_t restarts, int64_t threads, F f) {
    if (threads > restarts) threads = restarts;
    auto some = [&](int64_t first) { for (int64_t r = first; r < restarts; r += threads) f(r); };
    std::vector<std::thread> others;
    for (int64_t k = 1; k < threads; k++) others.emplace_back(some, k);
    some(0);
    for (auto& one : others) one.join();
}

#if defined(__AVX512F__)
#include <immintrin.h>
constexpr int W = 16;  // floats of a vector
#else
constexpr int W = 8;
#endif
typedef float vec __attribute__((vector_size(W * 4), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(W * 4), aligned(4), may_alias));
static inline vec all(float x) { return vec{} + x; }
static inline vec& at(float* x) { return *(vec*)x; }
static inline const vec& at(const float* x) { return *(const vec*)x; }
static inline float sum(vec v) {
    typedef float half __attribute__((vector_size(W * 2), aligned(4), may_alias));
    typedef float quarter __attribute__((vector_size(W), aligned(4), may_alias));
    const half* h = (const half*)&v;
    const half two = h[0] + h[1];
    const quarter* q = (const quarter*)&two;
    const quarter four = q[0] + q[1];
    float s = 0;
    for (int i = 0; i < W / 4; i++) s += four[i];
    return s;
}
static inline int64_t padded(int64_t d) { return (d + W - 1) / W * W; }
static inline float dot(const float* x, const float* y, int64_t n) {  // of rows that are padded
    vec s = {};
    for (int64_t i = 0; i < n; i += W) s += at(x + i) * at(y + i);
    return sum(s);
}
static inline float softplus(float x) { return x > 20 ? x : std::log1p(std::exp(x)); }
static inline float logistic(float x) { return 1 / (1 + std::exp(-x)); }

// Memory that a thread keeps for its next kernel: fresh pages cost more than what is computed on them.
struct Pool {
    std::vector<std::pair<size_t, float*>> free_ones;
    ~Pool() { for (auto& one : free_ones) free(one.second); }
    float* take(size_t& size) {
        auto best = free_ones.end();
        for (auto one = free_ones.begin(); one != free_ones.end(); ++one)
            if (one->first >= size && one->first / 4 <= size && (best == free_ones.end() || one->first < best->first))
                best = one;
        if (best == free_ones.end()) return (float*)aligned_alloc(64, size);
        float* found = best->second;
        size = best->first;
        free_ones.erase(best);
        return found;
    }
    void give(float* one, size_t size) { free_ones.emplace_back(size, one); }
};
static thread_local Pool pool;

// Numbers on 64-byte borders, zero at first.
struct Buffer {
    size_t size, bytes;
    float* data;
    explicit Buffer(size_t n) : size(n), bytes((n * 4 + 127) / 64 * 64), data(pool.take(bytes)) { clear(); }
    ~Buffer() { pool.give(data, bytes); }
    Buffer(const Buffer&) = delete;
    void clear() { memset(data, 0, size * 4); }
    void swap(Buffer& other) {
        std::swap(size, other.size);
        std::swap(bytes, other.bytes);
        std::swap(data, other.data);
    }
    operator float*() { return data; }
};

// Copies rows of width d to rows of width ld, or back.
static inline void pack(float* to, int64_t ld, const float* from, int64_t d, int64_t n) {
    for (int64_t i = 0; i < n; i++) memcpy(to + i * ld, from + i * d, d * 4);
}
static inline void unpack(float* to, int64_t d, const float* from, int64_t ld, int64_t n) {
    for (int64_t i = 0; i < n; i++) memcpy(to + i * d, from + i * ld, d * 4);
}
// Copies the transpose of (n, d) to (d, ld).
static inline void pack_transposed(float* to, int64_t ld, const float* from, int64_t d, int64_t n) {
    for (int64_t i = 0; i < n; i++) for (int64_t k = 0; k < d; k++) to[k * ld + i] = from[i * d + k];
}

// c (P, C vectors) += sum_k a[m * am + k * ak] b[k]
template <int P, int C>
static inline void block(const float* __restrict a, int64_t am, int64_t ak, const float* __restrict b, int64_t ldb,
                         float* __restrict c, int64_t ldc, int64_t K) {
    vec sums[P][C];
    for (int m = 0; m < P; m++) for (int v = 0; v < C; v++) sums[m][v] = at(c + m * ldc + v * W);
    for (int64_t k = 0; k < K; k++) {
        vec row[C];
        for (int v = 0; v < C; v++) row[v] = at(b + k * ldb + v * W);
#pragma GCC unroll 6
        for (int m = 0; m < P; m++) {
            vec x = all(a[m * am + k * ak]);
#pragma GCC unroll 5
            for (int v = 0; v < C; v++) sums[m][v] += x * row[v];
        }
    }
    for (int m = 0; m < P; m++) for (int v = 0; v < C; v++) at(c + m * ldc + v * W) = sums[m][v];
}
template <int C>
static void column(const float* a, int64_t am, int64_t ak, const float* b, int64_t ldb, float* c, int64_t ldc,
                   int64_t M, int64_t K) {
#if defined(__AVX512F__)
    constexpr int P = C == 5 ? 5 : 6;  // rows whose sums stay in registers, and their addresses too
#else
    constexpr int P = C > 1 ? 12 / C : 6;
#endif
    int64_t m = 0;
    for (; m + P <= M; m += P) block<P, C>(a + m * am, am, ak, b, ldb, c + m * ldc, ldc, K);
    for (; m + 3 <= M; m += 3) block<3, C>(a + m * am, am, ak, b, ldb, c + m * ldc, ldc, K);
    for (; m < M; m++) block<1, C>(a + m * am, am, ak, b, ldb, c + m * ldc, ldc, K);
}
static void product(const float* a, int64_t am, int64_t ak, const float* b, int64_t ldb, float* c, int64_t ldc,
                    int64_t M, int64_t N, int64_t K) {
    int64_t n = 0, left = N / W;
    auto columns = [&](auto C) { column<C>(a, am, ak, b + n, ldb, c + n, ldc, M, K), left -= C, n += C * W; };
#if defined(__AVX512F__)
    while (left % 4 && left != 6 && left != 7 && left != 11 && left > 4) columns(std::integral_constant<int, 5>());
    while (left == 4 || left > 6) columns(std::integral_constant<int, 4>());
#endif
    while (left >= 3) columns(std::integral_constant<int, 3>());
    while (left >= 2) columns(std::integral_constant<int, 2>());
    while (left >= 1) columns(std::integral_constant<int, 1>());
}
// c (M, N) += a (M, K) b (K, N); N is a multiple of W, b and c have rows of that width or more
static inline void gemm(const float* a, int64_t lda, const float* b, int64_t ldb, float* c, int64_t ldc, int64_t M,
                        int64_t N, int64_t K) {
    product(a, lda, 1, b, ldb, c, ldc, M, N, K);
}
// c (M, N) += sum over K rows of a (K, M) and b (K, N), each row of a times each of b
static inline void outer(const float* a, int64_t lda, const float* b, int64_t ldb, float* c, int64_t ldc, int64_t M,
                         int64_t N, int64_t K) {
    product(a, 1, lda, b, ldb, c, ldc, M, N, K);
}

// Keeps the compiler from reordering sums across it, which -fassociative-math allows.
static inline vec settled(vec x) {
#if defined(__AVX512F__)
    asm("" : "+v"(x));
#elif defined(__AVX__)
    asm("" : "+x"(x));
#endif
    return x;
}
// Of two numbers the smaller or larger one; x where it is not a number.
static inline vec smaller(vec x, vec y) { return y < x ? y : x; }
static inline vec larger(vec x, vec y) { return y > x ? y : x; }
// 1 / x, at most a rounding off
static inline vec reciprocal(vec x) {
#if defined(__AVX512F__)
    vec y = (vec)_mm512_rcp14_ps((__m512)x);
    return y + y * settled(1.0f - x * y);
#else
    return 1.0f / x;
#endif
}
static inline vec exp_(vec x) {
    x = smaller(larger(x, all(-87.3f)), all(88.7f));
#if defined(__AVX512F__)
    vec whole = (vec)_mm512_roundscale_ps((__m512)(x * 1.44269504f), 8);
#else
    vec t = x * 1.44269504f;
    ivec n = __builtin_convertvector(t + (t > 0 ? all(0.5f) : all(-0.5f)), ivec);
    vec whole = __builtin_convertvector(n, vec);
#endif
    vec r = settled(x - whole * 0.693359375f) + whole * 2.12194440e-4f;
    vec p = all(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
#if defined(__AVX512F__)
    return (vec)_mm512_scalef_ps((__m512)p, (__m512)whole);
#else
    // in two steps, because 2^128 is not a number
    ivec half = n >> 1;
    ivec first = (half + 127) << 23, second = (n - half + 127) << 23;
    return p * (vec)first * (vec)second;
#endif
}
static inline vec sigmoid(vec x) { return reciprocal(1.0f + exp_(-x)); }
static inline vec tanh_(vec x) {
    vec square = x * x;
    vec p = all(-5.70498872745e-3f);  // where |x| < 0.625
    p = p * square + 2.06390887954e-2f;
    p = p * square - 5.37397155531e-2f;
    p = p * square + 1.33314422036e-1f;
    p = p * square - 3.33332819422e-1f;
    p = p * square * x + x;
    vec far = 1.0f - 2.0f * reciprocal(exp_(2.0f * x) + 1.0f);
    return square < 0.390625f ? p : far;
}
static inline float exp_(float x) { return exp_(all(x))[0]; }
static inline float sigmoid(float x) { return sigmoid(all(x))[0]; }

// The rows of all steps, one for every sequence that hears something then: where each step's begin, and what they hear.
struct Hearing {
    std::vector<int> first, sequence, word;
    // heard: (B, T), negative where nothing is
    Hearing(int64_t B, int64_t T, const int64_t* heard) : first(T + 1) {
        for (int64_t l = 0; l < T; l++) {
            for (int64_t b = 0; b < B; b++) if (heard[b * T + l] >= 0) {
                sequence.push_back(int(b));
                word.push_back(int(heard[b * T + l]));
            }
            first[l + 1] = int(sequence.size());
        }
    }
};
