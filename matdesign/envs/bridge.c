/* bridge.c: free atoms between a hot and a cold slab are agents that build a bridge for the heat.
 *
 * An action is what each atom makes of a few directions (bridge_vectors.c): coefficients in [-1, 1] of BRIDGE_VECTORS
 * basis vectors, and last the temperature of its own bath. A control step changes the velocity by
 * strength * v0 * sum_k a_k B_k, by no more than 4 strength * v0, lets a Langevin thermostat at kt + kt_range * a (a from
 * 0 to 1) act for the interval and makes `md_steps` MD steps. The slabs are fixed meanwhile. After `horizon` control
 * steps nothing acts any more, the slabs but their outermost layer are let go, and the heat that crosses is measured and
 * rewarded (heat.c).
 */
#include "bridge.h"
#include "opening.h"

static const char *const bridge_log_names[] = {"score",    "perf",        "episode_return", "episode_length",
                                               "failures", "evaluations", "heat",           "energy",  NULL};

static const Setting bridge_settings[] = {
    {"commands", 0, 0, 0, "LAMMPS commands that create box and pair style, one a line", SETTING_TEXT},
    {"types", 0, 1, 16, "LAMMPS type of each atom, the free ones first", SETTING_ARRAY},
    {"positions", 0, -1e9, 1e9, "first positions [atoms, 3], distance units", SETTING_ARRAY},
    {"roles", 0, 0, BRIDGE_ROLES - 1, "of each atom: 0 free, 1 hot slab, 2 cold slab, 3 fixed", SETTING_ARRAY},
    {"starts", 0, -1e9, 1e9, "free atoms at the beginning [n, free, 3], one drawn each episode; none: a gas", SETTING_ARRAY},
    {"low", 0, -1e9, 1e9, "where the gap begins along x, distance units", 0},
    {"high", 1, -1e9, 1e9, "where it ends", 0},
    {"length_scale", 1, 1e-6, 1e6, "l0, distance units", 0},
    {"energy_scale", 1, 1e-9, 1e9, "e0, energy units", 0},
    {"md_steps", 10, 1, 1e6, "MD steps of one control step", SETTING_INTEGER},
    {"horizon", 80, 1, 1e6, "control steps of an episode", SETTING_INTEGER},
    {"strength", 1, 0, 1e3, "kick of a basis vector of length one, v0; four times as much at most", 0},
    {"kt", 0.05, 0, 1e3, "thermal energy of the free atoms' bath, e0", 0},
    {"kt_range", 0.5, 0, 1e3, "what an action can add to it, e0", 0},
    {"friction", 5, 0, 1e6, "of the bath, 1/time units", 0},
    {"apart", 0.9, 0, 2, "smallest distance in the gas, l0", 0},
    {"relax_tolerance", 0.02, 1e-12, 1e3, "relaxation: largest force component, f0", 0},
    {"relax_evaluations", 800, 0, 1e9, "relaxation: most force evaluations; one that needs more is worth nothing", SETTING_INTEGER},
    {"heat_kt", 0.4, 1e-9, 1e3, "thermal energy given to the hot slab to measure, e0; half of it goes into bonds", 0},
    {"heat_steps", 400, 10, 1e7, "MD steps of that measurement", SETTING_INTEGER},
    {"heat_seed", 0, 0, 1e9, "of the velocities given to the hot slab", SETTING_INTEGER},
    {"scale", 0.05, 1e-9, 1e9, "heat that earns a reward of 1", 0},
    {"aim", 0.06, 0, 1, "heat that counts as a bridge (perf); with a goal: error that counts as reached", 0},
    {"goal_low", 0, 0, 1, "least heat asked for", 0},
    {"goal_high", 0, 0, 1, "most heat asked for, uniform for each episode; 0: no goal, as much as possible", 0},
    {"failure_penalty", 1, 0, 1e6, "what all atoms lose where the simulation fails", 0},
    {0},
};

static const double LONGEST = 4.0; /* kick, in strength * v0 */

static int refuse(char *error, size_t bytes, const char *what) {
    snprintf(error, bytes, "%s", what);
    return -1;
}

