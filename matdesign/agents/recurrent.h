/* recurrent.h: recurrent layers through the steps of a sequence, forwards and backwards. Products with inputs, and those
 * that make the gradients of weights, are large and the caller's. Arrays are C-contiguous, time-major: [steps, rows, ...].
 *
 * `fresh` [steps, rows] says where the memory is zeroed before a step. `before` [steps, rows, size] receives what each step
 * remembered as hidden state, zeroed so; its first step is given. `weights` [gates, size, size] is W; `scratch` has as
 * many floats. */
#ifndef MATDESIGN_RECURRENT_H
#define MATDESIGN_RECURRENT_H

#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

/* Long short-term memory. `gates` [steps, rows, 4, size] receives the activations i, f, g, o of W h + inputs; `cells`
 * [steps + 1, rows, size] the cell after each step behind the given one; `hidden` [steps, rows, size] the outputs. */
EXPORT void lstm_forward(int64_t steps, int64_t rows, int64_t size, const float *inputs, const uint8_t *fresh,
                         const float *weights, float *gates, float *cells, float *hidden, float *before, float *scratch);

/* `gates` holds what lstm_forward left and receives the gradient with respect to the inputs. `d_hidden` and `d_cell` [rows,
 * size] are changed from gradients of the memory after the last step to those of the memory before the first. */
EXPORT void lstm_backward(int64_t steps, int64_t rows, int64_t size, const uint8_t *fresh, const float *weights,
                          const float *cells, const float *d_outputs, float *gates, float *d_hidden, float *d_cell,
                          float *scratch);

/* Gated recurrent unit. `gates` [steps, rows, 3, size] receives r, z, n; `remembered` [steps, rows, 3, size] W h, its last
 * third with the bias [size]. */
EXPORT void gru_forward(int64_t steps, int64_t rows, int64_t size, const float *inputs, const uint8_t *fresh,
                        const float *weights, const float *bias, float *remembered, float *gates, float *hidden,
                        float *before, float *scratch);

/* `gates` receives the gradient with respect to the inputs, `remembered` that of W h (its last third: of the bias too);
 * `d_hidden` is as for lstm_backward. */
EXPORT void gru_backward(int64_t steps, int64_t rows, int64_t size, const uint8_t *fresh, const float *weights,
                         const float *before, const float *d_outputs, float *gates, float *remembered, float *d_hidden,
                         float *scratch);

#endif
