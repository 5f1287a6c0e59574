// Query reduction: layers of recurrences over the sentences of a story, forwards and backwards, each sentence with a
// question of its own. Forward, and backward by hand, which begins with the forward: that is cheaper than keeping it.
//
// Only sentences that are told are computed. Maps read the sentences of several questions together.
#include "common.h"
#include <memory>

// (features (U, d), of_x (U, d), stories (B, T), question (B), W_z (g, d), b_z (g), W_r (2g, d), b_r (2g), W_h (d, d))
// and the number of layers; g is 1 or d
struct Sizes {
    int64_t U, d, D, B, T, g, layers, G, parts;
    bool vectors;
    Sizes(const Tensor* t, const int64_t* numbers)
        : U(t[0].size[0]), d(t[0].size[1]), D(padded(d)), B(t[2].size[0]), T(t[2].size[1]), g(t[4].size[0]),
          layers(numbers[0]), G(g > 1 ? 3 * D : W), parts(layers > 1 ? 3 : 1), vectors(g > 1) {}
    int64_t column(int64_t part) const { return vectors ? part * D : part; }  // of z, the resets forwards and backwards
};

constexpr int64_t TOGETHER = 64;  // sentences, at least, unless there are no more

struct Weights {
    Buffer gates, bias, candidate, gates_back, candidate_back;  // transposed (D, G) and (D, D); as they are
    Weights(const Sizes& s, const Tensor* t, int64_t r)
        : gates(s.D * s.G), bias(s.G), candidate(s.D * s.D), gates_back(s.G * s.D), candidate_back(s.D * s.D) {
        for (int64_t part = 0; part < s.parts; part++) {
            const int64_t from = part ? part - 1 : 0;
            const float* matrix = t[part ? 6 : 4].floats(r) + from * s.g * s.d;
            pack_transposed(gates + s.column(part), s.G, matrix, s.d, s.g);
            pack(gates_back + s.column(part) * s.D, s.D, matrix, s.d, s.g);
            memcpy(bias + s.column(part), t[part ? 7 : 5].floats(r) + from * s.g, s.g * 4);
        }
        pack_transposed(candidate, s.D, t[8].floats(r), s.d, s.d);
        pack(candidate_back, s.D, t[8].floats(r), s.d, s.d);
    }
};

// What a layer makes of its sentences.
struct Layer {
    Buffer q, met, gates, c, ways[2];
    Layer(const Sizes& s, int64_t most)
        : q(most * s.D), met(most * s.D), gates(most * s.G), c(most * s.D), ways{Buffer(most * s.D), Buffer(most * s.D)} {}
};

// The sentences of some questions.
struct Sentences {
    const Sizes& s;
    const int64_t* stories;
    const int64_t* question;
    std::vector<int64_t> places, begins, asked;  // in (B, T); the first of each question, and the end; their numbers
    Buffer x, of_x;
    std::vector<std::unique_ptr<Layer>> layers;
    Sentences(const Sizes& s, const Tensor* t, int64_t r)
        : s(s), stories(t[2].ints(r)), question(t[3].ints(r)), x(most() * s.D), of_x(most() * s.D) {
        for (int64_t k = 0; k < s.layers; k++) layers.emplace_back(new Layer(s, most()));
    }
    int64_t most() const { return TOGETHER + s.T; }
    int64_t count() const { return int64_t(places.size()); }

