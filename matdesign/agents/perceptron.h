/* perceptron.h: layers of tanh and a linear one behind them, forwards and backwards, in blocks of rows that stay in the
 * processor's cache. Arrays are C-contiguous float32; there is no state. */
#ifndef MATDESIGN_PERCEPTRON_H
#define MATDESIGN_PERCEPTRON_H

#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

/* One layer: weight [outputs, inputs], bias [outputs]. */
typedef struct {
    int64_t inputs, outputs;
    const float *weight, *bias;
} PerceptronLayer;

/* Floats of scratch that the functions below want for these layers. */
EXPORT int64_t perceptron_scratch(int64_t count, const PerceptronLayer *layers);

/* Fills `outputs` [rows, outputs of the last layer]; and `activations`, where it is not NULL, with what each layer but the
 * last gave, [rows, outputs] one after the other. */
EXPORT void perceptron_forward(int64_t rows, int64_t count, const PerceptronLayer *layers, const float *inputs,
                               float *activations, float *outputs, float *scratch);

/* Fills `gradients`, summed over the rows: of weight and bias of each layer, one after the other; and `d_inputs` [rows,
 * inputs] where it is not NULL. */
EXPORT void perceptron_backward(int64_t rows, int64_t count, const PerceptronLayer *layers, const float *inputs,
                                const float *activations, const float *d_outputs, float *gradients, float *d_inputs,
                                float *scratch);

#endif