static int bridge_spaces(const Settings *settings, Spaces *spaces, char *error, size_t bytes) {
    int64_t atoms, coordinates, roles, starts, agents = 0;
    const double *role = setting_array(settings, "roles", &roles);
    setting_array(settings, "types", &atoms);
    setting_array(settings, "positions", &coordinates);
    setting_array(settings, "starts", &starts);
    if (atoms < 1 || coordinates != 3 * atoms || roles != atoms)
        return refuse(error, bytes, "types, positions (three each) and roles are needed for each atom");
    while (agents < atoms && role[agents] == BRIDGE_FREE) agents++;
    int64_t count[BRIDGE_ROLES] = {0};
    for (int64_t i = 0; i < atoms; i++) count[(int)role[i]]++;
    if (!agents || count[BRIDGE_FREE] != agents || !count[BRIDGE_HOT] || !count[BRIDGE_COLD])
        return refuse(error, bytes, "free atoms must come first, and a hot and a cold slab after them");
    if (starts % (3 * agents)) return refuse(error, bytes, "starts needs three numbers for each free atom");
    if (setting_number(settings, "low") >= setting_number(settings, "high"))
        return refuse(error, bytes, "the gap's low end must be below its high end");
    if (setting_number(settings, "goal_high") > 0.0 &&
        setting_number(settings, "goal_low") > setting_number(settings, "goal_high"))
        return refuse(error, bytes, "goal_low must not exceed goal_high");
    *spaces = (Spaces){
        .agents = (int32_t)agents,
        .features = BRIDGE_FEATURES,
        .action_dims = BRIDGE_ACTIONS,
        .low = -10.0f,
        .high = 10.0f,
    };
    return 0;
}

/* A copy, also of an empty array; NULL for lack of memory. */
static double *copy_array(const Settings *settings, const char *name, int64_t *count) {
    const double *given = setting_array(settings, name, count);
    double *copy = malloc(sizeof(double) * (size_t)*count + 1);
    return copy && given ? memcpy(copy, given, sizeof(double) * (size_t)*count) : copy;
}

int bridge_fix(Bridge *b, int from) {
    uint8_t *fixed = (uint8_t *)b->scratch;
    for (int i = 0; i < b->atoms; i++) fixed[i] = b->role[i] >= from;
    return simulation_fix_atoms(b->simulation, fixed);
}

static int bridge_init(Bridge *b, const Settings *s, char *error, size_t bytes) {
    int64_t count;
    setting_array(s, "types", &count);
    b->atoms = (int)count;
#define NUMBER(field) b->field = (__typeof__(b->field))setting_number(s, #field)
    NUMBER(md_steps), NUMBER(horizon), NUMBER(heat_steps), NUMBER(relax_evaluations), NUMBER(low), NUMBER(high);
    NUMBER(strength), NUMBER(kt), NUMBER(kt_range), NUMBER(friction), NUMBER(apart), NUMBER(relax_tolerance);
    NUMBER(heat_kt), NUMBER(scale), NUMBER(aim), NUMBER(goal_low), NUMBER(goal_high), NUMBER(failure_penalty);
#undef NUMBER
    b->length = setting_number(s, "length_scale");
    b->energy = setting_number(s, "energy_scale");
    b->force = b->energy / b->length;
    size_t n = (size_t)b->atoms;
    double **arrays[] = {&b->slab, &b->pattern, &b->x, &b->kick, &b->scratch, &b->result_x};
    b->finder = neighbours_open(b->atoms, BRIDGE_NEIGHBOURS);
    b->neighbours = malloc(sizeof(Neighbour) * n * BRIDGE_NEIGHBOURS);
    b->role = malloc(n);
    b->temperature = calloc((size_t)b->env.agents, sizeof(double));
    b->vectors = calloc((size_t)b->env.agents, sizeof *b->vectors);
    b->starts = copy_array(s, "starts", &b->start_count);
    b->start_count /= 3 * b->env.agents;
    int complete = b->finder && b->neighbours && b->role && b->temperature && b->vectors && b->starts;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) complete &= (*arrays[i] = calloc(3 * n, sizeof(double))) != NULL;
    if (!complete) return refuse(error, bytes, "out of memory");
    if (!(b->simulation = open_simulation(s, error, bytes))) return -1;
    b->mvv2e = *b->simulation->mvv2e;
    b->velocity = sqrt(b->energy / (b->mvv2e * b->simulation->mass[b->simulation->type[0]]));
    if (simulation_box(b->simulation, b->origin, b->cell, b->periodic))
        return refuse(error, bytes, simulation_error(b->simulation));
    if (!b->periodic[1] || !b->periodic[2]) return refuse(error, bytes, "the cell must be periodic along y and z");
    const double *role = setting_array(s, "roles", &count), *x = setting_array(s, "positions", &count);
    for (size_t i = 0; i < n; i++) b->role[i] = (uint8_t)role[i];
    memcpy(b->slab, x, 3 * n * sizeof(double));
    heat_pattern(b, (uint64_t)setting_number(s, "heat_seed"));
    return 0;
}

static void bridge_close(Bridge *b) {
    simulation_close(b->simulation);
    neighbours_close(b->finder);
    free(b->neighbours);
    free(b->role);
    free(b->slab);
    free(b->starts);
    free(b->pattern);
    free(b->x);
    free(b->kick);
    free(b->scratch);
    free(b->temperature);
    free(b->vectors);
    free(b->result_x);
}

