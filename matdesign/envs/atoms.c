/* atoms.c: every atom of a LAMMPS simulation is an agent.
 *
 * A control step applies one action to each atom, lets LAMMPS make `md_steps` MD steps, and shows each atom its
 * surroundings. Actions are vectors of at most length one, scaled by `strength`:
 *
 *     velocity      v becomes strength * v0 * action
 *     kick          v gains strength * v0 * action
 *     force         strength * f0 * action acts in every MD step of the interval
 *     displacement  the atom moves by strength * l0 * action, and by no more than force_cap * l0 * |f| / f0 where
 *                   force_cap is given; forces are evaluated there (the first MD step), the rest of the interval is MD
 *                   from rest
 *
 * l0 and e0 are the material's length and energy scales, v0 = sqrt(e0 / mean mass), f0 = e0 / l0. The observation's
 * columns are listed in observation.c.
 */
#include "atoms.h"
#include "opening.h"

enum { VELOCITY, KICK, FORCE, DISPLACEMENT, CONTROLS };
static const char *const control_names[CONTROLS] = {"velocity", "kick", "force", "displacement"};
static const Reward *const rewards[] = {&reward_energy, &reward_goal, &reward_order, &reward_property};
enum { REWARDS = sizeof rewards / sizeof *rewards };

static const double FASTEST = 100.0;  /* v0 */
static const double STIFFNESS = 70.0; /* of a bond, f0 / l0: curvature that a relaxation begins with */

static const char *const atoms_log_names[] = {"score",    "perf",        "episode_return", "episode_length",
                                              "failures", "evaluations", "energy",      NULL};

