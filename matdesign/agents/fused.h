/* fused.h: acting and the gradient of PPO's loss in one call each, for a policy of perceptrons on the normalised
 * observation: what the operations of losses.py, distributions.py and normalise.py give one by one. */
#ifndef MATDESIGN_FUSED_H
#define MATDESIGN_FUSED_H

#include "../vector/vector.h"
#include "perceptron.h"

/* Networks for the action and for the value, behind a trunk that they share, which may have no layers. `mean` and `var`
 * [features] normalise what it sees.
 * choices: of each of the action's columns; 0: continuous, with `log_sigma` [action_dims]. */
typedef struct {
    int64_t features, bytes, action_dims, choices, trunk_layers, actor_layers, critic_layers;
    const float *mean, *var, *log_sigma;
    const PerceptronLayer *trunk, *actor, *critic;
} FusedPolicy;

/* A rollout's transitions, one row each: encoded [features] uint8 (`bytes`) or float32, taken [action_dims] int64 or
 * float32. */
typedef struct {
    const void *encoded, *taken;
    const float *log_probs, *advantages, *values, *targets;
} FusedTransitions;

typedef struct {
    float clip, value_clip, value_coefficient, entropy_coefficient;
} FusedLoss;

/* Floats of scratch that the functions below want. */
EXPORT int64_t fused_scratch(const FusedPolicy *policy);

/* Fills the values of encoded rows; and the actions that `noise` [rows, action_dims] draws (uniform in [0, 1) for
 * choices, else standard normal) with their log-probabilities, where `noise` is not NULL. */
EXPORT void fused_act(const FusedPolicy *policy, int64_t rows, const void *encoded, const float *noise, void *taken,
                      float *log_probs, float *values, float *scratch);

/* Buffers of a rollout: those of the environments, [rows] each, and what becomes of them, [steps, rows]. */
typedef struct {
    int64_t steps, rows;
    const void *observations;
    void *actions;
    const float *env_rewards;
    const uint8_t *env_terminals, *env_masks;
    void *encoded, *taken; /* encoded and values: [steps + 1, rows] */
    const float *noise;
    float *log_probs, *values, *rewards;
    uint8_t *terminals, *masks;
} FusedRollout;

/* Acts for all rows, and steps the environments, `steps` times; the first encoded rows are there. Adds the seconds of the
 * policy, of the environments and of copying to `seconds` [3]. Returns how many steps gave finite rewards and observations
 * only: `steps`, or it has left off behind the first that did not. */
EXPORT int64_t fused_collect(const FusedPolicy *policy, Vector *vector, const FusedRollout *rollout, double *seconds,
                             float *scratch);

/* Of the `count` transitions numbered `chosen`, with `weights` in the loss (NULL: all 1): ratios of probabilities and
 * values; sums of the terms of the loss [5] in the order of losses.FIGURES, and of the gradient, times `share`: of the
 * trunk's layers, the actor's, the critic's, log_sigma. */
EXPORT void fused_gradient(const FusedPolicy *policy, const FusedTransitions *transitions, const FusedLoss *loss,
                           int64_t count, const int64_t *chosen, const float *weights, float share, float *terms,
                           float *ratios, float *values, float *gradient, float *scratch);

#endif
