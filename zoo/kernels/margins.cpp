// A step of training of MemNN: the margins of every read and of the answer (eq. 6 to 8), and their gradient.
#include "common.h"

enum Role { QUESTION, CHOSEN, CANDIDATE, ANSWER_QUESTION, ANSWER_CHOSEN, ANSWER_LAST, ROLES };

// Where everything lies in the weights of a network; written by `zoo.kernels.margins`.
struct Layout { int64_t d, V, features, reads, adaptive, ngrams, buckets, nonlinear, U[ROLES], answers, null, times, W; };

// Rows of a network's map, tanh(W tanh(x)), or x itself; and back.
struct Map {
    const int64_t d, ld;
    const bool nonlinear;
    Buffer weight, turned, of_weight;
    Map(const float* W_, int64_t d_, bool nonlinear_)
        : d(d_), ld(padded(d_)), nonlinear(nonlinear_), weight(d * ld), turned(d * ld), of_weight(d * ld) {
        if (!nonlinear) return;
        pack(weight, ld, W_, d, d);
        pack_transposed(turned, ld, W_, d, d);
    }
    void forward(float* x, float* y, int64_t rows) {  // x becomes tanh(x)
        if (!nonlinear) { memcpy(y, x, rows * ld * 4); return; }
        for (int64_t i = 0; i < rows * ld; i += W) at(x + i) = tanh_(at(x + i));
        memset(y, 0, rows * ld * 4);
        gemm(x, ld, turned, ld, y, ld, rows, ld, d);
        for (int64_t i = 0; i < rows * ld; i += W) at(y + i) = tanh_(at(y + i));
    }
    void backward(const float* x, const float* y, float* dy, float* dx, int64_t rows) {
        if (!nonlinear) { memcpy(dx, dy, rows * ld * 4); return; }
        for (int64_t i = 0; i < rows * ld; i += W) at(dy + i) *= 1 - at(y + i) * at(y + i);
        memset(dx, 0, rows * ld * 4);
        gemm(dy, ld, weight, ld, dx, ld, rows, ld, d);
        outer(dy, ld, x, ld, of_weight, ld, d, ld, rows);
        for (int64_t i = 0; i < rows * ld; i += W) at(dx + i) *= 1 - at(x + i) * at(x + i);
    }
};

