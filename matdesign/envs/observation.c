/* observation.c: what each atom sees, one row for each:
 *
 *     0 log10(|f| / f0 + 1e-3) / 2          6 coordination / 6 - 1
 *     1 own energy / 3 e0                   7 its mean over all atoms
 *     2 its change in the control step / e0 8 target of the reward, in its own scale
 *     3 mean energy / 3 e0                  9 its present value
 *     4 standard deviation of energies / e0 10 remaining time, 1 at the start and 0 at the end
 *     5 mean square velocity / v0^2         11.. one-hot species
 *
 * with the order reward next s_i (order.h), error / goal_scale clipped to 5, and 8 error / goal_scale clipped to 3;
 * then vectors: force f / (5 f0 + |f|), velocity / v0, last action, way to the goal g / (l0 + |g|), way from the
 * centre of mass / (l0 N^(1/3)) (free space only), displacement in the control step / l0, and with the
 * order reward the way to more order g / (1 + |g|), g the gradient of the sum of all s_i, per l0; the way to the goal is
 * there -error / goal_scale times that, clipped to 2; then for each neighbour:
 * unit vector, relative velocity / v0, distance / l0, 1, its energy / 3 e0, one-hot species. A neighbour beyond the
 * cutoff is zeros with distance 3. Values are clipped to [-10, 10], distances to 3.
 */
#include "atoms.h"
#include "clones.h"

/* matdesign/envs/layout.py describes the same columns; species come on top. */
enum { SCALARS = 11, ORDER_SCALARS = 3, VECTORS = 6, GOAL = 3, NEIGHBOUR_SCALARS = 3, COORDINATION = 6, MEAN_COORDINATION = 7 };

int atoms_features(int species, int neighbours, const Reward *reward) {
    const int order = reward->shows_order ? ORDER_SCALARS + 3 : 0;
    return SCALARS + species + 3 * VECTORS + order + neighbours * (6 + NEIGHBOUR_SCALARS + species);
}

/* Smooth count of bonded neighbours: 1 below 1.2 l0, 0 above 1.5 l0. */
static inline float bonded(float distance) {
    const float t = (distance - 1.2f) * (1.0f / 0.3f);
    const float u = 0.5f * (fabsf(t) - fabsf(t - 1.0f) + 1.0f); /* t between 0 and 1, without branches */
    return 1.0f - u * u * (3.0f - 2.0f * u);
}

CLONES static void clip(float *values, int count) {
    for (int i = 0; i < count; i++) {
        float value = values[i] > -10.0f ? values[i] : -10.0f;
        values[i] = value < 10.0f ? value : 10.0f;
    }
}

/* What others see of an atom: velocity / v0 and energy / 3 e0. */
typedef struct {
    float velocity[3], energy;
} Seen;

/* The columns of one atom's neighbours; returns its coordination. */
CLONES static float show_neighbours(const Neighbour *restrict list, int k, const Seen *restrict seen, const Seen *own,
                                    const int *restrict type, int species, float length, float *restrict row) {
    const float per_l = 1.0f / length, least = 1e-6f * length, vx = own->velocity[0], vy = own->velocity[1],
                vz = own->velocity[2];
    const int columns = 6 + NEIGHBOUR_SCALARS + species;
    float coordination = 0.0f;
    memset(row, 0, sizeof(float) * (size_t)(k * columns));
    for (int j = 0; j < k; j++, row += columns) {
        const Neighbour *other = list + j;
        if (other->atom < 0) {
            row[6] = 3.0f;
            continue;
        }
        const Seen *it = seen + other->atom;
        const float per_distance = 1.0f / (other->distance > least ? other->distance : least);
        const float distance = other->distance * per_l;
        row[0] = other->vector[0] * per_distance;
        row[1] = other->vector[1] * per_distance;
        row[2] = other->vector[2] * per_distance;
        row[3] = it->velocity[0] - vx;
        row[4] = it->velocity[1] - vy;
        row[5] = it->velocity[2] - vz;
        row[6] = distance < 3.0f ? distance : 3.0f;
        row[7] = 1.0f;
        row[8] = it->energy;
        row[8 + type[other->atom]] = 1.0f;
        coordination += bonded(distance);
    }
    return coordination;
}

/* The vectors of one atom whose force has length `force`, in f0. */
static inline void show_vectors(const Atoms *a, int i, double per_l, double per_v, double per_radius,
                                const double centre[3], float force, float *restrict row) {
    const Simulation *s = a->simulation;
    const double *x = a->unwrapped + 3 * i;
    const float per_force = 1.0f / ((5.0f + force) * (float)a->force);
    double goal[3] = {0.0, 0.0, 0.0}, per_way = 0.0;
    if (a->reward->needs_goals) {
        for (int d = 0; d < 3; d++) goal[d] = a->goals[3 * i + d] - x[d];
        per_way = 1.0 / (a->length + sqrt(goal[0] * goal[0] + goal[1] * goal[1] + goal[2] * goal[2]));
    }
    for (int d = 0; d < 3; d++) {
        row[d] = (float)s->f[3 * i + d] * per_force;
        row[3 + d] = (float)(s->v[3 * i + d] * per_v);
        row[6 + d] = a->action[3 * i + d];
        row[9 + d] = (float)(goal[d] * per_way);
        row[12 + d] = (float)((x[d] - centre[d]) * per_radius);
        row[15 + d] = (float)((x[d] - a->before[3 * i + d]) * per_l);
    }
}

