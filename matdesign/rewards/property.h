/* property.h: what the reward for a measured property asks, and what is answered. measured.py mirrors it. */
#ifndef MATDESIGN_PROPERTY_H
#define MATDESIGN_PROPERTY_H

#include <stdint.h>

typedef struct {
    /* Asked. */
    uint64_t seed; /* of the random numbers: the same all along an episode */
    int32_t atoms, samples;
    int32_t first;         /* 1: the parts of this moment are what differences are taken from */
    const int32_t *type;   /* [atoms], from 1 */
    const double *x;       /* [atoms][3], unwrapped */
    const double *cell;    /* [3][3] */
    const int32_t *periodic; /* [3] */
    /* Answered. */
    double value;          /* of a single target, in its scale; of several, less the potential */
    double potential;
    double *replicas;      /* [samples] the potential with one sample left out, or itself where there is one */
    double *own;           /* [atoms] the potential of each atom's part; NULL where there are no parts */
    double *difference;    /* [atoms] N times what is lost with the atom's part as at the first question; NULL likewise */
    double *start;         /* [terms][atoms] the parts at the first question; theirs who answer */
    int64_t evaluations;   /* force evaluations spent on the answer */
} Measured;

/* Returns 1, or 0 where the arrangement cannot be measured. Called from any thread. */
typedef int (*Measure)(Measured *measured);

#endif