static const Setting atoms_settings[] = {
    {"commands", 0, 0, 0, "LAMMPS commands that create box and pair style, one a line", SETTING_TEXT},
    {"types", 0, 1, ATOMS_SPECIES, "LAMMPS type of each atom", SETTING_ARRAY},
    {"positions", 0, -1e9, 1e9, "first positions [atoms, 3], distance units", SETTING_ARRAY},
    {"starts", 0, -1e9, 1e9, "starting structures [n, atoms, 3], one drawn each episode; none: a random cloud", SETTING_ARRAY},
    {"colours", 0, 0, 1, "red, green, blue of each species", SETTING_ARRAY},
    {"radii", 0, 0, 1e3, "drawn radius of each species, distance units", SETTING_ARRAY},
    {"length_scale", 1, 1e-6, 1e6, "l0, distance units", 0},
    {"energy_scale", 1, 1e-9, 1e9, "e0, energy units", 0},
    {"species", 1, 1, ATOMS_SPECIES, "species of the material", SETTING_INTEGER},
    {"control", 0, 0, 0, "velocity, kick, force or displacement (default kick)", SETTING_TEXT},
    {"reward", 0, 0, 0, "energy, goal, order or property (default energy)", SETTING_TEXT},
    {"md_steps", 20, 1, 1e6, "MD steps of one control step", SETTING_INTEGER},
    {"horizon", 20, 1, 1e6, "control steps of an episode", SETTING_INTEGER},
    {"strength", 1, 0, 1e3, "what an action of length one does, in v0, f0 or l0", 0},
    {"force_cap", 0, 0, 1e6, "displacement: longest move in l0 for each f0 of local force; 0: no such cap", 0},
    {"remove_drift", 0, 0, 1, "1: the mean action is subtracted (by mass, but for forces), so that the centre of mass stays", SETTING_INTEGER},
    {"neighbours", 12, 1, 64, "neighbours observed, k", SETTING_INTEGER},
    {"cutoff", 3, 0.5, 3, "farthest neighbour observed, l0", 0},
    {"container", 0, 0, 1e4, "radius about the middle where atoms that fly outwards are turned back, l0; 0: none", 0},
    {"kt", 0, 0, 1e6, "thermostat: thermal energy in e0; 0 with friction 0: no thermostat", 0},
    {"friction", 0, 0, 1e6, "thermostat: friction, 1/time units", 0},
    {"start_density", 0.35, 1e-6, 1.2, "density of the random cloud, atoms per l0^3", 0},
    {"start_distance", 0.8, 0, 1, "smallest distance in the random cloud, l0", 0},
    {"start_jitter", 0, 0, 1, "normal displacement added to a starting structure, l0", 0},
    {"melt_kt", 0, 0, 1e6, "thermal energy at which MD melts a starting structure, e0", 0},
    {"melt_steps", 0, 0, 1e9, "MD steps of that melt, before start_relax", SETTING_INTEGER},
    {"start_kt", 0, 0, 1e6, "thermal energy of the starting velocities, e0", 0},
    {"start_relax", 0, 0, 1e6, "force evaluations of a relaxation before the first observation", SETTING_INTEGER},
    {"credit", 0, 0, 0, "which atom earns how much: own, team, mix or difference (default: mix for energy and order, own for goal, team for property)", SETTING_TEXT},
    {"own_share", 0.5, 0, 1, "credit mix: share of what the atom itself did, the rest is the team's", 0},
    {"reference", NAN, -1e12, 1e12, "energy reward: energy of the ground state in e0; none: the lowest seen", 0},
    {"final_weight", 2, 0, 1e6, "energy reward: weight of the final energy above the reference per atom", 0},
    {"bonus", 2, 0, 1e6, "energy reward: final reward for reaching the reference", 0},
    {"tolerance", 1e-3, 0, 1e3, "energy reward: energy above the reference that counts as reached, e0; goal: distance, l0; order: error", 0},
    {"measure_every", 1, 1, 1e6, "property reward: control steps between two measurements; the last is always one", SETTING_INTEGER},
    {"acceptance", 2, 0, 100, "property reward: standard errors below which a change counts as none", 0},
    {"free_steps", 0, 0, 1e9, "property reward: MD steps without control before the last measurement", SETTING_INTEGER},
    {"distance_penalty", 0, 0, 1e6, "what an atom loses for each neighbour on top of it, and proportionally where closer than min_distance", 0},
    {"min_distance", 0.8, 1e-3, 3, "distance penalty: distance from which on it is zero, l0", 0},
    {"measurer", 0, 0, 9e15, "address of the function that measures", 0},
    {"samples", 1, 1, 1024, "samples of a measurement", SETTING_INTEGER},
    {"parts", 0, 0, 1e6, "measured properties, where all are means of parts of the atoms", SETTING_INTEGER},
    {"reachable", 0, 0, 1, "1: the targets can be reached, 0: only approached", SETTING_INTEGER},
    {"target_value", NAN, -1e300, 1e300, "value to hit, in its scale", 0},
    {"relax_tolerance", 1e-2, 1e-12, 1e3, "final relaxation: largest force component, f0", 0},
    {"relax_evaluations", 1000, 0, 1e9, "final relaxation: most force evaluations", SETTING_INTEGER},
    {"common_goal", 0, 0, 1, "goal reward: 1: all atoms share one goal", SETTING_INTEGER},
    {"failure_penalty", 10, 0, 1e6, "what all atoms lose, and the score, where the simulation fails; more than any finished episode", 0},
    {"goal_bonus", 0.2, 0, 1e3, "goal and order reward: for each control step within the tolerance", 0},
    {"goal", 0, -1, 1, "order reward: the order to reach; low, high: one in between is drawn each episode; more pairs: from any of them", SETTING_ARRAY},
    {"goal_scale", 0.1, 1e-6, 1, "order reward: error that counts as one", 0},
    {0},
};

static int find_name(const char *given, const char *const *names, int count, int fallback) {
    if (!*given) return fallback;
    for (int i = 0; i < count; i++)
        if (strcmp(given, names[i]) == 0) return i;
    return -1;
}

static int find_reward(const char *given) {
    for (int i = 0; i < REWARDS; i++)
        if (strcmp(*given ? given : "energy", rewards[i]->name) == 0) return i;
    return -1;
}