static double between(double value, double bound) { return fmax(-bound, fmin(bound, value)); }

/* What the order reward adds for one atom: scalars, and the two ways along the gradient. */
static inline void show_order(const Atoms *a, int i, float *restrict scalars, float *restrict vectors) {
    const double error = a->error, *g = a->gradient + 3 * i;
    const double per_length = a->length / (1.0 + a->length * sqrt(g[0] * g[0] + g[1] * g[1] + g[2] * g[2]));
    scalars[0] = (float)a->measure[i];
    scalars[1] = (float)between(error, 5.0);
    scalars[2] = (float)between(8.0 * error, 3.0);
    for (int d = 0; d < 3; d++) {
        vectors[3 * VECTORS + d] = (float)(g[d] * per_length);
        vectors[3 * GOAL + d] = (float)(between(-error, 2.0) * g[d] * per_length);
    }
}

void atoms_observe(Atoms *a) {
    Simulation *s = a->simulation;
    const int n = a->env.agents, k = a->k, species = a->species, ordered = a->reward->shows_order;
    const double per_l = 1.0 / a->length, per_v = 1.0 / a->velocity, per_e = 1.0 / a->energy, per_f = 1.0 / a->force;
    const double per_3e = per_e / 3.0;
    const double per_radius = a->free_space ? per_l / cbrt(n) : 0.0;
    neighbours_find(a->finder, a->unwrapped, n, (const double(*)[3])a->cell, a->periodic, a->cutoff * a->length,
                    a->neighbours);
    Seen *seen = (Seen *)a->scratch;
    double centre[3] = {0, 0, 0}, square_v[3] = {0, 0, 0}, mean_e = 0.0, square_e = 0.0, total_mass = 0.0;
    for (int i = 0; i < n; i++) {
        mean_e += a->energies[i];
        square_e += a->energies[i] * a->energies[i];
        const double mass = s->mass[s->type[i]];
        total_mass += mass;
        seen[i].energy = (float)(a->energies[i] * per_3e);
        for (int d = 0; d < 3; d++) {
            const double v = s->v[3 * i + d] * per_v;
            centre[d] += mass * a->unwrapped[3 * i + d];
            square_v[d] += v * v;
            seen[i].velocity[d] = (float)v;
        }
    }
    for (int d = 0; d < 3; d++) centre[d] /= total_mass;
    mean_e /= n;
    const double variance = square_e / n - mean_e * mean_e;
    const float shared[SCALARS] = {
        [3] = (float)(mean_e * per_3e),
        [4] = (float)(sqrt(variance > 0.0 ? variance : 0.0) * per_e),
        [5] = (float)((square_v[0] + square_v[1] + square_v[2]) / n),
        [8] = (float)a->target,
        [9] = (float)a->current,
        [10] = 1.0f - (float)a->step / (float)a->horizon,
    };
    const float half_log10_2 = 0.150514997832f;
    float *observations = a->env.observations, mean_coordination = 0.0f;
    for (int i = 0; i < n; i++) {
        float *row = observations + (size_t)i * (size_t)a->features;
        const double *f = s->f + 3 * i;
        const float force = (float)(sqrt(f[0] * f[0] + f[1] * f[1] + f[2] * f[2]) * per_f);
        memcpy(row, shared, sizeof shared);
        row[0] = half_log10_2 * log2f(force + 1e-3f);
        row[1] = seen[i].energy;
        row[2] = (float)((a->energies[i] - a->energies_before[i]) * per_e);
        for (int t = 0; t < species; t++) row[SCALARS + t] = s->type[i] == t + 1;
        float *vectors = row + SCALARS + species + (ordered ? ORDER_SCALARS : 0);
        show_vectors(a, i, per_l, per_v, per_radius, centre, force, vectors);
        if (ordered) show_order(a, i, row + SCALARS + species, vectors);
        const float coordination = show_neighbours(a->neighbours + (size_t)i * (size_t)k, k, seen, seen + i, s->type,
                                                   species, (float)a->length, vectors + 3 * (VECTORS + ordered));
        row[COORDINATION] = coordination / 6.0f - 1.0f;
        mean_coordination += row[COORDINATION];
        clip(row, a->features);
    }
    for (int i = 0; i < n; i++) observations[(size_t)i * (size_t)a->features + MEAN_COORDINATION] = mean_coordination / (float)n;
}
