/* vector.h: many environments of one kind, stepped by one call into buffers that the caller owns. */
#ifndef MATDESIGN_VECTOR_H
#define MATDESIGN_VECTOR_H

#include "../envs/env.h"

#if defined(__cplusplus)
#error "C only"
#endif

#define EXPORT __attribute__((visibility("default")))

typedef struct Vector Vector;

/* The built-in environment called `name`, or NULL. */
EXPORT const Environment *environment_builtin(const char *name);

/* The name of built-in environment `index`, or NULL past the last one. */
EXPORT const char *environment_builtin_name(int index);

/* Shapes of one environment for these values, after every value was checked against the environment's table.
 * Returns 0, or -1 with one sentence in `error`. */
EXPORT int environment_spaces(const Environment *environment, const SettingValue *values, int64_t count, Spaces *spaces,
                              char *error, size_t error_bytes);

/* `count` environments with the same settings, stepped in `parts` of equal size (count is a multiple of it) by
 * `threads` threads (1: the calling one). The buffers hold count * agents rows each and must outlive the vector; the
 * values are needed during this call only. init() runs in the calling thread, one environment after another; if one
 * fails, those that were opened are closed. NULL with one sentence in `error`. */
EXPORT Vector *vector_open(const Environment *environment, const SettingValue *values, int64_t value_count,
                           int64_t count, int parts, int threads, void *observations, void *actions, float *rewards,
                           uint8_t *terminals, uint8_t *truncations, uint8_t *masks, char *error, size_t error_bytes);

/* From the next reset on, environment i is number first + i of a larger batch of several vectors. */
EXPORT void vector_number_from(Vector *vector, int64_t first);

/* Seeds environment i from (seed, its number), starts its first episode and drops what was logged. */
EXPORT void vector_reset(Vector *vector, uint64_t seed);

/* One step of all environments with the actions now in the buffer. */
EXPORT void vector_step(Vector *vector);

/* Begins one step of the environments of `part`, numbered from 0; with threads it returns before the step is done. Other
 * parts that are under way are finished first. */
EXPORT void vector_send(Vector *vector, int part);

/* Returns when the step of `part` is done. */
EXPORT void vector_recv(Vector *vector, int part);

/* Means over the episodes that ended in environments first .. first+count-1 since the last call for them or reset, in
 * the order of log_names; returns their number. */
EXPORT int64_t vector_log(Vector *vector, int64_t first, int64_t count, float *means);

/* The bytes of each environment's state, sizes [count]: its episode, random numbers and what it has logged, but not the rows
 * of the buffers. Returns their sum, or -1 where an environment cannot be saved. */
EXPORT int64_t vector_state_sizes(Vector *vector, int64_t *sizes);

/* Writes these states one after another, `size` bytes in all as told by vector_state_sizes just before. The environments
 * themselves go on from what was written, exactly as those will that load it. 0, or -1 where one cannot be saved. */
EXPORT int vector_save(Vector *vector, uint8_t *bytes, int64_t size);

/* Reads what vector_save wrote, of as many environments with the same settings: sizes [count] and the bytes of all of
 * them. 0, or -1 where a state is damaged or of other environments: all of these must be reset then. */
EXPORT int vector_load(Vector *vector, const uint8_t *bytes, const int64_t *sizes);

/* Draws environment `index` into `scene`, whose old content is dropped but whose memory is used again. */
EXPORT void vector_draw(Vector *vector, int64_t index, Scene *scene);

/* The struct of environment `index`, for functions that read results of one kind of environment. */
EXPORT const void *vector_environment(const Vector *vector, int64_t index);

EXPORT void scene_free(Scene *scene);

EXPORT void vector_close(Vector *vector);

#endif