static int atoms_spaces(const Settings *settings, Spaces *spaces, char *error, size_t bytes) {
    int64_t atoms, coordinates, starts;
    const double *types = setting_array(settings, "types", &atoms);
    setting_array(settings, "positions", &coordinates);
    setting_array(settings, "starts", &starts);
    if (atoms < 1 || coordinates != 3 * atoms) {
        snprintf(error, bytes, "%lld coordinates were given for %lld atoms: three for each of at least one atom are "
                 "needed", (long long)coordinates, (long long)atoms);
        return -1;
    }
    int species = (int)setting_number(settings, "species"), k = (int)setting_number(settings, "neighbours");
    for (int64_t i = 0; i < atoms; i++)
        if (types[i] != floor(types[i]) || types[i] > species) {
            snprintf(error, bytes, "atom %lld has type %g: types are whole numbers from 1 to %d", (long long)i + 1,
                     types[i], species);
            return -1;
        }
    if (starts % (3 * atoms)) {
        snprintf(error, bytes, "starts has %lld numbers: a multiple of 3 x %lld atoms is needed", (long long)starts,
                 (long long)atoms);
        return -1;
    }
    int control = find_name(setting_text(settings, "control"), control_names, CONTROLS, KICK);
    if (control < 0) {
        snprintf(error, bytes, "control '%s' is unknown: use velocity, kick, force or displacement",
                 setting_text(settings, "control"));
        return -1;
    }
    if (setting_number(settings, "friction") > 0.0 && (control == VELOCITY || control == DISPLACEMENT)) {
        snprintf(error, bytes, "friction %g has no effect: control %s sets the velocities; use kick or force, or no "
                 "friction", setting_number(settings, "friction"), control_names[control]);
        return -1;
    }
    if (setting_number(settings, "kt") > 0.0 && setting_number(settings, "friction") == 0.0) {
        snprintf(error, bytes, "kt %g has no effect without friction: give friction too, or no kt",
                 setting_number(settings, "kt"));
        return -1;
    }
    if (find_reward(setting_text(settings, "reward")) < 0) {
        snprintf(error, bytes, "reward '%s' is unknown: use energy, goal, order or property", setting_text(settings, "reward"));
        return -1;
    }
    if (find_name(setting_text(settings, "credit"), credit_names, CREDITS, 0) < 0) {
        snprintf(error, bytes, "credit '%s' is unknown: use own, team, mix or difference", setting_text(settings, "credit"));
        return -1;
    }
    *spaces = (Spaces){
        .agents = (int32_t)atoms,
        .features = atoms_features(species, k, rewards[find_reward(setting_text(settings, "reward"))]),
        .action_dims = 3,
        .low = -10.0f,
        .high = 10.0f,
    };
    return 0;
}

static double *copy_array(const Settings *settings, const char *name, int64_t *count) {
    const double *given = setting_array(settings, name, count);
    if (!given) return NULL;
    double *copy = malloc(sizeof(double) * (size_t)*count);
    return copy ? memcpy(copy, given, sizeof(double) * (size_t)*count) : NULL;
}

