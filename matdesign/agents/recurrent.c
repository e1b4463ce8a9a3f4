#include "recurrent.h"

#include <stddef.h>

#include "products.h"

/* A step of a block of rows: all arrays begin at its first one. */
typedef struct {
    int64_t block, size;
    const uint8_t *fresh, *fresh_next; /* NULL: no step follows */
} Step;

/* A row's factor: 0 where the flag is set. */
INLINE float kept(const uint8_t *flags, int64_t row) { return flags && flags[row] ? 0.0f : 1.0f; }

/* What the next step remembers of `hidden`. */
INLINE void remember(Step s, const float *hidden, float *next) {
    for (int64_t row = 0; s.fresh_next && row < s.block; row++) {
        float keep = kept(s.fresh_next, row);
        INDEPENDENT
        for (int64_t i = row * s.size; i < (row + 1) * s.size; i++) next[i] = hidden[i] * keep;
    }
}

INLINE void lstm_step(Step s, const float *cell_before, float *gates, float *cell, float *hidden) {
    for (int64_t row = 0; row < s.block; row++) {
        int64_t size = s.size;
        float keep = kept(s.fresh, row), *enter = gates + row * 4 * size, *forget = enter + size, *new = forget + size;
        const float *before = cell_before + row * size;
        float *leave = new + size, *c = cell + row * size, *h = hidden + row * size;
        INDEPENDENT
        for (int64_t i = 0; i < size; i++) {
            enter[i] = sigmoid(enter[i]);
            forget[i] = sigmoid(forget[i]);
            new[i] = hyperbolic_tangent(new[i]);
            leave[i] = sigmoid(leave[i]);
            c[i] = forget[i] * before[i] * keep + enter[i] * new[i];
            h[i] = leave[i] * hyperbolic_tangent(c[i]);
        }
    }
}

