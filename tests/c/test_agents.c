/* test_agents.c: what agents compute, in buffers of exactly the size it may touch. */
#include <math.h>
#include <string.h>

#include "../../matdesign/agents/categorical.h"
#include "../../matdesign/agents/perceptron.h"
#include "../../matdesign/agents/recurrent.h"
#include "check.h"

static float *numbers(int64_t count, float scale, Random *random) {
    float *array = malloc((size_t)count * sizeof(float) + (count == 0));
    for (int64_t i = 0; i < count; i++) array[i] = scale * (2.0f * (float)random_uniform(random) - 1.0f);
    return array;
}

static void recurrent(int64_t rows, int64_t size, int last) {
    Random random = {7};
    uint8_t *fresh = malloc((size_t)rows), *fresh_next = malloc((size_t)rows);
    for (int64_t i = 0; i < rows; i++) fresh[i] = i % 3 == 0, fresh_next[i] = i % 4 == 0;
    float *inputs = numbers(rows * 4 * size, 5.0f, &random), *gates = numbers(rows * 4 * size, 5.0f, &random);
    float *before = numbers(rows * size, 1.0f, &random), *cell = numbers(rows * size, 1.0f, &random);
    float *hidden = numbers(rows * size, 0.0f, &random), *next = numbers(rows * size, 0.0f, &random);
    float *output = numbers(rows * size, 1.0f, &random), *bias = numbers(size, 1.0f, &random);
    float *three = numbers(rows * 3 * size, 5.0f, &random), *remembered = numbers(rows * 3 * size, 5.0f, &random);

    lstm_forward(rows, size, inputs, fresh, last ? NULL : fresh_next, before, gates, cell, hidden, last ? NULL : next);
    for (int64_t i = 0; i < rows * size; i++) {
        CHECK(fabsf(hidden[i]) < 1.0f && fabsf(cell[i]) < 2.0f);
        CHECK(last || next[i] == (fresh_next[i / size] ? 0.0f : hidden[i]));
    }
    lstm_backward(rows, size, fresh, last ? NULL : fresh_next, before, cell, output, hidden, gates, before);
    for (int64_t i = 0; i < rows * 4 * size; i++) CHECK(isfinite(gates[i]));
    gru_forward(rows, size, inputs, last ? NULL : fresh_next, bias, hidden, remembered, three, cell, last ? NULL : next);
    gru_backward(rows, size, last ? NULL : fresh_next, hidden, output, three, remembered, cell);
    for (int64_t i = 0; i < rows * 3 * size; i++) CHECK(isfinite(three[i]) && isfinite(remembered[i]));

    void *all[] = {fresh, fresh_next, inputs, gates, before, cell, hidden, next, output, bias, three, remembered};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) free(all[i]);
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

int main(void) {
    const int64_t sizes[] = {1, 3, 16, 65};
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 4; j++) {
            recurrent(sizes[i], sizes[j], (int)(i + j) % 2);
            categorical(sizes[i], sizes[j]);
            for (size_t k = 0; k < 4; k++) perceptron(sizes[i], sizes[j], sizes[k], (int)(i + k) % 2, TANH + (int64_t)(j + k) % 3);
        }
    puts("agents: ok");
}
