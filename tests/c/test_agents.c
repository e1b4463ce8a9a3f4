/* test_agents.c: what agents compute, in buffers of exactly the size it may touch. */
#include <math.h>
#include <string.h>

#include "../../matdesign/agents/accumulation.h"
#include "../../matdesign/agents/adam.h"
#include "../../matdesign/agents/categorical.h"
#include "../../matdesign/agents/fused.h"
#include "../../matdesign/agents/perceptron.h"
#include "../../matdesign/agents/recurrent.h"
#include "check.h"

static float *numbers(int64_t count, float scale, Random *random) {
    float *array = malloc((size_t)count * sizeof(float) + (count == 0));
    for (int64_t i = 0; i < count; i++) array[i] = scale * (2.0f * (float)random_uniform(random) - 1.0f);
    return array;
}

static void recurrent(int64_t steps, int64_t rows, int64_t size) {
    Random random = {7};
    int64_t all = steps * rows * size;
    uint8_t *fresh = malloc((size_t)(steps * rows));
    for (int64_t i = 0; i < steps * rows; i++) fresh[i] = i % 3 == 0;
    float *weights = numbers(4 * size * size, 0.3f, &random), *scratch = numbers(4 * size * size, 0.0f, &random);
    float *inputs = numbers(4 * all, 5.0f, &random), *gates = numbers(4 * all, 5.0f, &random);
    float *cells = numbers(all + rows * size, 1.0f, &random), *before = numbers(all, 1.0f, &random);
    float *hidden = numbers(all, 0.0f, &random), *d_outputs = numbers(all, 1.0f, &random);
    float *d_hidden = numbers(rows * size, 1.0f, &random), *d_cell = numbers(rows * size, 1.0f, &random);
    float *three = numbers(3 * all, 5.0f, &random), *remembered = numbers(3 * all, 5.0f, &random);
    float *bias = numbers(size, 1.0f, &random), *three_inputs = numbers(3 * all, 5.0f, &random);

    lstm_forward(steps, rows, size, inputs, fresh, weights, gates, cells, hidden, before, scratch);
    for (int64_t i = 0; i < all; i++) {
        CHECK(fabsf(hidden[i]) < 1.0f);
        int64_t t = i / (rows * size), row = i / size % rows;
        CHECK(t == 0 || before[i] == (fresh[t * rows + row] ? 0.0f : hidden[i - rows * size]));
    }
    lstm_backward(steps, rows, size, fresh, weights, cells, d_outputs, gates, d_hidden, d_cell, scratch);
    for (int64_t i = 0; i < 4 * all; i++) CHECK(isfinite(gates[i]));
    gru_forward(steps, rows, size, three_inputs, fresh, weights, bias, remembered, three, hidden, before, scratch);
    gru_backward(steps, rows, size, fresh, weights, before, d_outputs, three, remembered, d_hidden, scratch);
    for (int64_t i = 0; i < 3 * all; i++) CHECK(isfinite(three[i]) && isfinite(remembered[i]));
    for (int64_t i = 0; i < rows * size; i++) CHECK(isfinite(d_hidden[i]) && (!fresh[i / size] || d_hidden[i] == 0.0f));

    void *taken[] = {fresh, weights, scratch, inputs, gates, cells, before, hidden, d_outputs, d_hidden, d_cell, three,
                     remembered, bias, three_inputs};
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) free(taken[i]);
}

static void categorical(int64_t rows, int64_t choices) {
    Random random = {11};
    float *logits = numbers(rows * choices, 200.0f, &random), *uniform = numbers(rows, 0.0f, &random);
    float *log_p = numbers(rows * choices, 0.0f, &random), *log_prob = numbers(rows, 0.0f, &random);
    float *drawn = numbers(rows, 0.0f, &random), *entropy = numbers(rows, 0.0f, &random);
    float *gradient = numbers(rows * choices, 0.0f, &random);
    int64_t *actions = malloc((size_t)rows * sizeof(int64_t));
    for (int64_t i = 0; i < rows; i++) uniform[i] = i % 5 == 0 ? 0.0f : i % 5 == 1 ? 0.99999994f : (float)random_uniform(&random);
    for (int64_t i = 0; i < rows; i += 2) logits[i * choices] = choices > 1 ? -1e9f : 0.0f; /* impossible */
    categorical_sample(rows, choices, logits, uniform, actions, drawn);
    categorical_forward(rows, choices, logits, actions, log_p, log_prob, entropy);
    for (int64_t i = 0; i < rows; i++) {
        CHECK(actions[i] >= 0 && actions[i] < choices);
        CHECK(choices == 1 || i % 2 == 1 || actions[i] > 0);
        CHECK(fabsf(drawn[i] - log_prob[i]) < 1e-4f && entropy[i] > -1e-5f);
    }
    categorical_backward(rows, choices, log_p, actions, entropy, uniform, drawn, gradient);
    for (int64_t i = 0; i < rows * choices; i++) CHECK(isfinite(gradient[i]));
    for (int64_t i = 0; i < rows * choices; i++) logits[i] = NAN;
    categorical_sample(rows, choices, logits, uniform, actions, drawn);
    for (int64_t i = 0; i < rows; i++) CHECK(actions[i] >= 0 && actions[i] < choices && isnan(drawn[i]));

    void *all[] = {logits, uniform, log_p, log_prob, drawn, entropy, gradient, actions};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) free(all[i]);
}

