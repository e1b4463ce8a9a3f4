/* recurrent.h: what recurrent layers compute element by element, one step of a sequence at a time; the caller multiplies
 * the matrices. Arrays are C-contiguous: `hidden`, `cell` and the like [rows, size], the gates of a row side by side.
 *
 * `fresh` [rows] says where the memory was zeroed before this step, `fresh_next` where it will be before the next one;
 * NULL: there is none. Gradients with respect to the memory after a step come as they are and are zeroed here where
 * fresh_next is set; those with respect to the memory before the step leave as if fresh were 0 everywhere. */
#ifndef MATDESIGN_RECURRENT_H
#define MATDESIGN_RECURRENT_H

#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

/* Long short-term memory. `gates` [rows, 4, size] holds W h and receives the activations i, f, g, o of W h + inputs;
 * `next` receives hidden with the rows of fresh_next zeroed, NULL: not wanted. */
EXPORT void lstm_forward(int64_t rows, int64_t size, const float *inputs, const uint8_t *fresh,
                         const uint8_t *fresh_next, const float *cell_before, float *gates, float *cell, float *hidden,
                         float *next);

/* `gates` holds what lstm_forward left and receives the gradient with respect to W h + inputs. `d_output` is the gradient
 * of hidden as an output, `d_hidden` as memory; `d_cell` is changed from that of the cell after the step to before it. */
EXPORT void lstm_backward(int64_t rows, int64_t size, const uint8_t *fresh, const uint8_t *fresh_next,
                          const float *cell_before, const float *cell, const float *d_output, const float *d_hidden,
                          float *gates, float *d_cell);

/* Gated recurrent unit. `gates` [rows, 3, size] receives r, z, n; `remembered` [rows, 3, size] holds W h, and its last
 * third receives W_n h + bias. `before` is the memory before the step, already zeroed where it begins anew. */
EXPORT void gru_forward(int64_t rows, int64_t size, const float *inputs, const uint8_t *fresh_next, const float *bias,
                        const float *before, float *remembered, float *gates, float *hidden, float *next);

/* `gates` receives the gradient with respect to the inputs, `remembered` that of W h (its last third: of the bias too).
 * `d_hidden` is changed from the gradient of the memory after the step to that part of the one before the step which
 * does not pass through W. */
EXPORT void gru_backward(int64_t rows, int64_t size, const uint8_t *fresh_next, const float *before,
                         const float *d_output, float *gates, float *remembered, float *d_hidden);

#endif