/* ------------------------------------------------------------------------------------------------------ episode */

/* Free atoms anywhere in the gap, half a length scale from its ends and `apart` from each other; less where there is no
 * room for that. */
static void gas(Bridge *b, double *x) {
    double apart = b->apart * b->length, margin = 0.5 * b->length;
    for (int i = 0; i < b->env.agents; i++)
        for (int try = 1;; try++) {
            double *to = x + 3 * i;
            to[0] = b->low + margin + (b->high - b->low - 2.0 * margin) * random_uniform(&b->env.random);
            for (int d = 1; d < 3; d++) to[d] = b->origin[d] + b->cell[d][d] * random_uniform(&b->env.random);
            int clear = 1;
            for (int j = 0; j < b->atoms && clear; j++) {
                if (j >= i && j < b->env.agents) continue;
                double square = 0.0;
                for (int d = 0; d < 3; d++) {
                    double way = x[3 * j + d] - to[d];
                    if (d) way -= b->cell[d][d] * round(way / b->cell[d][d]);
                    square += way * way;
                }
                clear = square >= apart * apart;
            }
            if (clear) break;
            if (try % 1000 == 0) apart *= 0.95;
        }
}

static int read_state(Bridge *b) {
    const Simulation *s = b->simulation;
    simulation_unwrap(s, (const double(*)[3])b->cell, b->x);
    double sum = 0.0;
    for (int i = 0; i < b->atoms; i++) sum += s->energy[i];
    return isfinite(sum) && sum < 1e4 * b->atoms * b->energy ? 0 : -1;
}

static int try_reset(Bridge *b) {
    Simulation *s = b->simulation;
    if (b->broken && simulation_rebuild(s)) return -1;
    b->broken = 0;
    b->first_evaluation = s->evaluations;
    if (bridge_fix(b, BRIDGE_HOT)) return -1; /* also after a measurement, which lets the slabs go */
    size_t free_row = 3 * (size_t)b->env.agents;
    memcpy(b->scratch, b->slab, 3 * sizeof(double) * (size_t)b->atoms);
    if (b->start_count)
        memcpy(b->scratch, b->starts + free_row * random_integer(&b->env.random, (uint32_t)b->start_count),
               free_row * sizeof(double));
    else
        gas(b, b->scratch);
    if (simulation_place(s, b->scratch, NULL, 1)) return -1;
    int64_t used; /* a few evaluations soften the gas */
    enum { SOFTENING = 20, STIFFNESS = 70 };
    if (!b->start_count && simulation_relax(s, 0.0, STIFFNESS * b->force / b->length, 0.1 * b->length, SOFTENING, &used))
        return -1;
    return read_state(b);
}

static void bridge_reset(Bridge *b) {
    b->step = 0;
    b->episode_return = 0.0;
    b->goal = NAN;
    if (b->goal_high > 0.0) b->goal = b->goal_low + (b->goal_high - b->goal_low) * random_uniform(&b->env.random);
    for (int attempt = 0; try_reset(b); attempt++) {
        b->broken = 1;
        if (attempt == 10) { /* no start of this material survives: show nothing, end at once */
            memset(b->env.observations, 0, sizeof(float) * (size_t)b->env.agents * BRIDGE_FEATURES);
            return;
        }
    }
    bridge_observe(b);
}

/* Kicks and bath temperatures; what is not a number counts as zero. */
static void read_actions(Bridge *b) {
    const float *given = b->env.actions;
    for (int i = 0; i < b->env.agents; i++, given += BRIDGE_ACTIONS) {
        double kick[3] = {0.0, 0.0, 0.0}, action[BRIDGE_ACTIONS];
        for (int k = 0; k < BRIDGE_ACTIONS; k++)
            action[k] = isfinite(given[k]) ? fmin(fmax((double)given[k], -1.0), 1.0) : 0.0;
        for (int k = 0; k < BRIDGE_VECTORS; k++)
            for (int d = 0; d < 3; d++) kick[d] += action[k] * (double)b->vectors[i][k][d];
        double size = sqrt(kick[0] * kick[0] + kick[1] * kick[1] + kick[2] * kick[2]);
        double factor = b->strength * b->velocity / fmax(size / LONGEST, 1.0);
        for (int d = 0; d < 3; d++) b->kick[3 * i + d] = factor * kick[d];
        b->temperature[i] = (b->kt + b->kt_range * fmax(action[BRIDGE_VECTORS], 0.0)) * b->energy;
    }
}

