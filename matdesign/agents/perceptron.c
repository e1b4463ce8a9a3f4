#include "perceptron.h"

#include <stddef.h>

#include "functions.h"

/* BLOCK rows are taken through all layers before the next ones. */
enum { BLOCK = 64, LANES = 16 };

typedef float Lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

/* No function takes or gives Lanes: without the instructions for them there is no register to pass them in. */
#define LANES_AT(place) (*(Lanes *)(place))
#define CONST_LANES_AT(place) (*(const Lanes *)(place))

/* A matrix read with any strides: element (i, k) is at[i * row + k * column]. */
typedef struct {
    const float *at;
    int64_t row, column;
} Matrix;

/* A `height` x `width` * LANES tile of c += a b, held in registers; both are constants where this is called. */
INLINE void tile(int height, int width, int64_t depth, Matrix a, const float *b, int64_t b_row, float *c, int64_t c_row) {
    Lanes sums[8][4];
    for (int i = 0; i < height; i++)
        for (int j = 0; j < width; j++) sums[i][j] = CONST_LANES_AT(c + i * c_row + j * LANES);
    for (int64_t k = 0; k < depth; k++) {
        Lanes line[4];
        for (int j = 0; j < width; j++) line[j] = CONST_LANES_AT(b + k * b_row + j * LANES);
        for (int i = 0; i < height; i++) {
            float factor = a.at[i * a.row + k * a.column];
            for (int j = 0; j < width; j++) sums[i][j] += factor * line[j];
        }
    }
    for (int i = 0; i < height; i++)
        for (int j = 0; j < width; j++) LANES_AT(c + i * c_row + j * LANES) = sums[i][j];
}

/* Columns j .. of c [rows, columns] += a [rows, depth] b [depth, columns], `width` * LANES of them. */
INLINE void strip(int width, int64_t rows, int64_t depth, Matrix a, const float *b, int64_t b_row, float *c,
                  int64_t c_row) {
    int64_t i = 0;
    for (; i + 4 <= rows; i += 4, a.at += 4 * a.row) tile(4, width, depth, a, b, b_row, c + i * c_row, c_row);
    for (; i < rows; i++, a.at += a.row) tile(1, width, depth, a, b, b_row, c + i * c_row, c_row);
}

/* c [rows, columns] += a [rows, depth] b [depth, columns]. */
INLINE void add_product(int64_t rows, int64_t columns, int64_t depth, Matrix a, const float *b, int64_t b_row, float *c,
                        int64_t c_row) {
    int64_t j = 0;
    for (; j + 4 * LANES <= columns; j += 4 * LANES) strip(4, rows, depth, a, b + j, b_row, c + j, c_row);
    for (; j + LANES <= columns; j += LANES) strip(1, rows, depth, a, b + j, b_row, c + j, c_row);
    for (int64_t i = 0; j < columns && i < rows; i++) {
        for (int64_t k = 0; k < depth; k++) {
            float factor = a.at[i * a.row + k * a.column];
            for (int64_t column = j; column < columns; column++) c[i * c_row + column] += factor * b[k * b_row + column];
        }
    }
}

/* c [rows, columns] += a [rows, depth] b^T with b [columns, depth], for few columns. */
INLINE void add_dots(int64_t rows, int64_t columns, int64_t depth, const float *a, const float *b, float *c) {
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < columns; j++) {
            const float *x = a + i * depth, *y = b + j * depth;
            Lanes sums = {0};
            int64_t k = 0;
            for (; k + LANES <= depth; k += LANES) sums += CONST_LANES_AT(x + k) * CONST_LANES_AT(y + k);
            float total = 0.0f;
            for (int lane = 0; lane < LANES; lane++) total += sums[lane];
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

int64_t perceptron_scratch(int64_t count, const PerceptronLayer *layers) {
    int64_t weights = 0;
    for (int64_t l = 0; l < count; l++) weights += layers[l].inputs * layers[l].outputs;
    return weights + 2 * BLOCK * largest(count, layers);
}

INLINE void transpose(int64_t rows, int64_t columns, const float *from, float *to) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) to[j * rows + i] = from[i * columns + j];
}