static int atoms_init(Atoms *a, const Settings *s, char *error, size_t bytes) {
    size_t n = (size_t)a->env.agents;
#define NUMBER(field) a->field = (__typeof__(a->field))setting_number(s, #field)
    NUMBER(md_steps), NUMBER(horizon), NUMBER(species), NUMBER(remove_drift), NUMBER(start_relax), NUMBER(strength);
    NUMBER(force_cap), NUMBER(cutoff), NUMBER(container), NUMBER(kt), NUMBER(friction), NUMBER(start_density);
    NUMBER(start_distance), NUMBER(start_jitter), NUMBER(start_kt), NUMBER(own_share), NUMBER(final_weight);
    NUMBER(bonus), NUMBER(tolerance), NUMBER(reference), NUMBER(relax_tolerance), NUMBER(relax_evaluations);
    NUMBER(common_goal), NUMBER(goal_bonus), NUMBER(failure_penalty);
    NUMBER(distance_penalty), NUMBER(min_distance);
    NUMBER(melt_kt), NUMBER(melt_steps);
#undef NUMBER
    a->k = (int)setting_number(s, "neighbours");
    a->length = setting_number(s, "length_scale");
    a->energy = setting_number(s, "energy_scale");
    a->control = find_name(setting_text(s, "control"), control_names, CONTROLS, KICK);
    a->reward = rewards[find_reward(setting_text(s, "reward"))];
    a->features = atoms_features(a->species, a->k, a->reward);
    a->credit = find_name(setting_text(s, "credit"), credit_names, CREDITS, a->reward->credit);
    for (int t = 0; t < a->species; t++) {
        int64_t count;
        const double *colours = setting_array(s, "colours", &count);
        for (int c = 0; c < 3; c++) a->colour[t][c] = 3 * t + c < count ? (float)colours[3 * t + c] : 0.6f;
        a->colour[t][3] = 1.0f;
        const double *radii = setting_array(s, "radii", &count);
        a->radius[t] = t < count ? radii[t] : 0.5 * a->length;
    }
    if (!(a->simulation = open_simulation(s, error, bytes))) return -1;
    a->mvv2e = *a->simulation->mvv2e;
    double mass = 0.0;
    for (int i = 0; i < a->env.agents; i++) mass += a->simulation->mass[a->simulation->type[i]];
    a->velocity = sqrt(a->energy / (a->mvv2e * mass / (double)n));
    a->force = a->energy / a->length;
    if (simulation_box(a->simulation, a->origin, a->cell, a->periodic)) {
        snprintf(error, bytes, "%s", simulation_error(a->simulation));
        return -1;
    }
    a->free_space = !a->periodic[0] && !a->periodic[1] && !a->periodic[2];
    a->starts = copy_array(s, "starts", &a->start_count);
    a->start_count /= 3 * a->env.agents;
    a->finder = neighbours_open(a->env.agents, a->k);
    a->neighbours = malloc(sizeof(Neighbour) * n * (size_t)a->k);
    a->action = calloc(3 * n, sizeof(float));
    double **arrays[] = {&a->unwrapped, &a->before, &a->goals, &a->gradient, &a->scratch, &a->result_x};
    double **scalars[] = {&a->energies, &a->energies_before, &a->measure, &a->credited, &a->kept_apart};
    int complete = a->finder && a->neighbours && a->action;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) complete &= (*arrays[i] = calloc(3 * n, sizeof(double))) != NULL;
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++) complete &= (*scalars[i] = calloc(n, sizeof(double))) != NULL;
    if (!complete) {
        snprintf(error, bytes, "out of memory for %zu atoms", n);
        return -1;
    }
    if (!a->free_space)
        for (int d = 0; d < 3; d++)
            a->middle[d] = a->origin[d] + 0.5 * (a->cell[0][d] + a->cell[1][d] + a->cell[2][d]);
    if (!a->start_count && !a->free_space) {
        snprintf(error, bytes, "a periodic cell needs starting structures: a random cloud is for free space");
        return -1;
    }
    return a->reward->open ? a->reward->open(a, s, error, bytes) : 0;
}

static void atoms_close(Atoms *a) {
    if (a->reward && a->reward->close) a->reward->close(a);
    simulation_close(a->simulation);
    neighbours_close(a->finder);
    free(a->neighbours);
    free(a->action);
    free(a->starts);
    free(a->unwrapped);
    free(a->before);
    free(a->goals);
    free(a->scratch);
    free(a->result_x);
    free(a->energies);
    free(a->energies_before);
    free(a->measure);
    free(a->credited);
    free(a->kept_apart);
    free(a->gradient);
}

/* Reads positions and energies of this control point; -1 where something is not a number, or an atom is inside another
 * one, or so fast that it must have been: what follows from there is no physics, and a reward beyond all bounds. */
static int read_state(Atoms *a) {
    const Simulation *s = a->simulation;
    simulation_unwrap(s, a->cell, a->unwrapped);
    double highest = 0.0, sum = 0.0, fastest[3] = {0.0, 0.0, 0.0};
    for (int i = 0; i < a->env.agents; i++) {
        a->energies[i] = s->energy[i];
        sum += s->energy[i];
        highest = s->energy[i] > highest ? s->energy[i] : highest;
        for (int d = 0; d < 3; d++) {
            double speed = fabs(s->v[3 * i + d]);
            fastest[d] = speed > fastest[d] ? speed : fastest[d];
        }
    }
    double limit = FASTEST * a->velocity;
    if (highest > FASTEST * FASTEST * a->energy) return -1;
    return isfinite(sum) && fastest[0] < limit && fastest[1] < limit && fastest[2] < limit ? 0 : -1;
}

/* ------------------------------------------------------------------------------------------------------ episode */

/* Force evaluations since the episode began. */
static int64_t spent(const Atoms *a) { return a->simulation->evaluations - a->first_evaluation + a->measuring_evaluations; }

void atoms_store_result(Atoms *a) {
    memcpy(a->result_x, a->unwrapped, 3 * sizeof(double) * (size_t)a->env.agents);
    a->result_energy = atoms_total_energy(a);
    a->result_evaluations = spent(a);
    a->result_failed = 0;
}