/* Three layers of these inputs and outputs; `last`: the first alone. */
static void perceptron(int64_t rows, int64_t inputs, int64_t outputs, int last, int64_t activation) {
    Random random = {13};
    int64_t sizes[] = {inputs, outputs, 17, 2}, count = last ? 1 : 3, width = sizes[count], weights = 0, kept = 0;
    PerceptronLayer layers[3];
    for (int64_t l = 0; l < count; l++) {
        layers[l] = (PerceptronLayer){sizes[l], sizes[l + 1], l + 1 < count ? activation : LINEAR,
                                      numbers(sizes[l] * sizes[l + 1], 0.5f, &random),
                                      numbers(sizes[l + 1], 0.5f, &random)};
        weights += (sizes[l] + 1) * sizes[l + 1];
        kept += l + 1 < count ? sizes[l + 1] : 0;
    }
    float *seen = numbers(rows * inputs, 1.0f, &random), *activations = numbers(rows * kept, 0.0f, &random);
    float *given = numbers(rows * width, 0.0f, &random), *again = numbers(rows * width, 0.0f, &random);
    float *scratch = numbers(perceptron_scratch(count, layers), 0.0f, &random);
    float *sums = numbers(weights, 1.0f, &random), *transposed = numbers(perceptron_weights(count, layers), 0.0f, &random);
    float *gradients = numbers(weights, 1.0f, &random), *d_seen = numbers(rows * inputs, 1.0f, &random);

    CHECK(perceptron_parameters(count, layers) == weights);
    perceptron_transpose(count, layers, transposed);
    perceptron_forward(rows, count, layers, transposed, seen, activations, given, scratch);
    perceptron_forward(rows, count, layers, transposed, seen, NULL, again, scratch);
    CHECK(memcmp(given, again, (size_t)(rows * width) * sizeof(float)) == 0);
    for (int64_t i = 0; i < rows * kept; i++) CHECK(isfinite(activations[i]));
    perceptron_backward(rows, count, layers, seen, activations, given, sums, NULL, scratch);
    perceptron_backward(rows, count, layers, seen, activations, given, sums, d_seen, scratch);
    perceptron_gradients(count, layers, sums, gradients);
    for (int64_t i = 0; i < weights; i++) CHECK(isfinite(gradients[i]));
    for (int64_t i = 0; i < rows * inputs; i++) CHECK(isfinite(d_seen[i]));

    for (int64_t l = 0; l < count; l++) free((void *)layers[l].weight), free((void *)layers[l].bias);
    void *all[] = {seen, activations, given, again, scratch, sums, transposed, gradients, d_seen};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) free(all[i]);
}

extern const Environment environment_cartpole, environment_drone_swarm;

/* Three layers on `inputs` numbers. */
static void network(PerceptronLayer *layers, int64_t inputs, int64_t outputs, Random *random) {
    int64_t sizes[] = {inputs, 20, 16, outputs};
    for (int l = 0; l < 3; l++)
        layers[l] = (PerceptronLayer){sizes[l], sizes[l + 1], l < 2 ? TANH : LINEAR,
                                      numbers(sizes[l] * sizes[l + 1], 0.3f, random), numbers(sizes[l + 1], 0.3f, random)};
}

