#include "recurrent.h"

#include <stddef.h>

#include "functions.h"

/* A row's factor: 0 where the flag is set. */
INLINE float kept(const uint8_t *flags, int64_t row) { return flags && flags[row] ? 0.0f : 1.0f; }

CLONES void lstm_forward(int64_t rows, int64_t size, const float *inputs, const uint8_t *fresh,
                         const uint8_t *fresh_next, const float *cell_before, float *gates, float *cell, float *hidden,
                         float *next) {
    for (int64_t row = 0; row < rows; row++) {
        float keep = kept(fresh, row), keep_next = kept(fresh_next, row);
        const float *x = inputs + row * 4 * size, *before = cell_before + row * size;
        float *enter = gates + row * 4 * size, *forget = enter + size;
        float *new = forget + size, *leave = new + size;
        float *c = cell + row * size, *h = hidden + row * size;
        INDEPENDENT
        for (int64_t i = 0; i < size; i++) {
            enter[i] = sigmoid(enter[i] + x[i]);
            forget[i] = sigmoid(forget[i] + x[size + i]);
            new[i] = hyperbolic_tangent(new[i] + x[2 * size + i]);
            leave[i] = sigmoid(leave[i] + x[3 * size + i]);
            c[i] = forget[i] * before[i] * keep + enter[i] * new[i];
            h[i] = leave[i] * hyperbolic_tangent(c[i]);
        }
        if (!next) continue;
        INDEPENDENT
        for (int64_t i = 0; i < size; i++) next[row * size + i] = h[i] * keep_next;
    }
}

CLONES void lstm_backward(int64_t rows, int64_t size, const uint8_t *fresh, const uint8_t *fresh_next,
                          const float *cell_before, const float *cell, const float *d_output, const float *d_hidden,
                          float *gates, float *d_cell) {
    for (int64_t row = 0; row < rows; row++) {
        float keep = kept(fresh, row), keep_next = kept(fresh_next, row);
        const float *before = cell_before + row * size, *c = cell + row * size;
        const float *out = d_output + row * size, *h = d_hidden + row * size;
        float *enter = gates + row * 4 * size, *forget = enter + size;
        float *new = forget + size, *leave = new + size, *d = d_cell + row * size;
        INDEPENDENT
        for (int64_t i = 0; i < size; i++) {
            float squashed = hyperbolic_tangent(c[i]), d_h = out[i] + keep_next * h[i];
            float d_c = keep_next * d[i] + d_h * leave[i] * (1.0f - squashed * squashed);
            float a = enter[i], f = forget[i], g = new[i], o = leave[i];
            enter[i] = d_c * g * a * (1.0f - a);
            forget[i] = d_c * keep * before[i] * f * (1.0f - f);
            new[i] = d_c * a * (1.0f - g * g);
            leave[i] = d_h * squashed * o * (1.0f - o);
            d[i] = d_c * f;
        }
    }
}

CLONES void gru_forward(int64_t rows, int64_t size, const float *inputs, const uint8_t *fresh_next, const float *bias,
                        const float *before, float *remembered, float *gates, float *hidden, float *next) {
    for (int64_t row = 0; row < rows; row++) {
        float keep_next = kept(fresh_next, row);
        const float *x = inputs + row * 3 * size, *old = before + row * size;
        const float *offset = bias;
        float *m = remembered + row * 3 * size, *h = hidden + row * size;
        float *reset = gates + row * 3 * size, *keep = reset + size, *new = keep + size;
        INDEPENDENT
        for (int64_t i = 0; i < size; i++) {
            reset[i] = sigmoid(x[i] + m[i]);
            keep[i] = sigmoid(x[size + i] + m[size + i]);
            m[2 * size + i] += offset[i];
            new[i] = hyperbolic_tangent(x[2 * size + i] + reset[i] * m[2 * size + i]);
            h[i] = new[i] + keep[i] * (old[i] - new[i]);
        }
        if (!next) continue;
        INDEPENDENT
        for (int64_t i = 0; i < size; i++) next[row * size + i] = h[i] * keep_next;
    }
}

CLONES void gru_backward(int64_t rows, int64_t size, const uint8_t *fresh_next, const float *before,
                         const float *d_output, float *gates, float *remembered, float *d_hidden) {
    for (int64_t row = 0; row < rows; row++) {
        float keep_next = kept(fresh_next, row);
        const float *old = before + row * size, *out = d_output + row * size;
        float *m = remembered + row * 3 * size, *d = d_hidden + row * size;
        float *reset = gates + row * 3 * size, *keep = reset + size, *new = keep + size;
        INDEPENDENT
        for (int64_t i = 0; i < size; i++) {
            float d_h = out[i] + keep_next * d[i], r = reset[i], z = keep[i], n = new[i];
            float d_n = d_h * (1.0f - z) * (1.0f - n * n);
            m[i] = reset[i] = d_n * m[2 * size + i] * r * (1.0f - r);
            m[size + i] = keep[i] = d_h * (old[i] - n) * z * (1.0f - z);
            m[2 * size + i] = d_n * r;
            new[i] = d_n;
            d[i] = d_h * z;
        }
    }
}