// (weights (P,), layout, sentences (U, J), stories (B, T), told, question, answer (B,), support (B, F), margin ())
// -> loss (), gradient (P,)
extern "C" void margins_forward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t*) {
    const Layout& z = *(const Layout*)t[1].ints(0);
    const int64_t P = t[0].size[0], U = t[2].size[0], J = t[2].size[1], B = t[3].size[0], T = t[3].size[1];
    const int64_t F = t[7].size[1], d = z.d, V = z.V, ld = padded(d), wide = padded(V);
    const int64_t reads = z.adaptive ? std::min(z.reads, F + 1) : z.reads;
    const float margin = *t[8].floats(0);
    each_restart(restarts, threads, [&](int64_t r) {
        const float* weights = t[0].floats(r);
        const int64_t *sentences = t[2].ints(r), *stories = t[3].ints(r), *told = t[4].ints(r);
        const int64_t *question = t[5].ints(r), *answer = t[6].ints(r), *support = t[7].ints(r);
        float* gradient = t[10].floats(r);
        memset(gradient, 0, P * 4);

        // the features of the sentences that occur, and the row of each among them
        std::vector<int64_t> row(U, -1), numbers, begin{0};
        auto use = [&](int64_t sentence) {
            if (row[sentence] >= 0) return;
            row[sentence] = begin.size() - 1;
            const int64_t* s = sentences + sentence * J;
            for (int64_t n = 1; n <= std::min(z.ngrams, J); n++)
                for (int64_t i = 0; i + n <= J; i++) {
                    int64_t key = 0;
                    bool there = true;
                    for (int64_t k = 0; k < n; k++) {
                        there = there && s[i + k];
                        key = key * 8191 + s[i + k];
                    }
                    if (there) numbers.push_back(n == 1 ? key : V + (n - 2) * z.buckets + key % z.buckets);
                }
            begin.push_back(numbers.size());
        };
        for (int64_t b = 0; b < B; b++) {
            use(question[b]);
            for (int64_t i = 0; i < T; i++) use(stories[b * T + i]);
        }
        const int64_t M = begin.size() - 1;  // the null memory is the row behind them
        auto embed = [&](float* x, Role role, int64_t sentence) {
            for (int64_t k = begin[row[sentence]]; k < begin[row[sentence] + 1]; k++) {
                const float* u = weights + z.U[role] + numbers[k] * d;
                for (int64_t i = 0; i < d; i++) x[i] += u[i];
            }
        };
        auto of_embed = [&](const float* dx, Role role, int64_t sentence) {
            for (int64_t k = begin[row[sentence]]; k < begin[row[sentence] + 1]; k++) {
                float* u = gradient + z.U[role] + numbers[k] * d;
                for (int64_t i = 0; i < d; i++) u[i] += dx[i];
            }
        };

        // memories
        Map of_x(weights + z.W, d, z.nonlinear), of_y(weights + z.W + d * d, d, z.nonlinear);
        Map of_recall(weights + z.W + 2 * d * d, d, z.nonlinear);
        Buffer e((M + 1) * ld), y((M + 1) * ld), dy((M + 1) * ld), de((M + 1) * ld);
        for (int64_t s = 0; s < U; s++) if (row[s] >= 0) embed(e + row[s] * ld, CANDIDATE, s);
        if (z.adaptive) memcpy(e + M * ld, weights + z.null, d * 4);
        of_y.forward(e, y, M + 1);

        // the questions of every read, and what is recalled; the facts read before are the right ones
        const int64_t many = reads * B;
        Buffer x(many * ld), f(many * ld), df(many * ld), dx(many * ld), recall(B * ld);
        std::vector<int64_t> right(many), chosen(many), sentence(many);  // `chosen` before a read, `sentence` after it
        std::vector<char> on(many), counts(many);
        for (int64_t b = 0; b < B; b++) {
            auto fact = [&](int64_t k) { return k < F ? support[b * F + k] : -1; };
            int64_t now = told[b], last = question[b];
            embed(x + b * ld, QUESTION, question[b]);
            embed(recall + b * ld, ANSWER_QUESTION, question[b]);
            for (int64_t k = 0; k < reads; k++) {
                const int64_t n = k * B + b;
                const bool is_fact = fact(k) >= 0;
                chosen[n] = now;
                right[n] = is_fact ? fact(k) : z.adaptive ? T : std::min(now, T - 1);
                counts[n] = answer[b] && fact(z.adaptive ? std::max<int64_t>(0, k - 1) : 0) >= 0;
                on[n] = !z.adaptive || is_fact;
                if (k && on[n]) embed(recall + b * ld, ANSWER_CHOSEN, last);
                if (on[n]) now = right[n];
                last = sentence[n] = stories[b * T + std::min(now, T - 1)];
                if (k + 1 < reads) {
                    float* next = x + (n + B) * ld;
                    memcpy(next, x + n * ld, ld * 4);
                    if (on[n]) embed(next, CHOSEN, last);
                }
            }
            embed(recall + b * ld, ANSWER_LAST, last);
        }
        of_x.forward(x, f, many);

        // reads: every wrong memory against the right one
        double loss = 0;
    
        for (int64_t n = 0; n < many; n++) {
            const int64_t b = n % B, best = right[n], count = std::min(told[b], T);
            if (!counts[n]) continue;
            const float* fn = f + n * ld;
            float* dfn = df + n * ld;
            auto memory = [&](int64_t i) { return i == T ? M : row[stories[b * T + i]]; };
            auto dot = [&](const float* other, int64_t width) {
                float s = 0;
                for (int64_t i = 0; i < width; i++) s += fn[i] * other[i];
                return s;
            };
            float time[3], of_time[3] = {};
            for (int j = 0; j < 3; j++) time[j] = dot(weights + z.times + j * d, d);
            auto younger = [&](int64_t i) { return i < T && i > chosen[n]; };
            auto before = [&](int64_t i, int64_t j) { return i < T && j < T && i < j; };
            const float of_best = dot(y + memory(best) * ld, ld);
            float of_right = 0;
            for (int64_t i = 0; i <= T; i++) {
                if (i == best || (i < T ? i >= count : !z.adaptive)) continue;
                const float between = of_best - dot(y + memory(i) * ld, ld), first = younger(best), second = younger(i);
                const float wins = between + time[0] * first + time[1] * second + time[2] * before(best, i);
                const float loses = -between + time[0] * second + time[1] * first + time[2] * before(i, best);
                float of_wins = 0, of_loses = 0;
                if (!(margin - wins <= 0)) loss += margin - wins, of_wins = -1;
                if (!(margin + loses <= 0)) loss += margin + loses, of_loses = 1;
                if (!of_wins && !of_loses) continue;
                const float of_between = of_wins - of_loses;
                of_right += of_between;
                const float *yi = y + memory(i) * ld;
                float* dyi = dy + memory(i) * ld;
                for (int64_t l = 0; l < ld; l += W) {
                    at(dfn + l) -= of_between * at(yi + l);
                    at(dyi + l) -= of_between * at(fn + l);
                }
                of_time[0] += of_wins * first + of_loses * second;
                of_time[1] += of_wins * second + of_loses * first;
                of_time[2] += of_wins * before(best, i) + of_loses * before(i, best);
            }
            const float* yb = y + memory(best) * ld;
            float* dyb = dy + memory(best) * ld;
            for (int64_t l = 0; l < ld; l += W) {
                at(dfn + l) += of_right * at(yb + l);
                at(dyb + l) += of_right * at(fn + l);
            }
            for (int j = 0; j < 3; j++)
                for (int64_t i = 0; i < d; i++) {
                    dfn[i] += of_time[j] * weights[z.times + j * d + i];
                    gradient[z.times + j * d + i] += of_time[j] * fn[i];
                }
        }

        // the answer: every wrong word against the right one
        Buffer answers(V * ld), across(ld * wide), of_answers(V * ld), scores(B * wide), mapped(B * ld), of_mapped(B * ld);
        Buffer of_recalled(B * ld);
        pack(answers + ld, ld, weights + z.answers, d, V - 1);
        pack_transposed(across, wide, answers, ld, V);
        of_recall.forward(recall, mapped, B);
        gemm(mapped, ld, across, wide, scores, wide, B, wide, ld);
        for (int64_t b = 0; b < B; b++) {
            float* s = scores + b * wide;
            const float best = s[answer[b]];
            float of_best = 0;
            s[0] = 0;
            for (int64_t v = 1; v < V; v++) {
                const float cost = margin - best + s[v];
                const bool costs = answer[b] && v != answer[b] && !(cost <= 0);
                if (costs) loss += cost;
                of_best -= costs;
                s[v] = costs;
            }
            s[answer[b]] = answer[b] ? of_best : 0;
        }
        gemm(scores, wide, answers, ld, of_mapped, ld, B, ld, V);
        outer(scores, wide, mapped, ld, of_answers, ld, V, ld, B);
        *t[9].floats(r) = loss;

        // back
        of_recall.backward(recall, mapped, of_mapped, of_recalled, B);
        of_x.backward(x, f, df, dx, many);
        of_y.backward(e, y, dy, de, M + 1);
        for (int64_t b = 0; b < B; b++) {
            const float* dr = of_recalled + b * ld;
            Buffer later(ld);  // the gradients of the reads behind
            of_embed(dr, ANSWER_LAST, sentence[(reads - 1) * B + b]);
            for (int64_t k = reads - 1; k >= 0; k--) {
                const int64_t n = k * B + b;
                if (on[n]) of_embed(later, CHOSEN, sentence[n]);
                if (k && on[n]) of_embed(dr, ANSWER_CHOSEN, sentence[n - B]);
                for (int64_t i = 0; i < ld; i += W) at(later + i) += at(dx + n * ld + i);
            }
            of_embed(later, QUESTION, question[b]);
            of_embed(dr, ANSWER_QUESTION, question[b]);
        }
        for (int64_t s = 0; s < U; s++) if (row[s] >= 0) of_embed(de + row[s] * ld, CANDIDATE, s);
        if (z.adaptive) memcpy(gradient + z.null, de + M * ld, d * 4);
        unpack(gradient + z.answers, d, of_answers + ld, ld, V - 1);
        if (z.nonlinear) {
            unpack(gradient + z.W, d, of_x.of_weight, ld, d);
            unpack(gradient + z.W + d * d, d, of_y.of_weight, ld, d);
            unpack(gradient + z.W + 2 * d * d, d, of_recall.of_weight, ld, d);
        }
    });
}

// (the inputs, the outputs, grad of the loss) -> grad of the weights
extern "C" void margins_backward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t*) {
    each_restart(restarts, threads, [&](int64_t r) {
        const float *gradient = t[10].floats(r), of_loss = *t[11].floats(r);
        for (int64_t i = 0; i < t[0].size[0]; i++) t[12].floats(r)[i] = of_loss * gradient[i];
    });
}
