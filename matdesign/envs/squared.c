/* squared.c: one agent on a square grid walks to a target. The template of an environment, with the rules of the
 * field's minimal example (PufferLib's squared), so that speeds compare.
 *
 * The agent starts in the middle, the target in any other cell. Actions: 0 stay, 1 down, 2 up, 3 left, 4 right; any
 * other value is 0. Reaching the target gives reward 1, leaving the grid or taking more than 3 * size steps gives -1;
 * each ends the episode. The observation is the grid, row by row: 0 empty, 1 agent, 2 target.
 */
#include "env.h"

enum { EMPTY, AGENT, TARGET };
enum { LOG_SCORE, LOG_PERF, LOG_RETURN, LOG_LENGTH };

typedef struct {
    Env env;
    int32_t size, row, column, target, tick;
} Squared;

static const char *const squared_log_names[] = {"score", "perf", "episode_return", "episode_length", NULL};

static const Setting squared_settings[] = {
    {.name = "size", .value = 11, .low = 2, .high = 255, .help = "cells along each edge of the grid"},
    {0},
};

static int squared_spaces(const Settings *settings, Spaces *spaces, char *error, size_t error_bytes) {
    double size = setting_number(settings, "size");
    if (size != floor(size)) {
        snprintf(error, error_bytes, "size is %g: give a whole number of cells", size);
        return -1;
    }
    *spaces = (Spaces){.agents = 1, .features = (int32_t)(size * size), .action_dims = 1, .choices = 5, .bytes = 1,
                       .low = EMPTY, .high = TARGET};
    return 0;
}

static int squared_init(Squared *s, const Settings *settings, char *error, size_t error_bytes) {
    (void)error, (void)error_bytes;
    s->size = (int32_t)setting_number(settings, "size");
    return 0;
}

static void squared_reset(Squared *s) {
    uint8_t *grid = s->env.observations;
    int32_t cells = s->size * s->size, middle = (s->size / 2) * s->size + s->size / 2;
    int32_t target = (int32_t)random_integer(&s->env.random, (uint32_t)cells - 1);
    s->target = target + (target >= middle);
    s->row = s->column = s->size / 2;
    s->tick = 0;
    memset(grid, EMPTY, (size_t)cells);
    grid[middle] = AGENT;
    grid[s->target] = TARGET;
}

static void squared_end(Squared *s, float reward) {
    s->env.rewards[0] = reward;
    env_log(&s->env, LOG_SCORE, reward);
    env_log(&s->env, LOG_PERF, reward > 0);
    env_log(&s->env, LOG_RETURN, reward);
    env_log(&s->env, LOG_LENGTH, s->tick);
    env_log_episode(&s->env);
    env_terminate(&s->env);
}

static inline void squared_step(Squared *s) {
    /* Tables in place of branches: what agents do is random to the branch predictor. */
    static const int8_t down[8] = {0, 1, -1, 0, 0}, right[8] = {0, 0, 0, -1, 1};
    uint8_t *grid = s->env.observations;
    uint32_t action = *(const uint32_t *)s->env.actions;
    action = action < 5 ? action : 0;
    grid[s->row * s->size + s->column] = EMPTY;
    s->row += down[action];
    s->column += right[action];
    s->tick += 1;
    if ((uint32_t)s->row >= (uint32_t)s->size || (uint32_t)s->column >= (uint32_t)s->size) {
        squared_end(s, -1.0f);
        return;
    }
    int32_t cell = s->row * s->size + s->column, late = s->tick > 3 * s->size;
    grid[cell] = AGENT;
    if (late | (cell == s->target)) squared_end(s, late ? -1.0f : 1.0f);
}

static void squared_draw(Squared *s, Scene *scene) {
    const uint8_t *grid = s->env.observations;
    double half = 0.5 * s->size, floor_centre[3] = {half, half, -0.05}, floor_edges[3] = {s->size, s->size, 0.1};
    scene_box(scene, floor_centre, floor_edges, 0x202830FF);
    for (int32_t cell = 0; cell < s->size * s->size; cell++) {
        if (grid[cell] == EMPTY) continue;
        double centre[3] = {cell % s->size + 0.5, s->size - cell / s->size - 0.5, 0.45}, edges[3] = {0.9, 0.9, 0.9};
        scene_box(scene, centre, edges, grid[cell] == AGENT ? 0x30C0E0FF : 0xE05040FF);
    }
}

static void squared_serialize(Squared *s, Archive *archive) {
    int32_t beyond = s->env.finished; /* an agent may have left the grid in its last step */
    archive_integer(archive, &s->row, -beyond, s->size - 1 + beyond);
    archive_integer(archive, &s->column, -beyond, s->size - 1 + beyond);
    archive_integer(archive, &s->target, 0, s->size * s->size - 1);
    archive_integer(archive, &s->tick, 0, 3 * s->size + 1);
}

static void squared_close(Squared *s) { (void)s; }

ENVIRONMENT(squared, Squared, "one agent walks to a target on a grid: the minimal example")
