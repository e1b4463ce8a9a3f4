/* energy.c: go down in potential energy.
 *
 * Each control step an atom receives own_share of the drop of its own energy and the rest of the team's mean drop, in
 * energy scales. At the horizon the atoms are relaxed, and all receive
 *
 *     -final_weight * (E - E_ref) / N + bonus * [E < E_ref + tolerance]
 *
 * where E is the relaxed energy and E_ref the reference (both in energy scales), and the episode terminates. Without a
 * reference there is no final reward and the episode is truncated. Range of a step: a collision of hot atoms changes
 * an energy by some tens; differences sum to the total drop, so an agent gains nothing by going up and down again.
 * What can be gamed: own_share 1 rewards an atom for crowding its neighbours; the team's part does not.
 */
#include "../envs/atoms.h"

static void start(Atoms *a) {
    a->target = isnan(a->reference) ? 0.0 : a->reference / a->env.agents / 3.0;
    a->current = atoms_total_energy(a) / a->energy / a->env.agents / 3.0;
}

static void step(Atoms *a) {
    int n = a->env.agents;
    double team = 0.0;
    for (int i = 0; i < n; i++) team += a->energies_before[i] - a->energies[i];
    team /= n * a->energy;
    for (int i = 0; i < n; i++) {
        double own = (a->energies_before[i] - a->energies[i]) / a->energy;
        a->env.rewards[i] = (float)(a->own_share * own + (1.0 - a->own_share) * team);
    }
    a->current = atoms_total_energy(a) / a->energy / n / 3.0;
}

static int finish(Atoms *a) {
    int n = a->env.agents, known = !isnan(a->reference);
    if (atoms_relax(a, a->relax_evaluations, a->relax_tolerance)) return -1;
    atoms_store_result(a);
    double relaxed = a->result_energy / a->energy;
    int reached = known && relaxed < a->reference + a->tolerance;
    if (known)
        for (int i = 0; i < n; i++)
            a->env.rewards[i] +=
                (float)(-a->final_weight * (relaxed - a->reference) / n + a->bonus * (reached ? 1.0 : 0.0));
    env_log(&a->env, LOG_PERF, reached);
    env_log(&a->env, LOG_SCORE, -relaxed / n);
    if (known)
        env_terminate(&a->env);
    else
        env_truncate(&a->env);
    return 0;
}

const Reward reward_energy = {.name = "energy", .start = start, .step = step, .finish = finish};
