#include "perceptron.h"

#include <stddef.h>

#include "products.h"

/* c [rows, columns] += a [rows, depth] b^T with b [columns, depth], for few columns. */
INLINE void add_dots(int64_t rows, int64_t columns, int64_t depth, const float *a, const float *b, float *c) {
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < columns; j++) {
            const float *x = a + i * depth, *y = b + j * depth;
            Lanes sums = {0};
            int64_t k = 0;
            for (; k + LANES <= depth; k += LANES) sums += CONST_LANES_AT(x + k) * CONST_LANES_AT(y + k);
            const HalfLanes *halves = (const HalfLanes *)&sums;
            HalfLanes half = halves[0] + halves[1];
            const QuarterLanes *quarters = (const QuarterLanes *)&half;
            QuarterLanes four = quarters[0] + quarters[1];
            float total = (four[0] + four[1]) + (four[2] + four[3]);
            for (; k < depth; k++) total += x[k] * y[k];
            c[i * columns + j] += total;
        }
    }
}

static int64_t largest(int64_t count, const PerceptronLayer *layers) {
    int64_t size = 0;
    for (int64_t l = 0; l < count; l++) size = layers[l].outputs > size ? layers[l].outputs : size;
    return size;
}

int64_t perceptron_scratch(int64_t count, const PerceptronLayer *layers) { return 4 * BLOCK * largest(count, layers); }

int64_t perceptron_weights(int64_t count, const PerceptronLayer *layers) {
    int64_t weights = 0;
    for (int64_t l = 0; l < count; l++) weights += layers[l].inputs * layers[l].outputs;
    return weights;
}

int64_t perceptron_parameters(int64_t count, const PerceptronLayer *layers) {
    int64_t biases = 0;
    for (int64_t l = 0; l < count; l++) biases += layers[l].outputs;
    return perceptron_weights(count, layers) + biases;
}

void perceptron_transpose(int64_t count, const PerceptronLayer *layers, float *transposed) {
    for (int64_t l = 0; l < count; l++) {
        transpose_to_panels(layers[l].outputs, layers[l].inputs, layers[l].weight, transposed);
        transposed += layers[l].inputs * layers[l].outputs;
    }
}

/* The activation of `count` numbers, and what to keep of them in place: the result, or what it came from. */
INLINE void activate(int64_t activation, int64_t count, float *numbers, float *result) {
    if (activation == TANH) {
        for (int64_t i = 0; i < count; i++) numbers[i] = hyperbolic_tangent(numbers[i]);
    } else if (activation == RELU) {
        for (int64_t i = 0; i < count; i++) numbers[i] = numbers[i] < 0.0f ? 0.0f : numbers[i];
    } else if (activation == GELU) {
        INDEPENDENT
        for (int64_t i = 0; i < count; i++) {
            float below, density, x = numbers[i];
            normal_distribution(x, &below, &density);
            result[i] = x * below;
        }
        return;
    }
    if (result != numbers) memcpy(result, numbers, (size_t)count * sizeof(float));
}

/* From what `activate` kept: the activation's derivative, and its result, in `result` or where it is kept. */
INLINE const float *slopes(int64_t activation, int64_t count, const float *kept, float *slope, float *result) {
    if (activation == GELU) {
        INDEPENDENT
        for (int64_t i = 0; i < count; i++) {
            float below, density, x = kept[i];
            normal_distribution(x, &below, &density);
            result[i] = x * below;
            slope[i] = below + x * density;
        }
        return result;
    }
    INDEPENDENT
    for (int64_t i = 0; i < count; i++)
        slope[i] = activation == TANH ? 1.0f - kept[i] * kept[i] : kept[i] > 0.0f ? 1.0f : 0.0f;
    return kept;
}