/* The O step of a Langevin thermostat over the interval, as in atoms.c, and the kicks. */
static int control_step(Bridge *b) {
    Simulation *s = b->simulation;
    double keep = exp(-b->friction * b->md_steps * *s->dt), fresh = sqrt(1.0 - keep * keep);
    for (int i = 0; i < b->env.agents; i++) {
        double width = fresh * sqrt(b->temperature[i] / (b->mvv2e * s->mass[s->type[i]]));
        for (int d = 3 * i; d < 3 * i + 3; d++)
            s->v[d] = keep * s->v[d] + width * random_normal(&b->env.random) + b->kick[d];
    }
    return simulation_step(s, b->md_steps, 1);
}

/* The end of an episode: the heat, or the penalty of a simulation that failed and is built anew. */
static void finish(Bridge *b, int failed) {
    double heat = 0.0;
    failed = failed || heat_measure(b, &heat);
    b->broken = b->result_failed = failed;
    double reward = failed ? -b->failure_penalty : heat_reward(b, heat), miss = fabs(heat - b->goal);
    for (int i = 0; i < b->env.agents; i++) b->env.rewards[i] = (float)reward;
    b->result_heat = heat;
    if (failed) b->result_energy = NAN;
    b->result_evaluations = b->simulation->evaluations - b->first_evaluation;
    env_log(&b->env, BRIDGE_SCORE, isnan(b->goal) ? heat : -miss);
    env_log(&b->env, BRIDGE_PERF, !failed && (isnan(b->goal) ? heat >= b->aim : miss <= b->aim));
    env_log(&b->env, BRIDGE_RETURN, reward);
    env_log(&b->env, BRIDGE_LENGTH, b->step);
    env_log(&b->env, BRIDGE_FAILURES, failed);
    env_log(&b->env, BRIDGE_EVALUATIONS, (double)b->result_evaluations);
    env_log(&b->env, BRIDGE_HEAT, heat);
    env_log(&b->env, BRIDGE_ENERGY, failed ? 0.0 : b->result_energy / b->energy / b->atoms);
    env_log_episode(&b->env);
    env_terminate(&b->env);
}

static void bridge_step(Bridge *b) {
    b->step++;
    if (b->broken) { /* the reset before could not build a simulation */
        finish(b, 1);
        return;
    }
    read_actions(b);
    int failed = control_step(b) || read_state(b);
    if (!failed) bridge_observe(b);
    if (failed || b->step >= b->horizon) finish(b, failed);
}

int bridge_result(const void *env, double *positions, double *heat, double *energy, int64_t *evaluations) {
    const Bridge *b = env;
    memcpy(positions, b->result_x, 3 * sizeof(double) * (size_t)b->atoms);
    *heat = b->result_heat;
    *energy = b->result_energy;
    *evaluations = b->result_evaluations;
    return b->result_failed;
}

static void bridge_draw(Bridge *b, Scene *scene) {
    static const uint32_t colours[BRIDGE_ROLES] = {0x4daf4aff, 0xd62728ff, 0x1f77b4ff, 0x808080ff};
    for (int i = 0; i < b->atoms; i++)
        scene_sphere(scene, b->x[3 * i], b->x[3 * i + 1], b->x[3 * i + 2], 0.5 * b->length, colours[b->role[i]]);
}

static void bridge_serialize(Bridge *b, Archive *archive) {
    const size_t row = sizeof(double) * (size_t)b->atoms;
    archive_bytes(archive, b->x, 3 * row);
    archive_bytes(archive, b->result_x, 3 * row);
    archive_bytes(archive, b->vectors, sizeof *b->vectors * (size_t)b->env.agents);
    archive_integer(archive, &b->step, 0, b->horizon);
    archive_integer(archive, &b->broken, 0, 1);
    archive_integer(archive, &b->result_failed, 0, 1);
    ARCHIVE(archive, b->goal);
    ARCHIVE(archive, b->episode_return);
    ARCHIVE(archive, b->first_evaluation);
    ARCHIVE(archive, b->result_heat);
    ARCHIVE(archive, b->result_energy);
    ARCHIVE(archive, b->result_evaluations);
    const int64_t most = (int64_t)1 << 53;
    archive_require(archive, b->first_evaluation >= 0 && b->first_evaluation < most);
    if (b->broken) return; /* the next reset builds it anew */
    uint8_t *fixed = (uint8_t *)b->scratch;
    for (int i = 0; i < b->atoms; i++) fixed[i] = b->role[i] >= BRIDGE_HOT;
    serialize_simulation(b->simulation, fixed, b->x, b->kick, 1e3 * b->velocity, archive);
}

ENVIRONMENT(bridge, Bridge, "free atoms between a hot and a cold slab that build a bridge for the heat")
