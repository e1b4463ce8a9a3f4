/* credit.c: which atom earns how much.
 *
 * A reward has a potential Phi of the whole arrangement and, where that is made of local parts, a potential phi_i of each
 * atom's own. An atom is credited with
 *
 *     own         phi_i
 *     team        Phi
 *     mix         own_share phi_i + (1 - own_share) Phi
 *     difference  N (Phi - Phi_i), where Phi_i is Phi with the part of atom i as it was when the episode began
 *
 * and earns, in each control step, the change of that. All four are potential-based (Ng, Harada and Russell, ICML 1999,
 * here without discount): whatever atoms do, the sum of an atom's rewards is its credit at the end less that at the
 * beginning, so neither dawdling nor going to and fro pays. The difference is the difference reward of Wolpert and Tumer
 * (doi:10.1142/S0219525901000188), with the episode's beginning as what would be without the atom's doing. (With the
 * beginning of the control step instead, atoms about a value to hit would earn without end by swapping sides: each of
 * them "prevented" a miss.) The factor N makes its mean over atoms that of the team, to first order; where Phi is the
 * mean of phi_i, as for energies, it equals own. What can be gamed: own pays an atom for what its neighbours lose; team
 * pays an atom for what others do.
 */
#include "../envs/atoms.h"

const char *const credit_names[CREDITS] = {"own", "team", "mix", "difference"};

static double credited(const Atoms *a, int i, double team, const double *own, const double *difference) {
    switch (a->credit) {
    case CREDIT_OWN: return own[i];
    case CREDIT_MIX: return a->own_share * own[i] + (1.0 - a->own_share) * team;
    case CREDIT_DIFFERENCE: return difference[i];
    default: return team;
    }
}

void credit_begin(Atoms *a, double team, const double *own, const double *difference) {
    for (int i = 0; i < a->env.agents; i++) a->credited[i] = credited(a, i, team, own, difference);
}

void credit_pay(Atoms *a, double team, const double *own, const double *difference) {
    for (int i = 0; i < a->env.agents; i++) {
        double now = credited(a, i, team, own, difference);
        a->env.rewards[i] += (float)(now - a->credited[i]);
        a->credited[i] = now;
    }
}
