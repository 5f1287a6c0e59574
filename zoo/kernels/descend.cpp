// Steps of gradient descent, each restart with a rate and a clip of its own.
#include "common.h"

static float norm_of(const float* gradient, int64_t P) {
    vec squares[4] = {};
    int64_t i = 0;
    for (; i + 4 * W <= P; i += 4 * W)
        for (int k = 0; k < 4; k++) squares[k] += at(gradient + i + k * W) * at(gradient + i + k * W);
    double total = (double)sum(squares[0]) + sum(squares[1]) + sum(squares[2]) + sum(squares[3]);
    for (; i < P; i++) total += gradient[i] * gradient[i];
    return std::sqrt((float)total);
}

// The factor that shortens a gradient of this norm to `clip` at most.
static float shortened(float norm, float clip) {
    const float factor = clip / std::max(norm, 1e-6f);
    return factor > 1 ? 1 : factor;
}

// (weights, gradient (P,), rate (), clip ()); weights change
extern "C" void descend_sgd(int64_t restarts, int64_t threads, const Tensor* t, const int64_t*) {
    const int64_t P = t[0].size[0];
    each_restart(restarts, threads, [&](int64_t r) {
        float* __restrict weights = t[0].floats(r);
        const float* gradient = t[1].floats(r);
        const float by = *t[2].floats(r) * shortened(norm_of(gradient, P), *t[3].floats(r));
        for (int64_t i = 0; i < P; i++) weights[i] -= by * gradient[i];
    });
}

// (weights, gradient, mean, square (P,), rate, clip, step (), settings (3,): the two rates of decay and epsilon);
// weights, mean and square change. A gradient that is not finite is taken for zero.
extern "C" void descend_adam(int64_t restarts, int64_t threads, const Tensor* t, const int64_t*) {
    const int64_t P = t[0].size[0];
    each_restart(restarts, threads, [&](int64_t r) {
        float *__restrict weights = t[0].floats(r), *__restrict mean = t[2].floats(r), *__restrict square = t[3].floats(r);
        const float *gradient = t[1].floats(r), *settings = t[7].floats(0);
        const float norm = norm_of(gradient, P), by = std::isfinite(norm) ? shortened(norm, *t[5].floats(r)) : 0;
        const double step = *t[6].floats(0);
        const float slow = settings[0], slower = settings[1], epsilon = settings[2];
        const float rate = *t[4].floats(r) / (1 - std::pow((double)slow, step));
        const float scale = 1 / std::sqrt(1 - std::pow((double)slower, step));
        for (int64_t i = 0; i < P; i++) {
            const float g = by ? by * gradient[i] : 0;
            mean[i] += (1 - slow) * (g - mean[i]);
            square[i] = slower * square[i] + (1 - slower) * g * g;
            weights[i] -= rate * mean[i] / (std::sqrt(square[i]) * scale + epsilon);
        }
    });
}
