/* check.h: what the C tests share. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>

#include "../../matdesign/vector/vector.h"

#define CHECK(condition)                                                            \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                                \
        }                                                                           \
    } while (0)

extern const Environment environment_squared, environment_walkers;

/* A vector with exactly sized buffers of its own, so that a write past a row's end is caught. */
typedef struct {
    Spaces spaces;
    int64_t count, rows;
    void *observations, *actions;
    float *rewards;
    uint8_t *terminals, *truncations, *masks;
    char error[512];
    Vector *vector;
} Fixture;

static inline size_t fixture_observation_bytes(const Fixture *f) {
    return (size_t)(f->rows * f->spaces.features * (f->spaces.bytes == 1 ? 1 : 4));
}

static inline int fixture_open_parts(Fixture *f, const Environment *environment, const SettingValue *values,
                                     int64_t value_count, int64_t count, int parts, int threads) {
    *f = (Fixture){.count = count};
    if (environment_spaces(environment, values, value_count, &f->spaces, f->error, sizeof f->error) != 0) return -1;
    f->rows = count * f->spaces.agents;
    f->observations = malloc(fixture_observation_bytes(f));
    f->actions = calloc((size_t)(f->rows * f->spaces.action_dims), 4);
    f->rewards = malloc((size_t)f->rows * sizeof(float));
    f->terminals = malloc((size_t)f->rows);
    f->truncations = malloc((size_t)f->rows);
    f->masks = malloc((size_t)f->rows);
    f->vector = vector_open(environment, values, value_count, count, parts, threads, f->observations, f->actions,
                            f->rewards, f->terminals, f->truncations, f->masks, f->error, sizeof f->error);
    return f->vector ? 0 : -1;
}

static inline int fixture_open(Fixture *f, const Environment *environment, const SettingValue *values,
                               int64_t value_count, int64_t count, int threads) {
    return fixture_open_parts(f, environment, values, value_count, count, 1, threads);
}

static inline void fixture_close(Fixture *f) {
    vector_close(f->vector);
    free(f->observations);
    free(f->actions);
    free(f->rewards);
    free(f->terminals);
    free(f->truncations);
    free(f->masks);
}

#endif