int atoms_relax(Atoms *a, int64_t evaluations, double tolerance) {
    int64_t used;
    if (simulation_relax(a->simulation, tolerance * a->force, STIFFNESS * a->force / a->length, 0.1 * a->length,
                         evaluations, &used))
        return -1;
    return read_state(a);
}

int atoms_result(const void *env, double *positions, double *energy, int64_t *evaluations) {
    const Atoms *a = env;
    memcpy(positions, a->result_x, 3 * sizeof(double) * (size_t)a->env.agents);
    *energy = a->result_energy;
    *evaluations = a->result_evaluations;
    return a->result_failed;
}

/* A simulation that failed ends the episode here and is built anew before the next one. */
static void fail_episode(Atoms *a) {
    a->broken = 1;
    a->result_failed = 1;
    a->result_evaluations = spent(a);
    a->result_energy = NAN;
    /* Less than any finished episode earns: to wreck the simulation must not be a way out. */
    for (int i = 0; i < a->env.agents; i++) a->env.rewards[i] = (float)-a->failure_penalty;
    a->episode_return -= a->failure_penalty;
    env_log(&a->env, LOG_SCORE, -a->failure_penalty);
    env_log(&a->env, LOG_FAILURES, 1.0);
    env_terminate(&a->env);
}

static void log_episode(Atoms *a) {
    env_log(&a->env, LOG_RETURN, a->episode_return);
    env_log(&a->env, LOG_LENGTH, a->step);
    env_log(&a->env, LOG_EVALUATIONS, (double)a->result_evaluations);
    double energy = a->result_energy; /* of the last good control point where the simulation failed */
    if (a->result_failed) {
        energy = 0.0;
        for (int i = 0; i < a->env.agents; i++) energy += a->energies_before[i];
    }
    env_log(&a->env, LOG_ENERGY, energy / a->energy / a->env.agents);
    env_log_episode(&a->env);
}

static int try_reset(Atoms *a) {
    Simulation *s = a->simulation;
    if (a->broken && simulation_rebuild(s)) return -1;
    a->broken = 0;
    a->first_evaluation = s->evaluations;
    a->measuring_evaluations = 0;
    atoms_start_structure(a, a->scratch);
    if (simulation_place(s, a->scratch, NULL, 1)) return -1;
    if (a->melt_steps && atoms_melt(a)) return -1;
    if (a->start_relax ? atoms_relax(a, a->start_relax, 0.0) : read_state(a)) return -1;
    if (a->start_kt > 0.0) atoms_thermal_velocities(a, a->start_kt, s->v);
    size_t n = (size_t)a->env.agents;
    memcpy(a->before, a->unwrapped, 3 * n * sizeof(double));
    memcpy(a->energies_before, a->energies, n * sizeof(double));
    penalty_update(a, 0);
    return a->reward->start(a);
}

static void atoms_reset(Atoms *a) {
    size_t n = (size_t)a->env.agents;
    if (a->env.seeded) a->best = NAN;
    a->step = 0;
    a->episode_return = 0.0;
    a->target = a->current = 0.0;
    memset(a->action, 0, 3 * n * sizeof(float));
    for (int attempt = 0; try_reset(a); attempt++) {
        a->broken = 1;
        env_log(&a->env, LOG_FAILURES, 1.0);
        if (attempt == 10) { /* no start of this material survives: show nothing, end at once */
            memset(a->env.observations, 0, sizeof(float) * n * (size_t)a->features);
            return;
        }
    }
    atoms_observe(a);
}

/* Actions become vectors of at most length one, those without drift as well; what is not a number counts as zero. */
static void read_actions(Atoms *a) {
    const float *given = a->env.actions;
    int n = a->env.agents;
    float mean[3] = {0.0f, 0.0f, 0.0f}, total = 0.0f;
    for (int i = 0; i < n; i++) {
        float *to = a->action + 3 * i, square = 0.0f;
        for (int d = 0; d < 3; d++) {
            to[d] = isfinite(given[3 * i + d]) ? given[3 * i + d] : 0.0f;
            square += to[d] * to[d];
        }
        float scale = square > 1.0f ? 1.0f / sqrtf(square) : 1.0f;
        /* Forces move the centre of mass by their sum, velocities and displacements by their sum weighted by mass. */
        float weight = a->control == FORCE ? 1.0f : (float)a->simulation->mass[a->simulation->type[i]];
        total += weight;
        for (int d = 0; d < 3; d++) {
            to[d] *= scale;
            mean[d] += weight * to[d];
        }
    }
    if (!a->remove_drift) return;
    float longest = 1.0f;
    for (int i = 0; i < n; i++) {
        float *to = a->action + 3 * i;
        for (int d = 0; d < 3; d++) to[d] -= mean[d] / total;
        longest = fmaxf(longest, sqrtf(to[0] * to[0] + to[1] * to[1] + to[2] * to[2]));
    }
    for (int i = 0; i < 3 * n; i++) a->action[i] /= longest;
}

