/* perceptron.h: layers of a neural network, forwards and backwards, in blocks of rows that stay in the processor's cache. Arrays are C-contiguous float32; there is no state. */
#ifndef MATDESIGN_PERCEPTRON_H
#define MATDESIGN_PERCEPTRON_H

#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

/* What is behind a layer; LINEAR: nothing, which only the last one may have. */
enum { LINEAR, TANH, RELU, GELU };

/* One layer: weight [outputs, inputs], bias [outputs]. */
typedef struct {
    int64_t inputs, outputs, activation;
    const float *weight, *bias;
} PerceptronLayer;

/* Floats of scratch that the functions below want for these layers; of their weights; and of weights and biases. */
EXPORT int64_t perceptron_scratch(int64_t count, const PerceptronLayer *layers);
EXPORT int64_t perceptron_weights(int64_t count, const PerceptronLayer *layers);
EXPORT int64_t perceptron_parameters(int64_t count, const PerceptronLayer *layers);

/* The weights as the way forward reads them. */
EXPORT void perceptron_transpose(int64_t count, const PerceptronLayer *layers, float *transposed);

/* Fills `outputs` [rows, outputs of the last layer]; and `kept`, where it is not NULL, with what the way back needs of
 * each layer with an activation, [rows, outputs] one after the other. */
EXPORT void perceptron_forward(int64_t rows, int64_t count, const PerceptronLayer *layers, const float *transposed,
                               const float *inputs, float *kept, float *outputs, float *scratch);

/* Adds the gradients over the rows to `sums`, as many as there are parameters; fills `d_inputs` [rows, inputs] where it is
 * not NULL. */
EXPORT void perceptron_backward(int64_t rows, int64_t count, const PerceptronLayer *layers, const float *inputs,
                                const float *kept, const float *d_outputs, float *sums, float *d_inputs,
                                float *scratch);

/* Brings sums into the order of parameters: weight and bias of each layer, one after the other. */
EXPORT void perceptron_gradients(int64_t count, const PerceptronLayer *layers, const float *sums, float *gradients);

#endif
