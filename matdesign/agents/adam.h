/* adam.h: the optimiser's step for all parameters in one call. Arrays are float32. */
#ifndef MATDESIGN_ADAM_H
#define MATDESIGN_ADAM_H

#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

/* `size` numbers, with the running means of their gradient and its square; `steps` [1] counts steps. */
typedef struct {
    int64_t size;
    float *values, *means, *squares, *steps;
} AdamParameter;

/* The Euclidean norm of all gradients together; each has `size` numbers, or is NULL. */
EXPORT double adam_norm(int64_t count, const AdamParameter *parameters, const float *const *gradients);

/* Multiplies all gradients by `factor`. */
EXPORT void adam_scale(int64_t count, const AdamParameter *parameters, float *const *gradients, float factor);

/* A step of AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2) with betas 0.9 and 0.999. Parameters without
 * a gradient stay as they are. */
EXPORT void adam_step(int64_t count, const AdamParameter *parameters, const float *const *gradients,
                      double learning_rate, double epsilon, double weight_decay);

#endif
