#include "adam.h"

#include <math.h>

#include "functions.h"

#define BETA_MEANS 0.9f
#define BETA_SQUARES 0.999f

enum { LANES = 16 };

CLONES double adam_norm(int64_t count, const AdamParameter *parameters, const float *const *gradients) {
    double total = 0.0;
    for (int64_t p = 0; p < count; p++) {
        const float *gradient = gradients[p];
        if (!gradient) continue;
        float sums[LANES] = {0};
        int64_t whole = parameters[p].size / LANES * LANES;
        for (int64_t i = 0; i < whole; i += LANES)
            for (int lane = 0; lane < LANES; lane++) sums[lane] += gradient[i + lane] * gradient[i + lane];
        for (int64_t i = whole; i < parameters[p].size; i++) sums[i - whole] += gradient[i] * gradient[i];
        for (int lane = 0; lane < LANES; lane++) total += (double)sums[lane];
    }
    return sqrt(total);
}

void adam_scale(int64_t count, const AdamParameter *parameters, float *const *gradients, float factor) {
    for (int64_t p = 0; p < count; p++)
        for (int64_t i = 0; gradients[p] && i < parameters[p].size; i++) gradients[p][i] *= factor;
}

CLONES void adam_step(int64_t count, const AdamParameter *parameters, const float *const *gradients,
                      double learning_rate, double epsilon, double weight_decay) {
    for (int64_t p = 0; p < count; p++) {
        float *values = parameters[p].values, *means = parameters[p].means, *squares = parameters[p].squares;
        const float *gradient = gradients[p];
        if (!gradient) continue;
        double steps = *parameters[p].steps += 1.0f;
        float rate = (float)(learning_rate / (1.0 - pow((double)BETA_MEANS, steps)));
        float scale = (float)(1.0 / sqrt(1.0 - pow((double)BETA_SQUARES, steps)));
        float keep = (float)(1.0 - learning_rate * weight_decay), least = (float)epsilon;
        INDEPENDENT
        for (int64_t i = 0; i < parameters[p].size; i++) {
            float g = gradient[i];
            means[i] += (1.0f - BETA_MEANS) * (g - means[i]);
            squares[i] = BETA_SQUARES * squares[i] + (1.0f - BETA_SQUARES) * g * g;
            values[i] = keep * values[i] - rate * means[i] / (scale * sqrtf(squares[i]) + least);
        }
    }
}
