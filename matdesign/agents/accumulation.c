#include "accumulation.h"

#include "functions.h"

CLONES void accumulate(int64_t steps, int64_t rows, int64_t backwards, const float *terms, const float *factors,
                       const float *before, float *sums) {
    for (int64_t step = 0; step < steps; step++) {
        int64_t at = (backwards ? steps - 1 - step : step) * rows;
        INDEPENDENT
        for (int64_t i = 0; i < rows; i++) sums[at + i] = terms[at + i] + factors[at + i] * before[i];
        before = sums + at;
    }
}
