/* accumulation.h: sums over the steps of a rollout in which each step discounts what came before it. */
#ifndef MATDESIGN_ACCUMULATION_H
#define MATDESIGN_ACCUMULATION_H

#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

/* sums[t] = terms[t] + factors[t] * sums[t - 1], each [steps, rows] float32; `before` [rows] stands for sums[-1]. With
 * `backwards` the last step comes first. */
EXPORT void accumulate(int64_t steps, int64_t rows, int64_t backwards, const float *terms, const float *factors,
                       const float *before, float *sums);

#endif