    // f() for handfuls of all the questions of which something is told
    template <typename F> void each(F f) {
        for (int64_t b = 0; b < s.B; b++) {
            const int64_t before = count();
            for (int64_t i = 0; i < s.T; i++) if (stories[b * s.T + i]) places.push_back(b * s.T + i);
            if (count() > before) begins.push_back(before), asked.push_back(b);
            if (!count() || (count() < TOGETHER && b + 1 < s.B)) continue;
            begins.push_back(count());
            f();
            places.clear(), begins.clear(), asked.clear();
        }
    }
    // A gate of sentence m, at dimensions from i on.
    vec gate(const Layer& layer, int64_t m, int64_t part, int64_t i) const {
        const float* here = layer.gates.data + m * s.G + s.column(part);
        return s.vectors ? at(here + i) : all(*here);
    }
    // f(m, the sentence heard before it or -1) along a way: 0 forwards, 1 backwards
    template <typename F> static void along(int64_t begin, int64_t end, int64_t way, F f) {
        if (way == 0) for (int64_t m = begin; m < end; m++) f(m, m > begin ? m - 1 : -1);
        else for (int64_t m = end - 1; m >= begin; m--) f(m, m + 1 < end ? m + 1 : -1);
    }
    void forward(const Weights& w, const float* features, const float* given) {
        for (int64_t m = 0; m < count(); m++) {
            memcpy(x + m * s.D, features + stories[places[m]] * s.d, s.d * 4);
            memcpy(of_x + m * s.D, given + stories[places[m]] * s.d, s.d * 4);
        }
        for (size_t n = 0; n < asked.size(); n++) for (int64_t m = begins[n]; m < begins[n + 1]; m++)
            memcpy(layers[0]->q + m * s.D, features + question[asked[n]] * s.d, s.d * 4);
        for (int64_t k = 0; k < s.layers; k++) {
            Layer& layer = *layers[k];
            const bool last = k + 1 == s.layers;
            for (int64_t i = 0; i < count() * s.D; i += W) at(layer.met + i) = at(x + i) * at(layer.q + i);
            for (int64_t m = 0; m < count(); m++) memcpy(layer.gates + m * s.G, w.bias.data, s.G * 4);
            gemm(layer.met, s.D, w.gates.data, s.G, layer.gates, s.G, count(), s.G, s.d);
            for (int64_t i = 0; i < count() * s.G; i += W) at(layer.gates + i) = sigmoid(at(layer.gates + i));
            memcpy(layer.c, of_x, count() * s.D * 4);
            if (k) gemm(layer.q, s.D, w.candidate.data, s.D, layer.c, s.D, count(), s.D, s.d);
            else for (size_t n = 0; n < asked.size(); n++) {  // the question is one for all sentences
                float* first = layer.ways[0] + begins[n] * s.D;
                memset(first, 0, s.D * 4);
                gemm(layer.q + begins[n] * s.D, s.D, w.candidate.data, s.D, first, s.D, 1, s.D, s.d);
                for (int64_t m = begins[n + 1] - 1; m >= begins[n]; m--) for (int64_t i = 0; i < s.D; i += W)
                    at(layer.c + m * s.D + i) += at(first + i);
            }
            for (int64_t i = 0; i < count() * s.D; i += W) at(layer.c + i) = tanh_(at(layer.c + i));
            for (size_t n = 0; n < asked.size(); n++) for (int64_t way = 0; way < (last ? 1 : 2); way++)
                along(begins[n], begins[n + 1], way, [&](int64_t m, int64_t before) {
                    for (int64_t i = 0; i < s.D; i += W) {
                        const vec z = gate(layer, m, 0, i), c = at(layer.c + m * s.D + i);
                        vec h = z * (last ? c : c * gate(layer, m, 1 + way, i));
                        if (before >= 0) h += (1 - z) * at(layer.ways[way] + before * s.D + i);
                        at(layer.ways[way] + m * s.D + i) = h;
                    }
                });
            if (!last) for (int64_t i = 0; i < count() * s.D; i += W)
                at(layers[k + 1]->q + i) = at(layer.ways[0] + i) + at(layer.ways[1] + i);
        }
    }
};

// -> h (B, d), gates (B, layers, T)
extern "C" void reduce_forward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t* numbers) {
    const Sizes s(t, numbers);
    each_restart(restarts, threads, [&](int64_t r) {
        const Weights w(s, t, r);
        Sentences sentences(s, t, r);
        float *h = t[9].floats(r), *gates = t[10].floats(r);
        memset(h, 0, s.B * s.d * 4);
        memset(gates, 0, s.B * s.layers * s.T * 4);
        sentences.each([&] {
            sentences.forward(w, t[0].floats(r), t[1].floats(r));
            for (size_t n = 0; n < sentences.asked.size(); n++) {
                const int64_t b = sentences.asked[n], begin = sentences.begins[n], end = sentences.begins[n + 1];
                memcpy(h + b * s.d, sentences.layers[s.layers - 1]->ways[0] + (end - 1) * s.D, s.d * 4);
                for (int64_t k = 0; k < s.layers; k++) for (int64_t m = begin; m < end; m++) {
                    const float* z = sentences.layers[k]->gates + m * s.G;
                    float total = 0;
                    for (int64_t i = 0; i < s.g; i++) total += z[i];
                    gates[(b * s.layers + k) * s.T + sentences.places[m] - b * s.T] = total / s.g;
                }
            }
        });
    });
}

