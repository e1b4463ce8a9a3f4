/* env.h: everything an environment needs, and all it may assume.
 *
 * An environment is one C file: a struct whose first member is `Env env`, seven functions, two tables, and one
 * ENVIRONMENT(...) line at the bottom. `squared.c` is the template. Compile it with
 *
 *     cc -O3 -shared -fPIC -I DIRECTORY_OF_THIS_FILE my_env.c -o my_env.so -lm
 *
 * and pass `env.library=my_env.so`.
 *
 * Buffers are flat, C-contiguous and shared with NumPy and torch; this environment's agents are contiguous rows,
 * and the pointers in Env already point to its first row:
 *
 *     observations [agents, features]     float32 or uint8
 *     actions      [agents, action_dims]  float32 (continuous) or int32 (discrete)
 *     rewards      [agents]               float32, zeroed before step()
 *     terminals    [agents]               bool, zeroed before step(); the episode reached an end of its own
 *     truncations  [agents]               bool, zeroed before step(); the episode was cut off (time limit)
 *     masks        [agents]               bool, set to 1 before step(); 0: this transition belongs to no live agent
 *
 * An episode ends for all agents at once, by env_terminate() or env_truncate(). The next step call resets the
 * environment instead of stepping it (Gymnasium's next-step autoreset): it ignores the action, gives reward 0, mask 0
 * and the first observation of the new episode.
 */
#ifndef MATDESIGN_ENV_H
#define MATDESIGN_ENV_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive.h"

#define ENV_ABI 3 /* raised whenever a struct below changes; the loader refuses other values */

/* ---------------------------------------------------------------------------------------------- random numbers */

/* SplitMix64 (Steele, Lea, Flood 2014, doi:10.1145/2660193.2660195): 8 bytes of state per environment. */
typedef struct {
    uint64_t state;
} Random;

