/* order.c: bring the order of the bonds to a goal, and hold it there.
 *
 * The order S is the mean over atoms of s_i, see ../envs/order.h: about 0.2 in a liquid, 1 in any crystal whose atoms all
 * have the same surroundings. With the error e = (S - goal) / goal_scale the potential is
 *
 *     Phi(e) = -e^2 / 2 for |e| < 1, else 1/2 - |e|
 *
 * Each atom earns, by its credit (credit.c), the change of Phi or of its own part: in every control step k (s_i - s_i')
 * / goal_scale, where ' is before it and k the slope of Phi's secant, so that the mean of these is the change of Phi
 * exactly. All receive goal_bonus exp(-((S - goal) / tolerance)^2) besides, for being there. Range of a step: mostly
 * within +-1 / goal_scale, plus the bonus.
 *
 * What can be gamed: S says how alike surroundings are, not which; fcc, hcp and bcc all have 1, and a goal of 1 is met
 * by any of them. Q4 and Q6 would take diamond for bcc; here an atom with fewer than 8 bonds cannot reach 1, so to open
 * voids or to pair up does not pay. Going back and forth through the goal earns the team nothing; with credit own an
 * atom may earn what its neighbours lose.
 *
 * The episode is truncated at the horizon. Its score is minus the mean |S - goal| over the control steps of the second
 * half; perf is the fraction of those that are within the tolerance.
 */
#include "../envs/order.h"
#include "../envs/atoms.h"

typedef struct {
    Order *order;
    double *ranges; /* [range_count] of goals: one value, or pairs low, high */
    int64_t range_count;
    double *earned, *first; /* [agents] own part of the potential so far; s_i at the beginning */
    double scale;
    double missed, held; /* sums of the second half of the episode */
} State;

static int open_reward(Atoms *a, const Settings *s, char *error, size_t bytes) {
    State *state = a->state = calloc(1, sizeof *state);
    const size_t n = (size_t)a->env.agents;
    int64_t count;
    const double *ranges = setting_array(s, "goal", &count);
    int sound = count == 1 || (count > 0 && count % 2 == 0);
    for (int64_t i = 0; i + 1 < count; i += 2) sound &= ranges[i] <= ranges[i + 1];
    if (!sound) {
        snprintf(error, bytes, "reward order needs a goal: one value as in env.settings.goal=0.5, or rising pairs as in "
                 "[0.2, 0.8]; %lld numbers were given", (long long)count);
        return -1;
    }
    if (state) {
        state->scale = setting_number(s, "goal_scale");
        state->order = order_open(a->env.agents);
        state->earned = calloc(n, sizeof(double));
        state->first = calloc(n, sizeof(double));
        state->ranges = calloc((size_t)count, sizeof(double));
        if (state->ranges) memcpy(state->ranges, ranges, sizeof(double) * (size_t)count);
        state->range_count = count;
    }
    if (state && state->order && state->earned && state->first && state->ranges) return 0;
    snprintf(error, bytes, "out of memory for the order of %zu atoms", n);
    return -1;
}

static void close_reward(Atoms *a) {
    State *state = a->state;
    if (!state) return;
    order_close(state->order);
    free(state->ranges);
    free(state->earned);
    free(state->first);
    free(state);
}

/* One of the values of the ranges, each as probable as it is wide. */
static double draw_goal(Atoms *a) {
    const State *state = a->state;
    const double *range = state->ranges, *last = range + state->range_count - 2;
    double total = 0.0;
    if (state->range_count == 1) return *range;
    for (const double *r = range; r <= last; r += 2) total += r[1] - r[0];
    double at = random_uniform(&a->env.random) * total;
    for (; range < last && at >= range[1] - range[0]; range += 2) at -= range[1] - range[0];
    return range[0] + at;
}

static double potential(double error) {
    const double e = fabs(error);
    return e < 1.0 ? -0.5 * e * e : 0.5 - e;
}

/* Slope of the potential between two errors; where they are the same, its derivative. */
static double secant(double from, double to) {
    if (fabs(to - from) > 1e-6) return (potential(to) - potential(from)) / (to - from);
    return fmax(-1.0, fmin(1.0, -to));
}

static void measure(Atoms *a) {
    const State *state = a->state;
    double sum = 0.0;
    order_find(state->order, a->unwrapped, a->env.agents, (const double(*)[3])a->cell, a->periodic, a->length,
               a->measure, a->gradient);
    for (int i = 0; i < a->env.agents; i++) sum += a->measure[i];
    a->current = sum / a->env.agents;
    a->error = (a->current - a->target) / state->scale;
}

/* Phi, and in scratch[agents] for each atom N (Phi - what it would be had s_i stayed as it began). */
static double credits(Atoms *a) {
    const State *state = a->state;
    const int n = a->env.agents;
    const double phi = potential(a->error);
    for (int i = 0; i < n; i++)
        a->scratch[i] = n * (phi - potential(a->error - (a->measure[i] - state->first[i]) / (n * state->scale)));
    return phi;
}

static int start(Atoms *a) {
    State *state = a->state;
    const size_t bytes = sizeof(double) * (size_t)a->env.agents;
    a->target = draw_goal(a);
    measure(a);
    state->missed = state->held = 0.0;
    memcpy(state->first, a->measure, bytes);
    memset(state->earned, 0, bytes);
    credit_begin(a, credits(a), state->earned, a->scratch);
    return 0;
}

static int step(Atoms *a) {
    State *state = a->state;
    const int n = a->env.agents;
    const double before = a->error;
    memcpy(a->scratch, a->measure, sizeof(double) * (size_t)n);
    measure(a);
    const double slope = secant(before, a->error) / state->scale;
    for (int i = 0; i < n; i++) state->earned[i] += slope * (a->measure[i] - a->scratch[i]);
    credit_pay(a, credits(a), state->earned, a->scratch);
    const double miss = fabs(a->current - a->target), there = miss / a->tolerance;
    for (int i = 0; i < n; i++) a->env.rewards[i] += (float)(a->goal_bonus * exp(-there * there));
    if (2 * a->step <= a->horizon) return 0;
    state->missed += miss;
    state->held += miss < a->tolerance;
    return 0;
}

static int finish(Atoms *a) {
    const State *state = a->state;
    const int counted = a->horizon - a->horizon / 2;
    atoms_store_result(a);
    env_log(&a->env, LOG_PERF, state->held / counted);
    env_log(&a->env, LOG_SCORE, -state->missed / counted);
    env_truncate(&a->env);
    return 0;
}

static void serialize(Atoms *a, Archive *archive) {
    State *state = a->state;
    const size_t bytes = sizeof(double) * (size_t)a->env.agents;
    archive_bytes(archive, state->earned, bytes);
    archive_bytes(archive, state->first, bytes);
    ARCHIVE(archive, state->missed);
    ARCHIVE(archive, state->held);
}

const Reward reward_order = {
    .name = "order",
    .shows_order = 1,
    .credit = CREDIT_MIX,
    .open = open_reward,
    .close = close_reward,
    .start = start,
    .step = step,
    .serialize = serialize,
    .finish = finish,
};