/* Atoms beyond the container lose what carries them further out: they come back by their neighbours' pull or their
 * own action. */
static void contain(Atoms *a) {
    Simulation *s = a->simulation;
    double radius = a->container * a->length;
    for (int i = 0; i < a->env.agents; i++) {
        double *v = s->v + 3 * i, x[3], square = 0.0, outward = 0.0;
        for (int d = 0; d < 3; d++) {
            x[d] = a->unwrapped[3 * i + d] - a->middle[d];
            square += x[d] * x[d], outward += x[d] * v[d];
        }
        if (square > radius * radius && outward > 0.0)
            for (int d = 0; d < 3; d++) v[d] -= 2.0 * outward / square * x[d];
    }
}

/* The O step of a Langevin thermostat over the whole control interval: exact for any length of it (Bussi and
 * Parrinello 2007, doi:10.1103/PhysRevE.75.056707). */
static void thermostat(Atoms *a, double interval) {
    Simulation *s = a->simulation;
    double keep = exp(-a->friction * interval), fresh = sqrt(1.0 - keep * keep);
    for (int i = 0; i < a->env.agents; i++) {
        double width = fresh * sqrt(a->kt * a->energy / (a->mvv2e * s->mass[s->type[i]]));
        for (int d = 3 * i; d < 3 * i + 3; d++) s->v[d] = keep * s->v[d] + width * random_normal(&a->env.random);
    }
}

static int displace(Atoms *a) {
    Simulation *s = a->simulation;
    for (int i = 0; i < a->env.agents; i++) {
        const double *f = s->f + 3 * i;
        double cap = a->strength * a->length, force = sqrt(f[0] * f[0] + f[1] * f[1] + f[2] * f[2]);
        if (a->force_cap > 0.0) cap = fmin(cap, a->force_cap * a->length * force / a->force);
        double to[3], square = 0.0, before = 0.0, radius = a->container * a->length;
        for (int d = 0; d < 3; d++) {
            double move = cap * (double)a->action[3 * i + d], x = a->unwrapped[3 * i + d] - a->middle[d];
            to[d] = s->x[3 * i + d] + move;
            square += (x + move) * (x + move), before += x * x;
        }
        if (radius > 0.0 && square > radius * radius && square > before) continue; /* no further out than that */
        memcpy(s->x + 3 * i, to, sizeof to);
    }
    if (simulation_refresh(s, a->md_steps == 1)) return -1;
    return a->md_steps > 1 ? simulation_step(s, a->md_steps - 1, 1) : 0;
}

static int control_step(Atoms *a) {
    Simulation *s = a->simulation;
    int count = 3 * a->env.agents;
    if (a->control == DISPLACEMENT) return displace(a);
    if (a->friction > 0.0) thermostat(a, a->md_steps * *s->dt);
    double v0 = a->strength * a->velocity, f0 = a->strength * a->force;
    if (a->control == VELOCITY)
        for (int i = 0; i < count; i++) s->v[i] = v0 * (double)a->action[i];
    else if (a->control == KICK)
        for (int i = 0; i < count; i++) s->v[i] += v0 * (double)a->action[i];
    else
        for (int i = 0; i < count; i++) s->external[i] = f0 * (double)a->action[i];
    if (a->container > 0.0) contain(a);
    return simulation_step(s, a->md_steps, 1);
}

int atoms_run_freely(Atoms *a, int64_t steps) {
    Simulation *s = a->simulation;
    memset(s->external, 0, 3 * sizeof(double) * (size_t)a->env.agents);
    for (int64_t interval; steps > 0; steps -= interval) {
        interval = steps < a->md_steps ? steps : a->md_steps;
        if (a->friction > 0.0) thermostat(a, (double)interval * *s->dt);
        if (a->container > 0.0) contain(a);
        if (simulation_step(s, interval, 1) || read_state(a)) return -1;
    }
    return 0;
}

