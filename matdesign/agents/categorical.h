/* categorical.h: choices by their logits: sampling, log-probability, entropy and their gradient, each in one pass. */
#ifndef MATDESIGN_CATEGORICAL_H
#define MATDESIGN_CATEGORICAL_H

#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

/* Draws one of `choices` in each row, by inversion of the distribution function at `uniform` [rows], from 0 to less than
 * 1; `log_prob` [rows] is that of what was drawn. Never what has a probability below e^-80. */
EXPORT void categorical_sample(int64_t rows, int64_t choices, const float *logits, const float *uniform,
                               int64_t *actions, float *log_prob);

/* log_p [rows, choices] of every choice, log_prob [rows] of `actions`, entropy [rows] in nats. */
EXPORT void categorical_forward(int64_t rows, int64_t choices, const float *logits, const int64_t *actions,
                                float *log_p, float *log_prob, float *entropy);

/* The gradient with respect to the logits of sum(d_log_prob * log_prob + d_entropy * entropy). */
EXPORT void categorical_backward(int64_t rows, int64_t choices, const float *log_p, const int64_t *actions,
                                 const float *entropy, const float *d_log_prob, const float *d_entropy,
                                 float *d_logits);

#endif