// (..., h, gates, grad of h, of gates) -> grad of features, of_x, W_z, b_z, W_r, b_r, W_h
extern "C" void reduce_backward(int64_t restarts, int64_t threads, const Tensor* t, const int64_t* numbers) {
    const Sizes s(t, numbers);
    each_restart(restarts, threads, [&](int64_t r) {
        const Weights w(s, t, r);
        Sentences sentences(s, t, r);
        const int64_t most = sentences.most();
        Buffer of_q(most * s.D), of_x(most * s.D), of_given(most * s.D), of_c(most * s.D), of_gates(most * s.G);
        Buffer of_met(most * s.D), carried(s.D), of_matrix(s.G * s.D), of_bias(s.G), of_W_h(s.D * s.D);
        const float *grad = t[11].floats(r), *of_trace = t[12].floats(r);
        float *of_features = t[13].floats(r), *of_table = t[14].floats(r);
        sentences.each([&] {
            const int64_t count = sentences.count();
            sentences.forward(w, t[0].floats(r), t[1].floats(r));
            memset(of_x, 0, count * s.D * 4);
            memset(of_given, 0, count * s.D * 4);
            memset(of_q, 0, count * s.D * 4);
            for (size_t n = 0; grad && n < sentences.asked.size(); n++)
                memcpy(of_q + (sentences.begins[n + 1] - 1) * s.D, grad + sentences.asked[n] * s.d, s.d * 4);
            for (int64_t k = s.layers - 1; k >= 0; k--) {
                Layer& layer = *sentences.layers[k];
                const bool last = k + 1 == s.layers;
                memset(of_c, 0, count * s.D * 4);
                memset(of_gates, 0, count * s.G * 4);
                for (size_t n = 0; n < sentences.asked.size(); n++) for (int64_t way = 0; way < (last ? 1 : 2); way++) {
                    const int64_t begin = sentences.begins[n], end = sentences.begins[n + 1];
                    memset(carried, 0, s.D * 4);
                    // against the way
                    Sentences::along(begin, end, 1 - way, [&](int64_t m, int64_t) {
                        const int64_t before = way ? (m + 1 < end ? m + 1 : -1) : (m > begin ? m - 1 : -1);
                        vec of_z_all = {}, of_r_all = {};
                        float* gates = of_gates + m * s.G;
                        for (int64_t i = 0; i < s.D; i += W) {
                            const vec z = sentences.gate(layer, m, 0, i), c = at(layer.c + m * s.D + i);
                            const vec reset = last ? all(1) : sentences.gate(layer, m, 1 + way, i);
                            const vec g = at(carried + i) + at(of_q + m * s.D + i);
                            vec of_z = g * reset * c;
                            if (before >= 0) of_z -= g * at(layer.ways[way] + before * s.D + i);
                            const vec of_r = g * z * c;
                            if (s.vectors) {
                                at(gates + i) += of_z;
                                if (!last) at(gates + s.column(1 + way) + i) += of_r;
                            }
                            of_z_all += of_z;
                            of_r_all += of_r;
                            at(of_c + m * s.D + i) += g * z * reset;
                            at(carried + i) = g * (1 - z);
                        }
                        if (s.vectors) return;
                        gates[0] += sum(of_z_all);
                        if (!last) gates[1 + way] += sum(of_r_all);
                    });
                }
                if (of_trace) for (int64_t m = 0; m < count; m++) {
                    const int64_t b = sentences.places[m] / s.T, i = sentences.places[m] % s.T;
                    for (int64_t j = 0; j < s.g; j++)
                        of_gates[m * s.G + j] += of_trace[(b * s.layers + k) * s.T + i] / s.g;
                }
                for (int64_t m = 0; m < count; m++) for (int64_t i = 0; i < s.G; i += W) {
                    const vec gate = at(layer.gates + m * s.G + i);
                    at(of_gates + m * s.G + i) *= gate * (1 - gate);
                    at(of_bias + i) += at(of_gates + m * s.G + i);
                }
                for (int64_t i = 0; i < count * s.D; i += W) {
                    const vec c = at(layer.c + i);
                    at(of_c + i) *= 1 - c * c;
                    at(of_given + i) += at(of_c + i);
                }
                outer(of_gates, s.G, layer.met, s.D, of_matrix, s.D, s.G, s.D, count);
                outer(of_c, s.D, layer.q, s.D, of_W_h, s.D, s.D, s.D, count);
                memset(of_met, 0, count * s.D * 4);
                gemm(of_gates, s.G, w.gates_back.data, s.D, of_met, s.D, count, s.D, s.G);
                memset(of_q, 0, count * s.D * 4);
                gemm(of_c, s.D, w.candidate_back.data, s.D, of_q, s.D, count, s.D, s.d);
                for (int64_t i = 0; i < count * s.D; i += W) {
                    at(of_x + i) += at(of_met + i) * at(layer.q + i);
                    at(of_q + i) += at(of_met + i) * at(sentences.x + i);
                }
            }
            for (size_t n = 0; n < sentences.asked.size(); n++)
                for (int64_t m = sentences.begins[n]; m < sentences.begins[n + 1]; m++) {
                    float* of_question = of_features + sentences.question[sentences.asked[n]] * s.d;
                    float* of_sentence = of_features + sentences.stories[sentences.places[m]] * s.d;
                    float* of_row = of_table + sentences.stories[sentences.places[m]] * s.d;
                    for (int64_t i = 0; i < s.d; i++) {
                        of_question[i] += of_q[m * s.D + i];
                        of_sentence[i] += of_x[m * s.D + i];
                        of_row[i] += of_given[m * s.D + i];
                    }
                }
        });
        for (int64_t part = 0; part < s.parts; part++) {
            const int64_t to = part ? part - 1 : 0;
            unpack(t[part ? 17 : 15].floats(r) + to * s.g * s.d, s.d, of_matrix + s.column(part) * s.D, s.D, s.g);
            memcpy(t[part ? 18 : 16].floats(r) + to * s.g, of_bias + s.column(part), s.g * 4);
        }
        unpack(t[19].floats(r), s.d, of_W_h, s.D, s.d);
    });
}