static void atoms_step(Atoms *a) {
    size_t n = (size_t)a->env.agents;
    if (a->broken) { /* the reset before could not build a simulation */
        fail_episode(a);
        log_episode(a);
        return;
    }
    read_actions(a);
    memcpy(a->before, a->unwrapped, 3 * n * sizeof(double));
    memcpy(a->energies_before, a->energies, n * sizeof(double));
    a->step++;
    int failed = control_step(a) || read_state(a) || a->reward->step(a);
    if (!failed && a->step >= a->horizon) failed = a->reward->finish(a);
    if (!failed) penalty_update(a, 1);
    if (failed) {
        fail_episode(a);
    } else {
        double sum = 0.0;
        for (size_t i = 0; i < n; i++) sum += (double)a->env.rewards[i];
        a->episode_return += sum / (double)n;
        atoms_observe(a);
    }
    if (a->env.finished) log_episode(a);
}

/* --------------------------------------------------------------------------------------------------------- scene */

static void draw_cell(const Atoms *a, Scene *scene) {
    for (int corner = 0; corner < 8; corner++)
        for (int d = 0; d < 3; d++) {
            if (corner >> d & 1) continue;
            double from[3], to[3];
            for (int c = 0; c < 3; c++) {
                from[c] = a->origin[c];
                for (int e = 0; e < 3; e++) from[c] += (corner >> e & 1) * a->cell[e][c];
                to[c] = from[c] + a->cell[d][c];
            }
            scene_line(scene, from, to, 0x808080ff);
        }
}

static void atoms_draw(Atoms *a, Scene *scene) {
    if (!a->free_space) draw_cell(a, scene);
    for (int i = 0; i < a->env.agents; i++) {
        int t = a->simulation->type[i] - 1;
        const double *x = a->unwrapped + 3 * i;
        float *row = scene_row(&scene->spheres, SCENE_SPHERE_COLUMNS);
        for (int d = 0; d < 3; d++) row[d] = (float)x[d];
        row[3] = (float)a->radius[t];
        memcpy(row + 4, a->colour[t], 4 * sizeof(float));
        if (a->reward->needs_goals) {
            const double *goal = a->goals + 3 * i;
            scene_sphere(scene, goal[0], goal[1], goal[2], 0.15 * a->length, 0xd62728ff);
            scene_line(scene, x, goal, 0xd6272880);
        }
    }
}

static void atoms_serialize(Atoms *a, Archive *archive) {
    const size_t row = sizeof(double) * (size_t)a->env.agents;
    double *const vectors[] = {a->unwrapped, a->before, a->goals, a->gradient, a->result_x};
    double *const scalars[] = {a->energies, a->energies_before, a->measure, a->credited, a->kept_apart};
    for (size_t k = 0; k < sizeof vectors / sizeof *vectors; k++) archive_bytes(archive, vectors[k], 3 * row);
    for (size_t k = 0; k < sizeof scalars / sizeof *scalars; k++) archive_bytes(archive, scalars[k], row);
    archive_bytes(archive, a->action, 3 * sizeof(float) * (size_t)a->env.agents);
    archive_integer(archive, &a->step, 0, a->horizon);
    archive_integer(archive, &a->broken, 0, 1);
    archive_integer(archive, &a->result_failed, 0, 1);
    ARCHIVE(archive, a->first_evaluation);
    ARCHIVE(archive, a->measuring_evaluations);
    ARCHIVE(archive, a->result_evaluations);
    ARCHIVE(archive, a->result_energy);
    ARCHIVE(archive, a->episode_return);
    ARCHIVE(archive, a->best);
    ARCHIVE(archive, a->error);
    ARCHIVE(archive, a->target);
    ARCHIVE(archive, a->current);
    if (a->reward->serialize) a->reward->serialize(a, archive);
    const int64_t most = (int64_t)1 << 53;
    archive_require(archive, a->first_evaluation >= 0 && a->first_evaluation < most && a->measuring_evaluations >= 0 && a->measuring_evaluations < most);
    if (a->broken) return; /* the next reset builds it anew */
    serialize_simulation(a->simulation, NULL, a->unwrapped, a->scratch, 1e3 * a->velocity, archive);
}

ENVIRONMENT(atoms, Atoms, "atoms of a LAMMPS simulation, steered by velocity, kick, force or displacement")
