/* walkers.c: several agents that walk on a plane; every kind of setting, continuous actions, both ends of an episode.
 * It exists for tests, and stands for a file that a user wrote. */
#include "env.h"

enum { LOG_SCORE, LOG_PERF, LOG_LENGTH };

typedef struct {
    Env env;
    double *positions; /* [agents, 2] */
    double bound;
    int horizon, tick, counted;
    char label[64];
} Walkers;

static int living; /* instances in this process */

static const char *const walkers_log_names[] = {"score", "perf", "length", NULL};

static const Setting walkers_settings[] = {
    {.name = "agents", .value = 3, .low = 1, .high = 1000, .help = "walkers"},
    {.name = "horizon", .value = 10, .low = 1, .high = 1e6, .help = "steps until the episode is cut off"},
    {.name = "bound", .value = 100, .low = 0, .high = 1e6, .help = "the episode ends where a walker gets this far"},
    {.name = "capacity", .value = 1e6, .low = 0, .high = 1e6, .help = "instances this process may hold"},
    {.name = "starts", .low = -10, .high = 10, .help = "x of each walker at the start", .count = SETTING_ARRAY},
    {.name = "label", .help = "text in the scene", .count = SETTING_TEXT},
    {0},
};

static int walkers_spaces(const Settings *settings, Spaces *spaces, char *error, size_t error_bytes) {
    int64_t starts;
    int agents = (int)setting_number(settings, "agents");
    setting_array(settings, "starts", &starts);
    if (starts && starts != agents) {
        snprintf(error, error_bytes, "starts has %d values for %d agents: give one for each", (int)starts, agents);
        return -1;
    }
    *spaces = (Spaces){.agents = agents, .features = 4, .action_dims = 2, .low = -1e6f, .high = 1e6f};
    return 0;
}

static void observe(Walkers *w) {
    float *row = w->env.observations;
    for (int i = 0; i < w->env.agents; i++, row += 4) {
        row[0] = (float)w->positions[2 * i];
        row[1] = (float)w->positions[2 * i + 1];
        row[2] = (float)w->tick;
        row[3] = (float)i;
    }
}

static int walkers_init(Walkers *w, const Settings *settings, char *error, size_t error_bytes) {
    int capacity = (int)setting_number(settings, "capacity");
    if (living >= capacity) {
        snprintf(error, error_bytes, "capacity is %d and all places are taken", capacity);
        return -1;
    }
    living++;
    w->counted = 1;
    int64_t starts;
    const double *x = setting_array(settings, "starts", &starts);
    w->positions = calloc(4 * (size_t)w->env.agents, sizeof(double)); /* now, then the starts */
    for (int64_t i = 0; i < starts; i++) w->positions[2 * w->env.agents + 2 * i] = x[i];
    w->horizon = (int)setting_number(settings, "horizon");
    w->bound = setting_number(settings, "bound");
    snprintf(w->label, sizeof w->label, "%s", setting_text(settings, "label"));
    return 0;
}

static void walkers_reset(Walkers *w) {
    int n = 2 * w->env.agents;
    for (int i = 0; i < n; i++) w->positions[i] = w->positions[n + i] + 0.1 * random_normal(&w->env.random);
    w->tick = 0;
    observe(w);
}

static void walkers_step(Walkers *w) {
    const float *actions = w->env.actions;
    int outside = 0;
    for (int i = 0; i < 2 * w->env.agents; i++) {
        double action = actions[i] == actions[i] ? fmin(fmax(actions[i], -1.0), 1.0) : 0.0;
        w->positions[i] += action + 0.01 * random_normal(&w->env.random);
        outside |= fabs(w->positions[i]) > w->bound;
    }
    w->tick++;
    for (int i = 0; i < w->env.agents; i++)
        w->env.rewards[i] = (float)-hypot(w->positions[2 * i], w->positions[2 * i + 1]);
    observe(w);
    if (!outside && w->tick < w->horizon) return;
    env_log(&w->env, LOG_SCORE, w->env.rewards[0]);
    env_log(&w->env, LOG_PERF, !outside);
    env_log(&w->env, LOG_LENGTH, w->tick);
    env_log_episode(&w->env);
    if (outside)
        env_terminate(&w->env);
    else
        env_truncate(&w->env);
}

static void walkers_draw(Walkers *w, Scene *scene) {
    double origin[3] = {0, 0, 0};
    for (int i = 0; i < w->env.agents; i++) {
        double at[3] = {w->positions[2 * i], w->positions[2 * i + 1], 0};
        scene_sphere(scene, at[0], at[1], at[2], 0.5, 0xFF8000FF);
        scene_line(scene, origin, at, 0x00FF0080);
    }
    scene_text(scene, 0, 0, 1, 0.5, 0xFFFFFFFF, w->label);
}

static void walkers_serialize(Walkers *w, Archive *archive) {
    archive_bytes(archive, w->positions, 2 * sizeof(double) * (size_t)w->env.agents);
    archive_integer(archive, &w->tick, 0, w->horizon);
}

static void walkers_close(Walkers *w) {
    free(w->positions);
    living -= w->counted;
}

ENVIRONMENT(walkers, Walkers, "walkers on a plane, for tests")
