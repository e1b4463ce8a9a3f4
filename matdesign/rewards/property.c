/* property.c: bring measured properties to their targets.
 *
 * Every `measure_every` control steps, and at the horizon, the properties are measured, and the atoms receive, by their
 * credit (credit.c; default team), the change of the potential
 *
 *     Phi = -sum_k weight_k D_k(value_k) / scale_k - sum_c violation_c
 *
 * D: distance to the target, violation: of a constraint (target.py). Where all properties are means of parts p_i, phi_i
 * is Phi of the parts of atom i: every atom is asked for the value, not only their mean.
 *
 * Measurements of one episode share their random numbers, so that most noise is not in the change. A change of Phi
 * smaller than `acceptance` of its own standard errors (jackknife over samples of the change, not of the values) counts
 * as none: nothing is paid, and what the next one is compared with stays, so that small changes add up until they can be
 * told from noise, and all that is paid telescopes to the difference between two measurements.
 *
 * At the horizon control is off: `free_steps` MD steps (with thermostat, if there is one) and a relaxation of at most
 * `relax_evaluations` follow, the properties are measured once more, and what holding the atoms had gained beyond that
 * is taken away. The episode terminates: its rewards sum to the improvement of what stays by itself.
 *
 * Range of a step: what the properties can change in it; over an episode, -Phi of its start to hit values, without bound
 * to minimise or maximise. What can be gamed: by going to and fro, nothing (a potential: Ng, Harada and Russell, ICML
 * 1999). Whatever the properties do not see: bcc shares q4 and q6 with diamond, so ask for coordination or rdf_match as
 * well; atoms on top of each other count as neighbours, so add distance_penalty. What fits this episode's random numbers
 * better than others: at most some standard errors, and fewer with more samples. A structure that cannot be measured
 * ends the episode as a failure, which costs failure_penalty: give more than can be won.
 */
#include "property.h"
#include "../envs/atoms.h"

typedef struct {
    Measure measure;
    Measured now;
    double *accepted; /* [samples] replicas of the last accepted measurement */
    double accepted_potential, first_potential, acceptance, target;
    int every, reachable;
    size_t parts;
    int64_t free_steps;
} State;

static int open_reward(Atoms *a, const Settings *s, char *error, size_t bytes) {
    size_t n = (size_t)a->env.agents, samples = (size_t)setting_number(s, "samples");
    size_t parts = (size_t)setting_number(s, "parts");
    State *state = a->state = calloc(1, sizeof *state);
    if (!state) {
        snprintf(error, bytes, "out of memory");
        return -1;
    }
    state->measure = (Measure)(uintptr_t)setting_number(s, "measurer");
    if (!state->measure) {
        snprintf(error, bytes, "reward property measures a target, and there is none: set one, or another reward");
        return -1;
    }
    if (!parts && a->credit != CREDIT_TEAM) {
        snprintf(error, bytes, "credit %s needs properties that are means over atoms, and not all of these are: use team",
                 credit_names[a->credit]);
        return -1;
    }
    state->parts = parts;
    state->every = (int)setting_number(s, "measure_every");
    state->free_steps = (int64_t)setting_number(s, "free_steps");
    state->acceptance = setting_number(s, "acceptance");
    state->reachable = (int)setting_number(s, "reachable");
    state->target = setting_number(s, "target_value");
    Measured *m = &state->now;
    m->atoms = a->env.agents;
    m->samples = (int32_t)samples;
    m->replicas = calloc(samples, sizeof(double));
    state->accepted = calloc(samples, sizeof(double));
    int complete = m->replicas && state->accepted;
    if (parts)
        complete &= (m->own = calloc(n, sizeof(double))) && (m->difference = calloc(n, sizeof(double))) &&
                    (m->start = calloc(n * parts, sizeof(double)));
    if (!complete) snprintf(error, bytes, "out of memory for %zu samples", samples);
    return complete ? 0 : -1;
}

static void close_reward(Atoms *a) {
    State *state = a->state;
    if (!state) return;
    free(state->now.replicas);
    free(state->now.own);
    free(state->now.difference);
    free(state->now.start);
    free(state->accepted);
    free(state);
}

static int measure(Atoms *a) {
    State *state = a->state;
    Measured *m = &state->now;
    m->type = a->simulation->type;
    m->x = a->unwrapped;
    m->cell = a->cell[0];
    m->periodic = a->periodic;
    m->evaluations = 0;
    int good = state->measure(m);
    a->measuring_evaluations += m->evaluations;
    a->current = m->value;
    return good ? 0 : -1;
}

static void accept(State *state) {
    state->accepted_potential = state->now.potential;
    memcpy(state->accepted, state->now.replicas, sizeof(double) * (size_t)state->now.samples);
}

/* Standard error of the change since the last accepted measurement: delete-one jackknife over samples. */
static double error_of_change(const State *state) {
    int n = state->now.samples;
    double mean = 0.0, square = 0.0;
    for (int s = 0; s < n; s++) mean += (state->now.replicas[s] - state->accepted[s]) / n;
    for (int s = 0; s < n; s++) {
        double deviation = state->now.replicas[s] - state->accepted[s] - mean;
        square += deviation * deviation;
    }
    return sqrt(square * (n - 1) / n);
}

static void pay_change(Atoms *a) {
    State *state = a->state;
    double change = state->now.potential - state->accepted_potential;
    if (fabs(change) < state->acceptance * error_of_change(state)) return;
    credit_pay(a, state->now.potential, state->now.own, state->now.difference);
    accept(state);
}

static int start(Atoms *a) {
    State *state = a->state;
    Measured *m = &state->now;
    m->seed = random_bits(&a->env.random);
    m->first = 1;
    int failed = measure(a);
    m->first = 0;
    if (failed) return -1;
    accept(state);
    state->first_potential = m->potential;
    a->target = isnan(state->target) ? 0.0 : state->target;
    credit_begin(a, m->potential, m->own, m->difference);
    return 0;
}

static int step(Atoms *a) {
    const State *state = a->state;
    if (a->step % state->every && a->step < a->horizon) return 0;
    if (measure(a)) return -1;
    pay_change(a);
    return 0;
}

static int finish(Atoms *a) {
    State *state = a->state;
    if (state->free_steps || a->relax_evaluations) {
        if (atoms_run_freely(a, state->free_steps)) return -1;
        if (a->relax_evaluations && atoms_relax(a, a->relax_evaluations, a->relax_tolerance)) return -1;
        if (measure(a)) return -1;
        pay_change(a);
    }
    atoms_store_result(a);
    double potential = state->now.potential;
    env_log(&a->env, LOG_PERF, state->reachable ? potential >= 0.0 : potential > state->first_potential);
    env_log(&a->env, LOG_SCORE, potential);
    env_terminate(&a->env);
    return 0;
}

static void serialize(Atoms *a, Archive *archive) {
    State *state = a->state;
    Measured *m = &state->now;
    const size_t row = sizeof(double) * (size_t)a->env.agents, replicas = sizeof(double) * (size_t)m->samples;
    archive_bytes(archive, state->accepted, replicas);
    ARCHIVE(archive, state->accepted_potential);
    ARCHIVE(archive, state->first_potential);
    ARCHIVE(archive, m->seed);
    if (m->start) archive_bytes(archive, m->start, row * state->parts);
}

const Reward reward_property = {
    .name = "property",
    .credit = CREDIT_TEAM,
    .open = open_reward,
    .close = close_reward,
    .start = start,
    .step = step,
    .serialize = serialize,
    .finish = finish,
};