CLONES void perceptron_forward(int64_t rows, int64_t count, const PerceptronLayer *layers, const float *inputs,
                               float *activations, float *outputs, float *scratch) {
    int64_t size = largest(count, layers);
    float *two[2] = {scratch, scratch + BLOCK * size}, *transposed = scratch + 2 * BLOCK * size, *to = transposed;
    for (int64_t l = 0; l < count; to += layers[l].inputs * layers[l].outputs, l++)
        if (layers[l].outputs >= LANES) transpose(layers[l].outputs, layers[l].inputs, layers[l].weight, to);
    for (int64_t first = 0; first < rows; first += BLOCK) {
        int64_t block = rows - first < BLOCK ? rows - first : BLOCK, before = 0;
        const float *seen = inputs + first * layers[0].inputs, *weights = transposed;
        for (int64_t l = 0; l < count; l++) {
            int64_t in = layers[l].inputs, out = layers[l].outputs;
            float *kept = activations ? activations + rows * before + first * out : two[l & 1];
            float *into = l + 1 < count ? kept : outputs + first * out;
            for (int64_t i = 0; i < block; i++)
                for (int64_t o = 0; o < out; o++) into[i * out + o] = layers[l].bias[o];
            if (out < LANES)
                add_dots(block, out, in, seen, layers[l].weight, into);
            else
                add_product(block, out, in, (Matrix){seen, in, 1}, weights, out, into, out);
            for (int64_t i = 0; l + 1 < count && i < block * out; i++) into[i] = hyperbolic_tangent(into[i]);
            seen = into;
            weights += in * out;
            before += out;
        }
    }
}

CLONES void perceptron_backward(int64_t rows, int64_t count, const PerceptronLayer *layers, const float *inputs,
                                const float *activations, const float *d_outputs, float *gradients, float *d_inputs,
                                float *scratch) {
    int64_t size = largest(count, layers), weights = 0, biases = 0, kept = 0;
    for (int64_t l = 0; l < count; l++) {
        weights += layers[l].inputs * layers[l].outputs;
        biases += layers[l].outputs;
        kept += l + 1 < count ? layers[l].outputs : 0;
    }
    /* Sums of wide layers are [inputs, outputs], of others [outputs, inputs]: whichever has the longer lines. */
    float *two[2] = {scratch, scratch + BLOCK * size}, *sums = scratch + 2 * BLOCK * size;
    memset(sums, 0, (size_t)weights * sizeof(float));
    memset(gradients, 0, (size_t)(weights + biases) * sizeof(float));
    for (int64_t first = 0; first < rows; first += BLOCK) {
        int64_t block = rows - first < BLOCK ? rows - first : BLOCK, before = kept;
        const float *above = d_outputs + first * layers[count - 1].outputs;
        float *d_weight = sums + weights, *end = gradients + weights + biases;
        for (int64_t l = count - 1; l >= 0; l--) {
            int64_t in = layers[l].inputs, out = layers[l].outputs;
            before -= l ? in : 0;
            const float *seen = l ? activations + rows * before + first * in : inputs + first * in;
            float *d_bias = end - out;
            for (int64_t i = 0; i < block; i++)
                for (int64_t o = 0; o < out; o++) d_bias[o] += above[i * out + o];
            end = d_bias - in * out;
            d_weight -= in * out;
            if (out < LANES)
                add_product(out, in, block, (Matrix){above, 1, out}, seen, in, d_weight, in);
            else
                add_product(in, out, block, (Matrix){seen, 1, in}, above, out, d_weight, out);
            if (l == 0 && !d_inputs) break;
            float *below = l ? two[l & 1] : d_inputs + first * in;
            memset(below, 0, (size_t)(block * in) * sizeof(float));
            add_product(block, in, out, (Matrix){above, out, 1}, layers[l].weight, in, below, in);
            for (int64_t i = 0; l && i < block * in; i++) below[i] *= 1.0f - seen[i] * seen[i];
            above = below;
        }
    }
    for (int64_t l = 0; l < count; l++) {
        int64_t in = layers[l].inputs, out = layers[l].outputs;
        if (out < LANES)
            memcpy(gradients, sums, (size_t)(in * out) * sizeof(float));
        else
            transpose(in, out, sums, gradients);
        sums += in * out;
        gradients += in * out + out;
    }
}