/* A rollout in an environment, the gradient of some of its transitions and a step of the optimiser. */
static void learn(const Environment *environment, int64_t envs, int64_t steps, float value_clip) {
    Fixture f;
    CHECK(fixture_open(&f, environment, NULL, 0, envs, 1) == 0);
    vector_reset(f.vector, 3);
    Random random = {17};
    int64_t features = f.spaces.features, dims = f.spaces.action_dims, choices = f.spaces.choices, rows = f.rows;
    int64_t all = steps * rows, bytes = f.spaces.bytes;
    PerceptronLayer actor[3], critic[3];
    network(actor, features, dims * (choices ? choices : 1), &random);
    network(critic, features, 1, &random);
    float *mean = numbers(features, 0.1f, &random), *var = numbers(features, 0.0f, &random);
    float *log_sigma = numbers(dims, 0.5f, &random);
    FusedPolicy policy = {features, bytes, dims, choices, 0, 3, 3, mean, var, log_sigma, NULL, actor, critic};
    float *scratch = numbers(fused_scratch(&policy), 0.0f, &random), *noise = numbers(all * dims, 0.0f, &random);
    for (int64_t i = 0; i < all * dims; i++) noise[i] = (float)random_uniform(&random);

    char *encoded = malloc(fixture_observation_bytes(&f) * (size_t)(steps + 1));
    void *taken = malloc((size_t)(all * dims) * (choices ? sizeof(int64_t) : sizeof(float)));
    float *log_probs = numbers(all, 0.0f, &random), *values = numbers(all + rows, 0.0f, &random);
    float *rewards = numbers(all, 0.0f, &random);
    uint8_t *terminals = malloc((size_t)all), *masks = malloc((size_t)all);
    memcpy(encoded, f.observations, fixture_observation_bytes(&f));
    FusedRollout rollout = {steps, rows, f.observations, f.actions, f.rewards, f.terminals, f.masks, encoded, taken,
                            noise, log_probs, values, rewards, terminals, masks};
    double seconds[3] = {0};
    CHECK(fused_collect(&policy, f.vector, &rollout, seconds, scratch) == steps);
    for (int64_t i = 0; i < all; i++) CHECK(log_probs[i] < 10.0f && isfinite(values[i]) && isfinite(rewards[i]));
    f.rewards[rows - 1] = NAN; /* which the next step overwrites */
    CHECK(fused_collect(&policy, f.vector, &rollout, seconds, scratch) == steps);

    int64_t count = all / 2, size = perceptron_parameters(3, actor) + perceptron_parameters(3, critic) + (choices ? 0 : dims);
    int64_t *chosen = malloc((size_t)count * sizeof(int64_t));
    for (int64_t i = 0; i < count; i++) chosen[i] = all - 1 - 2 * i;
    float *advantages = numbers(all, 1.0f, &random), *targets = numbers(all, 1.0f, &random), terms[5];
    float *ratios = numbers(count, 0.0f, &random), *now = numbers(count, 0.0f, &random);
    float *weights = numbers(count, 1.0f, &random), *gradient = numbers(size, 0.0f, &random);
    FusedTransitions transitions = {encoded, taken, log_probs, advantages, values, targets};
    FusedLoss loss = {0.2f, value_clip, 0.5f, 0.01f};
    fused_gradient(&policy, &transitions, &loss, count, chosen, value_clip > 0.0f ? weights : NULL, 1.0f / (float)count,
                   terms, ratios, now, gradient, scratch);
    for (int64_t i = 0; i < count; i++) CHECK(fabsf(ratios[i] - 1.0f) < 1e-4f);
    for (int64_t i = 0; i < size; i++) CHECK(isfinite(gradient[i]));

    float *means = numbers(size, 0.0f, &random), *squares = numbers(size, 0.0f, &random), counter = 0.0f;
    float *parameters = numbers(size, 1.0f, &random), *steered[] = {gradient};
    AdamParameter parameter = {size, parameters, means, squares, &counter};
    double norm = adam_norm(1, &parameter, (const float *const *)steered);
    CHECK(norm > 0.0);
    adam_scale(1, &parameter, steered, (float)(1.0 / norm));
    CHECK(fabs(adam_norm(1, &parameter, (const float *const *)steered) - 1.0) < 1e-4);
    adam_step(1, &parameter, (const float *const *)steered, 1e-3, 1e-5, 0.1);
    CHECK(counter == 1.0f);
    for (int64_t i = 0; i < size; i++) CHECK(isfinite(parameters[i]));

    for (int l = 0; l < 3; l++) {
        free((void *)actor[l].weight), free((void *)actor[l].bias);
        free((void *)critic[l].weight), free((void *)critic[l].bias);
    }
    void *memory[] = {mean, var, log_sigma, scratch, noise, encoded, taken, log_probs, values, rewards, terminals, masks,
                      chosen, advantages, targets, ratios, now, weights, gradient, means, squares, parameters};
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++) free(memory[i]);
    fixture_close(&f);
}

static void sums(int64_t steps, int64_t rows) {
    Random random = {19};
    float *terms = numbers(steps * rows, 1.0f, &random), *factors = numbers(steps * rows, 1.0f, &random);
    float *before = numbers(rows, 1.0f, &random), *after = numbers(steps * rows, 0.0f, &random);
    accumulate(steps, rows, 1, terms, factors, before, after);
    accumulate(steps, rows, 0, terms, factors, before, after);
    for (int64_t i = 0; i < steps * rows; i++) CHECK(isfinite(after[i]));
    free(terms), free(factors), free(before), free(after);
}

int main(void) {
    const int64_t sizes[] = {1, 3, 16, 65};
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 4; j++) {
            recurrent(1 + (int64_t)(i + j) % 3, sizes[i], sizes[j]);
            categorical(sizes[i], sizes[j]);
            sums(sizes[i], sizes[j]);
            for (size_t k = 0; k < 4; k++) perceptron(sizes[i], sizes[j], sizes[k], (int)(i + k) % 2, TANH + (int64_t)(j + k) % 3);
        }
    const Environment *const environments[] = {&environment_squared, &environment_cartpole, &environment_drone_swarm};
    for (int i = 0; i < 3; i++) learn(environments[i], 7, 50, 0.0f), learn(environments[i], 2, 3, 0.2f);
    puts("agents: ok");
}
