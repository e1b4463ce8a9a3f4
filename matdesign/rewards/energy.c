/* energy.c: go down in potential energy.
 *
 * Each control step an atom receives, by its credit (credit.c), the drop of its own energy or of the team's mean, in
 * energy scales: phi_i = -E_i, Phi = mean phi_i. At the horizon the atoms are relaxed, and all receive
 *
 *     -final_weight * (E - E_ref) / N + bonus * [E < E_ref + tolerance]
 *
 * where E is the relaxed energy and E_ref the reference (both in energy scales), or, where none is known, the lowest
 * relaxed energy this environment has seen, the present one included. The episode terminates. Range of a step: a
 * collision of hot atoms changes an energy by some tens; differences sum to the total drop, so an agent gains nothing by
 * going up and down again. What can be gamed: credit own rewards an atom for crowding its neighbours, the team's part
 * does not; without a reference the bonus is easy until something low was found once. perf is the fraction of episodes
 * that got the bonus: without a reference it says little early on, and every environment counts its own first episode.
 */
#include "../envs/atoms.h"

/* What the relaxed energy is compared with, in energy scales; NaN before the first one. */
static double reference(const Atoms *a) { return isnan(a->reference) ? a->best : a->reference; }

/* Fills measure[agents] with the potentials of the atoms and returns their mean. */
static double potential(Atoms *a) {
    int n = a->env.agents;
    for (int i = 0; i < n; i++) a->measure[i] = -a->energies[i] / a->energy;
    double mean = -atoms_total_energy(a) / a->energy / n;
    a->current = -mean / 3.0;
    return mean;
}

static int start(Atoms *a) {
    a->target = isnan(reference(a)) ? 0.0 : reference(a) / a->env.agents / 3.0;
    credit_begin(a, potential(a), a->measure, a->measure);
    return 0;
}

static int step(Atoms *a) {
    credit_pay(a, potential(a), a->measure, a->measure);
    return 0;
}

static int finish(Atoms *a) {
    int n = a->env.agents;
    if (atoms_relax(a, a->relax_evaluations, a->relax_tolerance)) return -1;
    atoms_store_result(a);
    double relaxed = a->result_energy / a->energy;
    a->best = fmin(a->best, relaxed); /* fmin passes over NaN */
    int reached = relaxed < reference(a) + a->tolerance;
    double bonus = -a->final_weight * (relaxed - reference(a)) / n + (reached ? a->bonus : 0.0);
    for (int i = 0; i < n; i++) a->env.rewards[i] += (float)bonus;
    env_log(&a->env, LOG_PERF, reached);
    env_log(&a->env, LOG_SCORE, -relaxed / n);
    env_terminate(&a->env);
    return 0;
}

const Reward reward_energy = {.name = "energy", .credit = CREDIT_MIX, .start = start, .step = step, .finish = finish};
