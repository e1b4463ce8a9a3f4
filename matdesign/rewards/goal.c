/* goal.c: fly to a point of your own, or all to a common one.
 *
 * Each control step an atom receives, by its credit (credit.c), the decrease of its own distance d to its goal or of the
 * mean, in length scales (phi_i = -d_i, Phi = mean phi_i), and goal_bonus where its own is below the tolerance: it must
 * arrive and stay. Range of a step: the distance flown, plus the bonus. The
 * decreases sum to the whole approach, so flying away and back pays nothing. The episode is truncated at the horizon.
 *
 * No target and no present value are shown: the mean distance grows with the number of atoms, and a policy that took it
 * for a clock would be lost among more atoms than it was trained on.
 */
#include "../envs/atoms.h"

static double distance_to_goal(const Atoms *a, int i) {
    double sum = 0.0;
    for (int d = 0; d < 3; d++) {
        double delta = a->goals[3 * i + d] - a->unwrapped[3 * i + d];
        sum += delta * delta;
    }
    return sqrt(sum) / a->length;
}

/* Fills measure[agents] with the potentials of the atoms and returns their mean. */
static double potential(Atoms *a) {
    double mean = 0.0;
    for (int i = 0; i < a->env.agents; i++) mean += a->measure[i] = -distance_to_goal(a, i);
    return mean / a->env.agents;
}

/* Uniform points of a ball about the middle, as large as the starting cloud; a length scale apart, unless a thousand
 * tries find no room. */
static int start(Atoms *a) {
    int n = a->env.agents;
    double radius = a->length * cbrt(n / a->start_density / 4.18879020478639), apart = a->length;
    for (int i = 0; i < n; i++) {
        double *goal = a->goals + 3 * i;
        if (a->common_goal && i > 0) {
            memcpy(goal, a->goals, 3 * sizeof(double));
            continue;
        }
        for (int try = 0;; try++) {
            double square = 0.0, clear = 1.0;
            for (int d = 0; d < 3; d++) {
                double u = 2.0 * random_uniform(&a->env.random) - 1.0;
                goal[d] = a->middle[d] + radius * u;
                square += u * u;
            }
            for (int j = 0; j < i && try < 1000; j++) {
                double s = 0.0;
                for (int d = 0; d < 3; d++) s += (goal[d] - a->goals[3 * j + d]) * (goal[d] - a->goals[3 * j + d]);
                clear = fmin(clear, s / (apart * apart));
            }
            if (square <= 1.0 && clear >= 1.0) break;
        }
    }
    credit_begin(a, potential(a), a->measure, a->measure);
    return 0;
}

static int step(Atoms *a) {
    double mean = potential(a);
    credit_pay(a, mean, a->measure, a->measure);
    for (int i = 0; i < a->env.agents; i++)
        if (-a->measure[i] < a->tolerance) a->env.rewards[i] += (float)a->goal_bonus;
    return 0;
}

static int finish(Atoms *a) {
    int n = a->env.agents, arrived = 0;
    double mean = 0.0;
    for (int i = 0; i < n; i++) arrived += -a->measure[i] < a->tolerance, mean += a->measure[i];
    atoms_store_result(a);
    env_log(&a->env, LOG_PERF, (double)arrived / n);
    env_log(&a->env, LOG_SCORE, mean / n);
    env_truncate(&a->env);
    return 0;
}

int atoms_move_goal(void *env, int atom, const double *point) {
    Atoms *a = env;
    if (a->reward != &reward_goal) return -1;
    int first = a->common_goal ? 0 : atom, last = a->common_goal ? a->env.agents - 1 : atom;
    for (int i = first; i <= last; i++) memcpy(a->goals + 3 * i, point, 3 * sizeof(double));
    credit_begin(a, potential(a), a->measure, a->measure);
    if (!a->env.finished) atoms_observe(a);
    return 0;
}

const Reward reward_goal = {.name = "goal", .needs_goals = 1, .credit = CREDIT_OWN, .start = start, .step = step, .finish = finish};
