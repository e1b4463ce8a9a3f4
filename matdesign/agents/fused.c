#include "fused.h"

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <time.h>

#include "categorical.h"
#include "functions.h"

#define HALF_LOG_2PI 0.91893853f

/* Rows that are taken through everything before the next ones: what is kept of them fits into a core's cache. */
enum { CHUNK = 256 };

/* Rows between asking memory for one and its use. */
enum { AHEAD = 16 };
enum { POLICY, VALUE, ENTROPY, CLIP_FRACTION, KL, TERMS };

/* Parts of the scratch memory, in floats; each begins at a multiple of 16. */
typedef struct {
    float *kept, *transposed, *sums;
} Network;

typedef struct {
    Network trunk, actor, critic;
    float *scale, *inputs, *seen, *d_seen, *d_also_seen, *output, *d_output, *log_p, *log_prob, *entropy, *d_log_prob;
    float *d_entropy, *d_value, *perceptron;
    int64_t *actions;
} Scratch;

static int64_t take(float **part, float *memory, int64_t taken, int64_t size) {
    *part = memory ? memory + taken : NULL;
    return taken + (size + 15) / 16 * 16;
}

static int64_t take_network(Network *network, float *memory, int64_t taken, int64_t count, const PerceptronLayer *layers) {
    int64_t activated = 0;
    for (int64_t l = 0; l < count; l++) activated += layers[l].activation != LINEAR ? layers[l].outputs : 0;
    taken = take(&network->kept, memory, taken, CHUNK * activated);
    taken = take(&network->transposed, memory, taken, perceptron_weights(count, layers));
    return take(&network->sums, memory, taken, perceptron_parameters(count, layers));
}

static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

/* Columns of what actor and critic see. */
static int64_t width(const FusedPolicy *p) { return p->actor[0].inputs; }

static int64_t divided(const FusedPolicy *p, float *memory, Scratch *s) {
    int64_t outputs = p->action_dims * (p->choices ? p->choices : 1), columns = CHUNK * p->action_dims, taken = 0;
    int64_t actor = perceptron_scratch(p->actor_layers, p->actor), critic = perceptron_scratch(p->critic_layers, p->critic);
    float *actions;
    taken = take_network(&s->trunk, memory, taken, p->trunk_layers, p->trunk);
    taken = take_network(&s->actor, memory, taken, p->actor_layers, p->actor);
    taken = take_network(&s->critic, memory, taken, p->critic_layers, p->critic);
    taken = take(&s->scale, memory, taken, p->features);
    taken = take(&s->inputs, memory, taken, CHUNK * p->features);
    taken = take(&s->seen, memory, taken, p->trunk_layers ? CHUNK * width(p) : 0);
    taken = take(&s->d_seen, memory, taken, p->trunk_layers ? CHUNK * width(p) : 0);
    taken = take(&s->d_also_seen, memory, taken, p->trunk_layers ? CHUNK * width(p) : 0);
    taken = take(&s->output, memory, taken, CHUNK * outputs);
    taken = take(&s->d_output, memory, taken, CHUNK * outputs);
    taken = take(&s->log_p, memory, taken, CHUNK * outputs);
    taken = take(&s->log_prob, memory, taken, columns);
    taken = take(&s->entropy, memory, taken, columns);
    taken = take(&s->d_log_prob, memory, taken, columns);
    taken = take(&s->d_entropy, memory, taken, columns);
    taken = take(&s->d_value, memory, taken, CHUNK);
    taken = take(&s->perceptron, memory, taken, most(most(actor, critic), perceptron_scratch(p->trunk_layers, p->trunk)));
    taken = take(&actions, memory, taken, 2 * columns);
    s->actions = (int64_t *)actions;
    if (!p->trunk_layers) s->seen = s->inputs;
    return taken;
}

int64_t fused_scratch(const FusedPolicy *policy) {
    Scratch none;
    return divided(policy, NULL, &none);
}

static void transpose(const FusedPolicy *p, Scratch *s) {
    perceptron_transpose(p->trunk_layers, p->trunk, s->trunk.transposed);
    perceptron_transpose(p->actor_layers, p->actor, s->actor.transposed);
    perceptron_transpose(p->critic_layers, p->critic, s->critic.transposed);
}

