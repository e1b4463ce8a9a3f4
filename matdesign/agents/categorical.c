#include "categorical.h"

#include "functions.h"

/* There are few choices and many rows: vectors run across the rows of a block. */
enum { BLOCK = 64 };

/* Of `count` rows: the largest logit, and the sums of e^d and of d e^d over the choices, d below the largest. */
INLINE void sums(int count, int64_t choices, const float *logits, float *top, float *total, float *weighted) {
    for (int i = 0; i < count; i++) top[i] = logits[i * choices], total[i] = weighted[i] = 0.0f;
    for (int64_t choice = 1; choice < choices; choice++) {
        INDEPENDENT
        for (int i = 0; i < count; i++) {
            float logit = logits[i * choices + choice];
            top[i] = logit > top[i] ? logit : top[i];
        }
    }
    for (int64_t choice = 0; choice < choices; choice++) {
        INDEPENDENT
        for (int i = 0; i < count; i++) {
            float below = logits[i * choices + choice] - top[i], weight = exponential(below);
            total[i] += weight;
            weighted[i] += below > -80.0f ? below * weight : 0.0f;
        }
    }
}

CLONES void categorical_sample(int64_t rows, int64_t choices, const float *logits, const float *uniform,
                               int64_t *actions, float *log_prob) {
    for (int64_t row = 0; row < rows; row += BLOCK) {
        int count = rows - row < BLOCK ? (int)(rows - row) : BLOCK;
        float top[BLOCK], total[BLOCK], weighted[BLOCK], limit[BLOCK], sum[BLOCK];
        int32_t chosen[BLOCK];
        const float *block = logits + row * choices;
        sums(count, choices, block, top, total, weighted);
        /* Strictly less than the sum of all, which is added up in the same order here. */
        for (int i = 0; i < count; i++) limit[i] = uniform[row + i] * total[i] * 0.9999998f, sum[i] = 0.0f, chosen[i] = 0;
        for (int64_t choice = 0; choice < choices; choice++) {
            INDEPENDENT
            for (int i = 0; i < count; i++) {
                float below = block[i * choices + choice] - top[i];
                sum[i] += below > -80.0f ? exponential(below) : 0.0f;
                chosen[i] += sum[i] <= limit[i];
            }
        }
        for (int i = 0; i < count; i++) {
            int64_t action = chosen[i] < choices ? chosen[i] : choices - 1; /* beyond the end where a logit is a NaN */
            actions[row + i] = action;
            log_prob[row + i] = block[i * choices + action] - top[i] - logarithm(total[i]);
        }
    }
}

CLONES void categorical_forward(int64_t rows, int64_t choices, const float *logits, const int64_t *actions,
                                float *log_p, float *log_prob, float *entropy) {
    for (int64_t row = 0; row < rows; row += BLOCK) {
        int count = rows - row < BLOCK ? (int)(rows - row) : BLOCK;
        float top[BLOCK], total[BLOCK], weighted[BLOCK];
        const float *block = logits + row * choices;
        float *out = log_p + row * choices;
        sums(count, choices, block, top, total, weighted);
        INDEPENDENT
        for (int i = 0; i < count; i++) {
            float log_total = logarithm(total[i]);
            entropy[row + i] = log_total - weighted[i] / total[i];
            top[i] += log_total;
        }
        for (int64_t choice = 0; choice < choices; choice++) {
            INDEPENDENT
            for (int i = 0; i < count; i++) out[i * choices + choice] = block[i * choices + choice] - top[i];
        }
        for (int i = 0; i < count; i++) log_prob[row + i] = out[i * choices + actions[row + i]];
    }
}

CLONES void categorical_backward(int64_t rows, int64_t choices, const float *log_p, const int64_t *actions,
                                 const float *entropy, const float *d_log_prob, const float *d_entropy,
                                 float *d_logits) {
    for (int64_t row = 0; row < rows; row += BLOCK) {
        int count = rows - row < BLOCK ? (int)(rows - row) : BLOCK;
        const float *in = log_p + row * choices, *d_l = d_log_prob + row, *d_e = d_entropy + row, *e = entropy + row;
        float *out = d_logits + row * choices;
        for (int64_t choice = 0; choice < choices; choice++) {
            INDEPENDENT
            for (int i = 0; i < count; i++) {
                float l = in[i * choices + choice], p = l > -80.0f ? exponential(l) : 0.0f;
                out[i * choices + choice] = -p * (d_l[i] + d_e[i] * (l + e[i]));
            }
        }
        for (int i = 0; i < count; i++) out[i * choices + actions[row + i]] += d_l[i];
    }
}
