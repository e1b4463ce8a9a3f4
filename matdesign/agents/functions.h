/* functions.h: exp and its relatives for loops over floats, which the compiler turns into vector instructions. */
#ifndef MATDESIGN_FUNCTIONS_H
#define MATDESIGN_FUNCTIONS_H

#include <stdint.h>
#include <string.h>

#include "../envs/clones.h"

/* Inside of a function with CLONES, each of its copies has one of these of its own. */
#define INLINE static inline __attribute__((always_inline))

/* Before a loop whose iterations touch nothing in common: the compiler need not find that out. Clang is not told where
 * a sanitizer keeps it from making vectors, which it would complain of. */
#if defined(__clang__) && defined(SANITIZED)
#define INDEPENDENT
#elif defined(__clang__)
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

INLINE float float_of(int32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

INLINE int32_t bits_of(float value) {
    int32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* e^x to 2e-7 of itself. Beyond e^-87 and e^88 it is cut off; a NaN stays one. */
INLINE float exponential(float x) {
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    /* x = n log 2 + r with |r| <= log(2) / 2. Adding 1.5 * 2^23 rounds to a whole number, in the lowest bits. */
    float shifted = x * 1.44269504f + 12582912.0f, n = shifted - 12582912.0f;
    float r = (x - n * 0.693359375f) + n * 2.12194440e-4f; /* log 2 in two parts, the first exact */
    float sum = 1.0f / 5040.0f;
    sum = sum * r + 1.0f / 720.0f;
    sum = sum * r + 1.0f / 120.0f;
    sum = sum * r + 1.0f / 24.0f;
    sum = sum * r + 1.0f / 6.0f;
    sum = sum * r + 0.5f;
    sum = sum * r + 1.0f;
    sum = sum * r + 1.0f;
    return sum * float_of((int32_t)((uint32_t)(bits_of(shifted) - bits_of(12582912.0f) + 127) << 23));
}

INLINE float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }

/* tanh x to 2e-7. */
INLINE float hyperbolic_tangent(float x) { return 2.0f * sigmoid(2.0f * x) - 1.0f; }

/* log x to 1e-7 of itself or of 1, for a normal x > 0. */
INLINE float logarithm(float x) {
    /* x = 2^n m with m from sqrt(1/2) to sqrt(2); log m = 2 artanh((m - 1) / (m + 1)). */
    int32_t n = (bits_of(x) - bits_of(0.70710678f)) >> 23;
    float m = float_of(bits_of(x) - n * (1 << 23)), s = (m - 1.0f) / (m + 1.0f), square = s * s;
    float sum = 2.0f / 9.0f;
    sum = sum * square + 2.0f / 7.0f;
    sum = sum * square + 2.0f / 5.0f;
    sum = sum * square + 2.0f / 3.0f;
    sum = sum * square + 2.0f;
    return sum * s + (float)n * 0.69314718f;
}

/* The standard normal distribution function and density at x, to 1e-7 (Abramowitz and Stegun 1964, eq. 7.1.26). */
INLINE void normal_distribution(float x, float *below, float *density) {
    float bell = exponential(-0.5f * x * x), size = x < 0.0f ? -x : x, t = 1.0f / (1.0f + 0.23164189f * size);
    float sum = 1.061405429f;
    sum = sum * t - 1.453152027f;
    sum = sum * t + 1.421413741f;
    sum = sum * t - 0.284496736f;
    sum = sum * t + 0.254829592f;
    float tail = 0.5f * sum * t * bell;
    *below = x < 0.0f ? tail : 1.0f - tail;
    *density = 0.39894228f * bell;
}

#endif