/* The chosen rows (NULL: all in order), normalised as in normalise.py. */
CLONES static void normalise(const FusedPolicy *p, int64_t rows, const void *encoded, const int64_t *chosen, Scratch *s) {
    for (int64_t f = 0; f < p->features; f++) s->scale[f] = 1.0f / sqrtf(p->var[f] + 1e-4f);
    int64_t row_bytes = p->features * (p->bytes ? 1 : (int64_t)sizeof(float));
    for (int64_t i = 0; i < rows; i++) {
        if (chosen && i + AHEAD < rows) {
            const char *next = (const char *)encoded + chosen[i + AHEAD] * row_bytes;
            for (int64_t byte = 0; byte < row_bytes + 63; byte += 64) __builtin_prefetch(next + byte);
        }
        int64_t row = (chosen ? chosen[i] : i) * p->features;
        const float *numbers = (const float *)encoded + row, *mean = p->mean, *scale = s->scale;
        const uint8_t *bytes = (const uint8_t *)encoded + row;
        float *to = s->inputs + i * p->features;
        INDEPENDENT
        for (int64_t f = 0; f < p->features; f++) {
            if (p->bytes) {
                to[f] = ((float)bytes[f] - mean[f]) * scale[f];
            } else {
                float x = (numbers[f] - mean[f]) * scale[f];
                x = x < -5.0f ? -5.0f : x;
                to[f] = x > 5.0f ? 5.0f : x;
            }
        }
    }
}

/* What actor and critic see of the chosen rows, in s->seen. */
static void see(const FusedPolicy *p, int64_t rows, const void *encoded, const int64_t *chosen, float *kept, Scratch *s) {
    normalise(p, rows, encoded, chosen, s);
    if (p->trunk_layers)
        perceptron_forward(rows, p->trunk_layers, p->trunk, s->trunk.transposed, s->inputs, kept, s->seen, s->perceptron);
}

static void draw(const FusedPolicy *p, int64_t count, const float *noise, void *taken, float *log_probs, Scratch *s) {
    int64_t dims = p->action_dims;
    perceptron_forward(count, p->actor_layers, p->actor, s->actor.transposed, s->seen, NULL, s->output, s->perceptron);
    if (p->choices) {
        categorical_sample(count * dims, p->choices, s->output, noise, taken, s->log_prob);
    } else {
        for (int64_t i = 0; i < count * dims; i++) {
            float log_sigma = p->log_sigma[i % dims], z = noise[i];
            ((float *)taken)[i] = s->output[i] + z * exponential(log_sigma);
            s->log_prob[i] = -0.5f * z * z - log_sigma - HALF_LOG_2PI;
        }
    }
    for (int64_t i = 0; i < count; i++) {
        log_probs[i] = 0.0f;
        for (int64_t d = 0; d < dims; d++) log_probs[i] += s->log_prob[i * dims + d];
    }
}

/* As fused_act, once the scratch memory is divided and weights are transposed. */
static void act(const FusedPolicy *p, int64_t rows, const void *encoded, const float *noise, void *taken,
                float *log_probs, float *values, Scratch *s) {
    int64_t dims = p->action_dims, row_bytes = p->features * (p->bytes ? 1 : (int64_t)sizeof(float));
    int64_t taken_bytes = dims * (int64_t)(p->choices ? sizeof(int64_t) : sizeof(float));
    for (int64_t first = 0; first < rows; first += CHUNK) {
        int64_t count = rows - first < CHUNK ? rows - first : CHUNK;
        see(p, count, (const char *)encoded + first * row_bytes, NULL, NULL, s);
        perceptron_forward(count, p->critic_layers, p->critic, s->critic.transposed, s->seen, NULL, values + first,
                           s->perceptron);
        if (noise) draw(p, count, noise + first * dims, (char *)taken + first * taken_bytes, log_probs + first, s);
    }
}