INLINE void lstm_step_back(Step s, const float *cell_before, const float *cell, const float *d_output,
                           const float *d_hidden, float *gates, float *d_cell) {
    for (int64_t row = 0; row < s.block; row++) {
        int64_t size = s.size;
        float keep = kept(s.fresh, row), keep_next = kept(s.fresh_next, row);
        const float *before = cell_before + row * size, *c = cell + row * size;
        const float *out = d_output + row * size, *h = d_hidden + row * size;
        float *enter = gates + row * 4 * size, *forget = enter + size, *new = forget + size, *leave = new + size;
        float *d = d_cell + row * size;
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

INLINE void gru_step(Step s, const float *inputs, const float *bias, const float *before, float *remembered, float *gates,
                     float *hidden) {
    for (int64_t row = 0; row < s.block; row++) {
        int64_t size = s.size;
        const float *x = inputs + row * 3 * size, *old = before + row * size;
        float *m = remembered + row * 3 * size, *h = hidden + row * size;
        float *reset = gates + row * 3 * size, *keep = reset + size, *new = keep + size;
        INDEPENDENT
        for (int64_t i = 0; i < size; i++) {
            reset[i] = sigmoid(x[i] + m[i]);
            keep[i] = sigmoid(x[size + i] + m[size + i]);
            m[2 * size + i] += bias[i];
            new[i] = hyperbolic_tangent(x[2 * size + i] + reset[i] * m[2 * size + i]);
            h[i] = new[i] + keep[i] * (old[i] - new[i]);
        }
    }
}

/* `d_hidden` keeps what does not pass through W. */
INLINE void gru_step_back(Step s, const float *before, const float *d_output, float *gates, float *remembered,
                          float *d_hidden) {
    for (int64_t row = 0; row < s.block; row++) {
        int64_t size = s.size;
        float keep_next = kept(s.fresh_next, row);
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

INLINE Step step_at(int64_t t, int64_t steps, int64_t rows, int64_t first, int64_t size, const uint8_t *fresh) {
    const uint8_t *now = fresh + t * rows + first;
    return (Step){rows - first < BLOCK ? rows - first : BLOCK, size, now, t + 1 < steps ? now + rows : NULL};
}

/* Zeroes what the memory before the first step has not been. */
INLINE void end(Step s, float *gradient) {
    for (int64_t row = 0; row < s.block; row++)
        for (int64_t i = 0; i < s.size; i++) gradient[row * s.size + i] *= kept(s.fresh, row);
}

CLONES void lstm_forward(int64_t steps, int64_t rows, int64_t size, const float *inputs, const uint8_t *fresh,
                         const float *weights, float *gates, float *cells, float *hidden, float *before,
                         float *scratch) {
    transpose_to_panels(4 * size, size, weights, scratch);
    for (int64_t first = 0; first < rows; first += BLOCK) {
        for (int64_t t = 0; t < steps; t++) {
            Step s = step_at(t, steps, rows, first, size, fresh);
            int64_t at = (t * rows + first) * size, next = at + rows * size;
            memcpy(gates + 4 * at, inputs + 4 * at, (size_t)(s.block * 4 * size) * sizeof(float));
            add_product(s.block, 4 * size, size, (Matrix){before + at, size, 1}, scratch, 1, gates + 4 * at, 4 * size);
            lstm_step(s, cells + at, gates + 4 * at, cells + next, hidden + at);
            remember(s, hidden + at, before + next);
        }
    }
}

CLONES void lstm_backward(int64_t steps, int64_t rows, int64_t size, const uint8_t *fresh, const float *weights,
                          const float *cells, const float *d_outputs, float *gates, float *d_hidden, float *d_cell,
                          float *scratch) {
    copy_to_panels(4 * size, size, weights, scratch);
    for (int64_t first = 0; first < rows; first += BLOCK) {
        float *d_h = d_hidden + first * size, *d_c = d_cell + first * size;
        for (int64_t t = steps - 1; t >= 0; t--) {
            Step s = step_at(t, steps, rows, first, size, fresh);
            int64_t at = (t * rows + first) * size;
            lstm_step_back(s, cells + at, cells + at + rows * size, d_outputs + at, d_h, gates + 4 * at, d_c);
            memset(d_h, 0, (size_t)(s.block * size) * sizeof(float));
            add_product(s.block, size, 4 * size, (Matrix){gates + 4 * at, 4 * size, 1}, scratch, 1, d_h, size);
        }
        end(step_at(0, steps, rows, first, size, fresh), d_h);
        end(step_at(0, steps, rows, first, size, fresh), d_c);
    }
}

CLONES void gru_forward(int64_t steps, int64_t rows, int64_t size, const float *inputs, const uint8_t *fresh,
                        const float *weights, const float *bias, float *remembered, float *gates, float *hidden,
                        float *before, float *scratch) {
    transpose_to_panels(3 * size, size, weights, scratch);
    for (int64_t first = 0; first < rows; first += BLOCK) {
        for (int64_t t = 0; t < steps; t++) {
            Step s = step_at(t, steps, rows, first, size, fresh);
            int64_t at = (t * rows + first) * size;
            memset(remembered + 3 * at, 0, (size_t)(s.block * 3 * size) * sizeof(float));
            add_product(s.block, 3 * size, size, (Matrix){before + at, size, 1}, scratch, 1, remembered + 3 * at,
                        3 * size);
            gru_step(s, inputs + 3 * at, bias, before + at, remembered + 3 * at, gates + 3 * at, hidden + at);
            remember(s, hidden + at, before + at + rows * size);
        }
    }
}

CLONES void gru_backward(int64_t steps, int64_t rows, int64_t size, const uint8_t *fresh, const float *weights,
                         const float *before, const float *d_outputs, float *gates, float *remembered, float *d_hidden,
                         float *scratch) {
    copy_to_panels(3 * size, size, weights, scratch);
    for (int64_t first = 0; first < rows; first += BLOCK) {
        float *d_h = d_hidden + first * size;
        for (int64_t t = steps - 1; t >= 0; t--) {
            Step s = step_at(t, steps, rows, first, size, fresh);
            int64_t at = (t * rows + first) * size;
            gru_step_back(s, before + at, d_outputs + at, gates + 3 * at, remembered + 3 * at, d_h);
            add_product(s.block, size, 3 * size, (Matrix){remembered + 3 * at, 3 * size, 1}, scratch, 1, d_h, size);
        }
        end(step_at(0, steps, rows, first, size, fresh), d_h);
    }
}
