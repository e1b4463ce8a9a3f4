/* goal.c: fly to a point of your own, or all to a common one.
 *
 * Each control step an atom receives the decrease of its distance d to its goal, in length scales, and goal_bonus
 * where d is below the tolerance: it must arrive and stay. Range of a step: the distance flown, plus the bonus. The
 * decreases sum to the whole approach, so flying away and back pays nothing. The episode is truncated at the horizon.
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

/* Uniform points of a ball about the middle, as large as the starting cloud; a length scale apart, unless a thousand
 * tries find no room. */
static void start(Atoms *a) {
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
    for (int i = 0; i < n; i++) a->measure[i] = distance_to_goal(a, i);
}

static void step(Atoms *a) {
    double mean = 0.0;
    for (int i = 0; i < a->env.agents; i++) {
        double distance = distance_to_goal(a, i);
        a->env.rewards[i] = (float)(a->measure[i] - distance + (distance < a->tolerance ? a->goal_bonus : 0.0));
        a->measure[i] = distance;
        mean += distance;
    }
    a->current = fmin(mean / a->env.agents, 3.0);
}

static int finish(Atoms *a) {
    int n = a->env.agents, arrived = 0;
    double mean = 0.0;
    for (int i = 0; i < n; i++) arrived += a->measure[i] < a->tolerance, mean += a->measure[i];
    atoms_store_result(a);
    env_log(&a->env, LOG_PERF, (double)arrived / n);
    env_log(&a->env, LOG_SCORE, -mean / n);
    env_truncate(&a->env);
    return 0;
}

const Reward reward_goal = {.name = "goal", .needs_goals = 1, .start = start, .step = step, .finish = finish};