void fused_act(const FusedPolicy *p, int64_t rows, const void *encoded, const float *noise, void *taken,
               float *log_probs, float *values, float *scratch) {
    Scratch s;
    divided(p, scratch, &s);
    transpose(p, &s);
    act(p, rows, encoded, noise, taken, log_probs, values, &s);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

CLONES static int all_finite(int64_t count, const float *numbers) {
    int broken = 0;
    for (int64_t i = 0; i < count; i++) broken |= !(fabsf(numbers[i]) <= FLT_MAX);
    return !broken;
}

int64_t fused_collect(const FusedPolicy *p, Vector *vector, const FusedRollout *r, double *seconds, float *scratch) {
    int64_t rows = r->rows, columns = rows * p->action_dims, numbers = rows * p->features;
    size_t row_bytes = (size_t)numbers * (p->bytes ? 1 : sizeof(float));
    size_t taken_bytes = (size_t)columns * (p->choices ? sizeof(int64_t) : sizeof(float));
    Scratch s;
    divided(p, scratch, &s);
    transpose(p, &s);
    for (int64_t t = 0;; t++) {
        char *encoded = (char *)r->encoded + (size_t)t * row_bytes, *taken = (char *)r->taken + (size_t)t * taken_bytes;
        double start = now();
        act(p, rows, encoded, t < r->steps ? r->noise + t * columns : NULL, taken, r->log_probs + t * rows,
            r->values + t * rows, &s);
        double acted = now();
        seconds[0] += acted - start;
        if (t == r->steps) return t;
        for (int64_t i = 0; p->choices && i < columns; i++) ((int32_t *)r->actions)[i] = (int32_t)((int64_t *)taken)[i];
        if (!p->choices) memcpy(r->actions, taken, taken_bytes);
        vector_step(vector);
        double stepped = now();
        memcpy(r->rewards + t * rows, r->env_rewards, (size_t)rows * sizeof(float));
        memcpy(r->terminals + t * rows, r->env_terminals, (size_t)rows);
        memcpy(r->masks + t * rows, r->env_masks, (size_t)rows);
        memcpy(encoded + row_bytes, r->observations, row_bytes);
        int good = all_finite(rows, r->env_rewards) && (p->bytes || all_finite(numbers, r->observations));
        seconds[1] += stepped - acted;
        seconds[2] += now() - stepped;
        if (!good) return t;
    }
}

/* Log-probabilities and entropies of what was taken, one for each column. */
static void evaluate(const FusedPolicy *p, const FusedTransitions *t, int64_t count, const int64_t *chosen, Scratch *s) {
    int64_t dims = p->action_dims;
    if (p->choices) {
        for (int64_t i = 0; i < count; i++)
            for (int64_t d = 0; d < dims; d++) s->actions[i * dims + d] = ((const int64_t *)t->taken)[chosen[i] * dims + d];
        categorical_forward(count * dims, p->choices, s->output, s->actions, s->log_p, s->log_prob, s->entropy);
        return;
    }
    for (int64_t d = 0; d < dims; d++) {
        float log_sigma = p->log_sigma[d], inverse = exponential(-log_sigma);
        for (int64_t i = 0; i < count; i++) {
            int64_t at = i * dims + d;
            float z = (((const float *)t->taken)[chosen[i] * dims + d] - s->output[at]) * inverse;
            s->log_p[at] = z;
            s->log_prob[at] = -0.5f * z * z - log_sigma - HALF_LOG_2PI;
            s->entropy[at] = 0.5f + HALF_LOG_2PI + log_sigma;
        }
    }
}

/* From the gradients of log-probabilities and entropies to those of the output, and of log_sigma. */
static void answer(const FusedPolicy *p, int64_t count, Scratch *s, float *d_log_sigma) {
    int64_t dims = p->action_dims;
    if (p->choices) {
        categorical_backward(count * dims, p->choices, s->log_p, s->actions, s->entropy, s->d_log_prob, s->d_entropy,
                             s->d_output);
        return;
    }
    for (int64_t d = 0; d < dims; d++) {
        float inverse = exponential(-p->log_sigma[d]), sum = 0.0f;
        for (int64_t i = d; i < count * dims; i += dims) {
            float z = s->log_p[i];
            s->d_output[i] = s->d_log_prob[i] * z * inverse;
            sum += s->d_log_prob[i] * (z * z - 1.0f) + s->d_entropy[i];
        }
        d_log_sigma[d] += sum;
    }
}

INLINE void pick(int64_t count, const int64_t *chosen, const float *from, float *to) {
    for (int64_t i = 0; i < count; i++) to[i] = from[chosen[i]];
}

/* Adds the terms of the loss, and writes its gradients with respect to log-probabilities, entropies and values. */
CLONES static void lose(const FusedPolicy *p, const FusedTransitions *t, const FusedLoss *loss, int64_t count,
                        const int64_t *chosen, const float *weights, float share, double *terms, float *ratios,
                        const float *values, Scratch *s) {
    int64_t dims = p->action_dims;
    float low = 1.0f - loss->clip, high = 1.0f + loss->clip, limit = loss->value_clip > 0.0f ? loss->value_clip : INFINITY;
    float log_ratio[CHUNK], entropy[CHUNK], advantage[CHUNK], before[CHUNK], target[CHUNK], d_log_prob[CHUNK];
    float part[TERMS][CHUNK];
    pick(count, chosen, t->log_probs, log_ratio);
    pick(count, chosen, t->advantages, advantage);
    pick(count, chosen, t->values, before);
    pick(count, chosen, t->targets, target);
    for (int64_t i = 0; i < count; i++) {
        float log_prob = 0.0f;
        entropy[i] = 0.0f;
        for (int64_t d = 0; d < dims; d++) log_prob += s->log_prob[i * dims + d], entropy[i] += s->entropy[i * dims + d];
        log_ratio[i] = log_prob - log_ratio[i];
    }
    INDEPENDENT
    for (int64_t i = 0; i < count; i++) {
        float weight = weights ? weights[i] : 1.0f, of_all = share * weight;
        float change = weight == 0.0f ? 0.0f : log_ratio[i]; /* whatever the dead see */
        float ratio = exponential(change), clipped = ratio < low ? low : ratio > high ? high : ratio;
        float rewarded = ratio * advantage[i], least = clipped * advantage[i];
        float error = values[i] - target[i], moved = values[i] - before[i];
        float held = moved < -limit ? -limit : moved > limit ? limit : moved, near = before[i] + held - target[i];
        /* The larger error counts; where the value is held it has no gradient. */
        int is_near = limit < INFINITY && near * near > error * error;
        float counted = is_near ? near : error;
        ratios[i] = ratio;
        part[POLICY][i] = -weight * (rewarded <= least ? rewarded : least);
        part[VALUE][i] = weight * (0.5f * counted * counted);
        part[ENTROPY][i] = weight * entropy[i];
        part[CLIP_FRACTION][i] = ratio != clipped ? weight : 0.0f;
        part[KL][i] = weight * (ratio - 1.0f - change);
        s->d_value[i] = of_all * loss->value_coefficient * (is_near && held != moved ? 0.0f : counted);
        d_log_prob[i] = rewarded <= least ? -of_all * rewarded : 0.0f;
        entropy[i] = -of_all * loss->entropy_coefficient;
    }
    for (int term = 0; term < TERMS; term++)
        for (int64_t i = 0; i < count; i++) terms[term] += (double)part[term][i];
    for (int64_t i = 0; i < count; i++)
        for (int64_t d = 0; d < dims; d++)
            s->d_log_prob[i * dims + d] = d_log_prob[i], s->d_entropy[i * dims + d] = entropy[i];
}

static void clear(float *sums, int64_t count, const PerceptronLayer *layers) {
    memset(sums, 0, (size_t)perceptron_parameters(count, layers) * sizeof(float));
}

void fused_gradient(const FusedPolicy *p, const FusedTransitions *t, const FusedLoss *loss, int64_t count,
                    const int64_t *chosen, const float *weights, float share, float *terms, float *ratios,
                    float *values, float *gradient, float *scratch) {
    Scratch s;
    divided(p, scratch, &s);
    transpose(p, &s);
    clear(s.trunk.sums, p->trunk_layers, p->trunk);
    clear(s.actor.sums, p->actor_layers, p->actor);
    clear(s.critic.sums, p->critic_layers, p->critic);
    float *of_actor = gradient + perceptron_parameters(p->trunk_layers, p->trunk);
    float *of_critic = of_actor + perceptron_parameters(p->actor_layers, p->actor);
    float *of_sigma = of_critic + perceptron_parameters(p->critic_layers, p->critic);
    for (int64_t d = 0; d < p->action_dims && !p->choices; d++) of_sigma[d] = 0.0f;
    double sums[TERMS] = {0};
    for (int64_t first = 0; first < count; first += CHUNK) {
        int64_t rows = count - first < CHUNK ? count - first : CHUNK;
        const int64_t *of = chosen + first;
        see(p, rows, t->encoded, of, s.trunk.kept, &s);
        perceptron_forward(rows, p->actor_layers, p->actor, s.actor.transposed, s.seen, s.actor.kept, s.output,
                           s.perceptron);
        perceptron_forward(rows, p->critic_layers, p->critic, s.critic.transposed, s.seen, s.critic.kept, values + first,
                           s.perceptron);
        evaluate(p, t, rows, of, &s);
        lose(p, t, loss, rows, of, weights ? weights + first : NULL, share, sums, ratios + first, values + first, &s);
        answer(p, rows, &s, of_sigma);
        float *d_seen = p->trunk_layers ? s.d_seen : NULL, *d_also_seen = p->trunk_layers ? s.d_also_seen : NULL;
        perceptron_backward(rows, p->actor_layers, p->actor, s.seen, s.actor.kept, s.d_output, s.actor.sums, d_seen,
                            s.perceptron);
        perceptron_backward(rows, p->critic_layers, p->critic, s.seen, s.critic.kept, s.d_value, s.critic.sums,
                            d_also_seen, s.perceptron);
        if (!p->trunk_layers) continue;
        for (int64_t i = 0; i < rows * width(p); i++) d_seen[i] += d_also_seen[i];
        perceptron_backward(rows, p->trunk_layers, p->trunk, s.inputs, s.trunk.kept, d_seen, s.trunk.sums, NULL,
                            s.perceptron);
    }
    perceptron_gradients(p->trunk_layers, p->trunk, s.trunk.sums, gradient);
    perceptron_gradients(p->actor_layers, p->actor, s.actor.sums, of_actor);
    perceptron_gradients(p->critic_layers, p->critic, s.critic.sums, of_critic);
    for (int i = 0; i < TERMS; i++) terms[i] = (float)sums[i] * share;
}