static inline uint64_t random_bits(Random *random) {
    uint64_t z = (random->state += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}

/* Uniform in [0, 1). */
static inline double random_uniform(Random *random) {
    return (double)(random_bits(random) >> 11) * 0x1.0p-53;
}

/* Uniform in 0 .. n-1 (multiply-shift; bias below n / 2^32). */
static inline uint32_t random_integer(Random *random, uint32_t n) {
    return (uint32_t)(((random_bits(random) >> 32) * (uint64_t)n) >> 32);
}

/* Standard normal (Box-Muller). */
static inline double random_normal(Random *random) {
    double u = 1.0 - random_uniform(random), angle = 6.283185307179586 * random_uniform(random);
    return sqrt(-2.0 * log(u)) * cos(angle);
}

/* ---------------------------------------------------------------------------------------------------- settings */

/* What an environment can be told. A table of these ends with {0}; values outside [low, high] are refused before
 * init() runs. `count` says what it is: one of the names below; arrays (of any length) and text are empty by default. */
typedef struct {
    const char *name;
    double value, low, high;
    const char *help;
    int32_t count;
} Setting;

enum { SETTING_NUMBER = 0, SETTING_ARRAY = -1, SETTING_TEXT = -2, SETTING_INTEGER = -3 };

/* One value as given by the user. */
typedef struct {
    const char *name;
    const double *numbers; /* NULL for text */
    int64_t count;
    const char *text; /* NULL for numbers */
} SettingValue;

typedef struct {
    const Setting *table;
    const SettingValue *values;
    int64_t count;
} Settings;

static inline const SettingValue *setting_given(const Settings *settings, const char *name) {
    for (int64_t i = 0; i < settings->count; i++)
        if (strcmp(settings->values[i].name, name) == 0) return &settings->values[i];
    return NULL;
}

/* The number given for `name`, or the default of the table. */
static inline double setting_number(const Settings *settings, const char *name) {
    const SettingValue *given = setting_given(settings, name);
    if (given && given->count > 0) return given->numbers[0];
    for (const Setting *s = settings->table; s->name; s++)
        if (strcmp(s->name, name) == 0) return s->value;
    return NAN;
}

/* The array given for `name` and its length; NULL and 0 where none was given. */
static inline const double *setting_array(const Settings *settings, const char *name, int64_t *count) {
    const SettingValue *given = setting_given(settings, name);
    *count = given && given->numbers ? given->count : 0;
    return *count ? given->numbers : NULL;
}

/* The text given for `name`, or "". */
static inline const char *setting_text(const Settings *settings, const char *name) {
    const SettingValue *given = setting_given(settings, name);
    return given && given->text ? given->text : "";
}

/* ------------------------------------------------------------------------------------------------------- scene */

/* What there is to see, as flat arrays; rows are floats. A renderer draws it, no environment knows which one. */
typedef struct {
    float *rows;
    int64_t count, capacity;
} SceneRows;

typedef struct {
    float position[3], size;
    float rgba[4];
    char text[64];
} SceneText;

typedef struct {
    SceneRows spheres; /* x y z radius r g b a */
    SceneRows lines;   /* x y z x y z r g b a */
    SceneRows boxes;   /* centre x y z, full edges x y z, r g b a */
    SceneText *texts;
    int64_t text_count, text_capacity;
} Scene;

enum { SCENE_SPHERE_COLUMNS = 8, SCENE_LINE_COLUMNS = 10, SCENE_BOX_COLUMNS = 10 };

/* A new row of `columns` floats; on lack of memory the last row is reused, so drawing never fails. */
static inline float *scene_row(SceneRows *rows, int columns) {
    if (rows->count == rows->capacity) {
        int64_t capacity = rows->capacity ? 2 * rows->capacity : 64;
        float *grown = (float *)realloc(rows->rows, sizeof(float) * (size_t)(capacity * columns));
        if (grown) {
            rows->rows = grown;
            rows->capacity = capacity;
        } else if (rows->count) {
            rows->count--;
        } else {
            static float nowhere[SCENE_LINE_COLUMNS];
            return nowhere;
        }
    }
    return rows->rows + columns * rows->count++;
}

static inline void scene_rgba(float *to, uint32_t rgba) {
    for (int c = 0; c < 4; c++) to[c] = (float)((rgba >> (24 - 8 * c)) & 255u) / 255.0f;
}

/* Colours are 0xRRGGBBAA. */
static inline void scene_sphere(Scene *scene, double x, double y, double z, double radius, uint32_t rgba) {
    float *row = scene_row(&scene->spheres, SCENE_SPHERE_COLUMNS);
    row[0] = (float)x, row[1] = (float)y, row[2] = (float)z, row[3] = (float)radius;
    scene_rgba(row + 4, rgba);
}

static inline void scene_line(Scene *scene, const double from[3], const double to[3], uint32_t rgba) {
    float *row = scene_row(&scene->lines, SCENE_LINE_COLUMNS);
    for (int d = 0; d < 3; d++) row[d] = (float)from[d], row[3 + d] = (float)to[d];
    scene_rgba(row + 6, rgba);
}

static inline void scene_box(Scene *scene, const double centre[3], const double edges[3], uint32_t rgba) {
    float *row = scene_row(&scene->boxes, SCENE_BOX_COLUMNS);
    for (int d = 0; d < 3; d++) row[d] = (float)centre[d], row[3 + d] = (float)edges[d];
    scene_rgba(row + 6, rgba);
}

static inline void scene_text(Scene *scene, double x, double y, double z, double size, uint32_t rgba, const char *text) {
    if (scene->text_count == scene->text_capacity) {
        int64_t capacity = scene->text_capacity ? 2 * scene->text_capacity : 16;
        SceneText *grown = (SceneText *)realloc(scene->texts, sizeof(SceneText) * (size_t)capacity);
        if (!grown) return;
        scene->texts = grown;
        scene->text_capacity = capacity;
    }
    SceneText *row = &scene->texts[scene->text_count++];
    row->position[0] = (float)x, row->position[1] = (float)y, row->position[2] = (float)z, row->size = (float)size;
    scene_rgba(row->rgba, rgba);
    size_t length = strnlen(text, sizeof row->text - 1);
    memcpy(row->text, text, length);
    row->text[length] = 0;
}

/* ------------------------------------------------------------------------------------------------- environment */

/* Shapes and bounds of one environment's rows. */
typedef struct {
    int32_t agents;      /* rows */
    int32_t features;    /* columns of the observations */
    int32_t action_dims; /* columns of the actions */
    int32_t choices;     /* discrete actions are 0 .. choices-1 in each column; 0: continuous in [-1, 1] */
    int32_t bytes;       /* 1: observations are uint8; 0: float32 */
    float low, high;     /* bounds of an observation's value */
    /* Where an observation lists neighbours, an absent one as zeros: first column, how many, columns of each; 0 if none */
    int32_t first_neighbour, neighbours, neighbour_columns;
} Spaces;

/* The common part of every environment; the first member of its struct. */
typedef struct {
    void *observations;
    void *actions;
    float *rewards;
    uint8_t *terminals, *truncations, *masks;
    float *log; /* episodes ended since the last read, then one sum for each name in log_names */
    Random random;
    int32_t agents;
    uint8_t finished; /* the episode has ended: the next step call resets */
    uint8_t seeded;   /* the reset that runs follows a new seed: what is remembered of earlier episodes ends here */
} Env;

static inline void env_terminate(Env *env) {
    memset(env->terminals, 1, (size_t)env->agents);
    env->finished = 1;
}

static inline void env_truncate(Env *env) {
    memset(env->truncations, 1, (size_t)env->agents);
    env->finished = 1;
}

/* One figure of an ended episode: `name` is its place in log_names. Call env_log_episode once for each episode. */
static inline void env_log(Env *env, int name, double value) { env->log[1 + name] += (float)value; }
static inline void env_log_episode(Env *env) { env->log[0] += 1.0f; }

/* What a compiled environment exports. Batch functions work on environments begin .. end-1 of a contiguous array. */
typedef struct {
    int32_t abi;
    int32_t struct_bytes;
    const char *name;
    const char *summary;         /* one line for people */
    const char *const *log_names; /* ends with NULL; the first two are score and perf (0..1) by convention */
    const Setting *settings;     /* ends with {0} */
    /* Shapes for these settings; returns 0, or fills `error`. */
    int (*spaces)(const Settings *settings, Spaces *spaces, char *error, size_t error_bytes);
    /* Acquires what the environment needs; `env` and its buffers are set, its other bytes zero. Pointers into
     * `settings` are valid during the call only. 0, or fills `error`; after a failure close() is called all the same. */
    int (*init)(void *env, const Settings *settings, char *error, size_t error_bytes);
    void (*reset_batch)(void *envs, int64_t begin, int64_t end);
    void (*step_batch)(void *envs, int64_t begin, int64_t end);
    void (*draw)(void *env, Scene *scene);
    void (*serialize)(void *env, Archive *archive); /* but for what is in Env; see archive.h */
    void (*close)(void *env);
} Environment;

#if defined(MATDESIGN_BUILTIN)
#define ENVIRONMENT_SYMBOL(label) const Environment environment_##label
#else
#define ENVIRONMENT_SYMBOL(label) __attribute__((visibility("default"))) const Environment matdesign_environment
#endif

/* Completes an environment: `label` names it, `Type` is its struct, and label_spaces, label_init, label_reset,
 * label_step, label_draw, label_serialize, label_close, label_settings and label_log_names are defined above this line. The
 * loops stand here so that the compiler inlines reset and step into them. */
#define ENVIRONMENT(label, Type, summary_text)                                              \
    static void label##_reset_batch(void *envs, int64_t begin, int64_t end) {               \
        for (Type *e = (Type *)envs + begin; e < (Type *)envs + end; e++) {                 \
            e->env.finished = 0;                                                            \
            e->env.seeded = 1;                                                              \
            label##_reset(e);                                                               \
            e->env.seeded = 0;                                                              \
        }                                                                                   \
    }                                                                                       \
    static void label##_step_batch(void *envs, int64_t begin, int64_t end) {                \
        for (Type *e = (Type *)envs + begin; e < (Type *)envs + end; e++) {                 \
            if (__builtin_expect(e->env.finished, 0)) {                                     \
                memset(e->env.masks, 0, (size_t)e->env.agents);                             \
                e->env.finished = 0;                                                        \
                label##_reset(e);                                                           \
            } else {                                                                        \
                label##_step(e);                                                            \
            }                                                                               \
        }                                                                                   \
    }                                                                                       \
    static int label##_init_any(void *e, const Settings *s, char *error, size_t bytes) {    \
        return label##_init((Type *)e, s, error, bytes);                                    \
    }                                                                                       \
    static void label##_draw_any(void *e, Scene *scene) { label##_draw((Type *)e, scene); } \
    static void label##_serialize_any(void *e, Archive *archive) {                          \
        label##_serialize((Type *)e, archive);                                              \
    }                                                                                       \
    static void label##_close_any(void *e) { label##_close((Type *)e); }                    \
    ENVIRONMENT_SYMBOL(label) = {                                                           \
        .abi = ENV_ABI,                                                                     \
        .struct_bytes = (int32_t)sizeof(Type),                                              \
        .name = #label,                                                                     \
        .summary = summary_text,                                                            \
        .log_names = label##_log_names,                                                     \
        .settings = label##_settings,                                                       \
        .spaces = label##_spaces,                                                           \
        .init = label##_init_any,                                                           \
        .reset_batch = label##_reset_batch,                                                 \
        .step_batch = label##_step_batch,                                                   \
        .draw = label##_draw_any,                                                           \
        .serialize = label##_serialize_any,                                                 \
        .close = label##_close_any,                                                         \
    };

#endif
