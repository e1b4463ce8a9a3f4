/* penalty.c: atoms shall keep apart, whatever else they are rewarded for.
 *
 * An atom is credited with -distance_penalty * sum_j (1 - r_ij / d) over its neighbours j (the nearest ones observed)
 * closer than d = min_distance, and each control step receives the change: at most the weight for each neighbour, paid
 * back exactly when it is left again. A potential (Ng, Harada and Russell, ICML 1999), so nothing is earned by touching
 * and leaving. What can be gamed: a start with atoms too close is a debt that parting pays back, once.
 */
#include "../envs/atoms.h"

static double closeness(const Atoms *a, int i, double least) {
    const Neighbour *list = a->neighbours + (size_t)i * (size_t)a->k;
    double sum = 0.0;
    for (int j = 0; j < a->k && list[j].atom >= 0 && list[j].distance < least; j++) sum += 1.0 - list[j].distance / least;
    return sum;
}

void penalty_update(Atoms *a, int pay) {
    if (a->distance_penalty == 0.0) return;
    double least = a->min_distance * a->length;
    neighbours_find(a->finder, a->unwrapped, a->env.agents, (const double(*)[3])a->cell, a->periodic, least,
                    a->neighbours);
    for (int i = 0; i < a->env.agents; i++) {
        double now = -a->distance_penalty * closeness(a, i, least);
        if (pay) a->env.rewards[i] += (float)(now - a->kept_apart[i]);
        a->kept_apart[i] = now;
    }
}