CLONES void perceptron_forward(int64_t rows, int64_t count, const PerceptronLayer *layers, const float *transposed,
                               const float *inputs, float *kept, float *outputs, float *scratch) {
    float *two[2] = {scratch, scratch + BLOCK * largest(count, layers)};
    for (int64_t first = 0; first < rows; first += BLOCK) {
        int64_t block = rows - first < BLOCK ? rows - first : BLOCK, before = 0;
        const float *seen = inputs + first * layers[0].inputs, *weights = transposed;
        for (int64_t l = 0; l < count; l++) {
            int64_t in = layers[l].inputs, out = layers[l].outputs, activation = layers[l].activation;
            int keeps = kept && activation != LINEAR;
            float *result = l + 1 < count ? two[l & 1] : outputs + first * out;
            float *into = keeps ? kept + rows * before + first * out : result;
            for (int64_t i = 0; i < block; i++)
                for (int64_t o = 0; o < out; o++) into[i * out + o] = layers[l].bias[o];
            if (out < LANES)
                add_dots(block, out, in, seen, layers[l].weight, into);
            else
                add_product(block, out, in, (Matrix){seen, in, 1}, weights, 1, into, out);
            activate(activation, block * out, into, result);
            seen = result;
            weights += in * out;
            before += activation != LINEAR ? out : 0;
        }
    }
}

CLONES void perceptron_backward(int64_t rows, int64_t count, const PerceptronLayer *layers, const float *inputs,
                                const float *kept, const float *d_outputs, float *sums, float *d_inputs,
                                float *scratch) {
    int64_t size = largest(count, layers), weights = perceptron_weights(count, layers), columns = 0;
    for (int64_t l = 0; l < count; l++) columns += layers[l].activation != LINEAR ? layers[l].outputs : 0;
    /* Sums of wide layers are [inputs, outputs], of others [outputs, inputs]: whichever has the longer lines. */
    float *two[2] = {scratch, scratch + BLOCK * size}, *slope = scratch + 2 * BLOCK * size;
    float *result = scratch + 3 * BLOCK * size;
    for (int64_t first = 0; first < rows; first += BLOCK) {
        int64_t block = rows - first < BLOCK ? rows - first : BLOCK, last = count - 1, before = columns;
        const float *above = d_outputs + first * layers[last].outputs;
        float *d_weight = sums + weights, *d_bias = sums + perceptron_parameters(count, layers);
        if (layers[last].activation != LINEAR) {
            int64_t out = layers[last].outputs;
            before -= out;
            slopes(layers[last].activation, block * out, kept + rows * before + first * out, slope, result);
            for (int64_t i = 0; i < block * out; i++) two[count & 1][i] = above[i] * slope[i];
            above = two[count & 1];
        }
        for (int64_t l = last; l >= 0; l--) {
            int64_t in = layers[l].inputs, out = layers[l].outputs;
            const float *seen = inputs + first * in;
            if (l) {
                before -= in;
                seen = slopes(layers[l - 1].activation, block * in, kept + rows * before + first * in, slope, result);
            }
            d_bias -= out;
            for (int64_t i = 0; i < block; i++)
                for (int64_t o = 0; o < out; o++) d_bias[o] += above[i * out + o];
            d_weight -= in * out;
            if (out < LANES)
                add_product(out, in, block, (Matrix){above, 1, out}, seen, 0, d_weight, in);
            else
                add_product(in, out, block, (Matrix){seen, 1, in}, above, 0, d_weight, out);
            if (l == 0 && !d_inputs) break;
            float *below = l ? two[l & 1] : d_inputs + first * in;
            memset(below, 0, (size_t)(block * in) * sizeof(float));
            add_product(block, in, out, (Matrix){above, out, 1}, layers[l].weight, 0, below, in);
            for (int64_t i = 0; l && i < block * in; i++) below[i] *= slope[i];
            above = below;
        }
    }
}

void perceptron_gradients(int64_t count, const PerceptronLayer *layers, const float *sums, float *gradients) {
    const float *biases = sums + perceptron_weights(count, layers);
    for (int64_t l = 0; l < count; l++) {
        int64_t in = layers[l].inputs, out = layers[l].outputs;
        if (out < LANES)
            memcpy(gradients, sums, (size_t)(in * out) * sizeof(float));
        else
            transpose(in, out, sums, gradients);
        memcpy(gradients + in * out, biases, (size_t)out * sizeof(float));
        sums += in * out;
        biases += out;
        gradients += (in + 1) * out;
    }
}
