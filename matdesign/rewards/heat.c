/* heat.c: carry heat from one slab to the other.
 *
 * When the episode ends, nothing acts on the atoms any more: they are relaxed, the hot slab gets velocities (a fixed
 * pattern) of thermal energy heat_kt while everything else rests, and MD at constant energy follows. The heat is
 *
 *     Q = 2 mean of the cold slab's kinetic energy over the second half of heat_steps / kinetic energy given
 *
 * and every atom earns Q / scale, or, where a goal is set, -|Q - goal| / scale. Nothing is paid before. Range: Q is 0
 * without a bridge; heat that has spread evenly gives about 0.2.
 *
 * What can be gamed: atoms that are not at rest in a minimum release binding energy, which warms the cold slab without
 * any heat having crossed. Hence the relaxation, and Q is 0 where it does not come to an end within relax_evaluations.
 * Atoms driven into the slabs knock hot atoms over to the cold side (policies found this, when slabs could move during
 * control, and "carried" more heat than a full gap). Hence the slabs are fixed during control, and Q is 0 where an atom
 * of theirs is further than DISPLACED from its site at the end.
 */
#include "../envs/bridge.h"

void heat_pattern(Bridge *b, uint64_t seed) {
    Random random = {seed};
    double energy = 0.0;
    int hot = 0;
    memset(b->pattern, 0, 3 * sizeof(double) * (size_t)b->atoms);
    for (int i = 0; i < b->atoms; i++) {
        if (b->role[i] != BRIDGE_HOT) continue;
        hot++;
        double mass = b->simulation->mass[b->simulation->type[i]];
        for (int d = 3 * i; d < 3 * i + 3; d++) {
            b->pattern[d] = random_normal(&random) / sqrt(mass);
            energy += 0.5 * b->mvv2e * mass * b->pattern[d] * b->pattern[d];
        }
    }
    double factor = sqrt(1.5 * hot * b->heat_kt * b->energy / energy);
    for (int d = 0; d < 3 * b->atoms; d++) b->pattern[d] *= factor;
}

/* Kinetic energy of the slab atoms of this role. */
static double kinetic(const Bridge *b, const double *v, int role) {
    double sum = 0.0;
    for (int i = 0; i < b->atoms; i++) {
        if (b->role[i] != role) continue;
        double mass = b->simulation->mass[b->simulation->type[i]];
        for (int d = 3 * i; d < 3 * i + 3; d++) sum += 0.5 * b->mvv2e * mass * v[d] * v[d];
    }
    return sum;
}

static const double DISPLACED = 0.8; /* l0; neighbours are 1.1 apart */

/* 1 where all atoms of the slabs are at their sites. */
static int intact(Bridge *b) {
    simulation_unwrap(b->simulation, (const double(*)[3])b->cell, b->x);
    for (int i = b->env.agents; i < b->atoms; i++) {
        double square = 0.0;
        for (int d = 3 * i; d < 3 * i + 3; d++) square += (b->x[d] - b->slab[d]) * (b->x[d] - b->slab[d]);
        if (square > DISPLACED * DISPLACED * b->length * b->length) return 0;
    }
    return 1;
}

int heat_measure(Bridge *b, double *heat) {
    Simulation *s = b->simulation;
    enum { EVERY = 5, STIFFNESS = 70 }; /* MD steps between two readings; curvature a relaxation begins with, f0 / l0 */
    int64_t used;
    if (bridge_fix(b, BRIDGE_WALL) || simulation_refresh(s, 1)) return -1;
    if (simulation_relax(s, b->relax_tolerance * b->force, STIFFNESS * b->force / b->length, 0.1 * b->length,
                         b->relax_evaluations, &used))
        return -1;
    simulation_unwrap(s, (const double(*)[3])b->cell, b->result_x);
    b->result_energy = 0.0;
    for (int i = 0; i < b->atoms; i++) b->result_energy += s->energy[i];
    *heat = 0.0;
    double largest = 0.0;
    for (int d = 0; d < 3 * b->atoms; d++) largest = fmax(largest, fabs(s->f[d]));
    if (largest > b->relax_tolerance * b->force) return 0;
    memcpy(s->v, b->pattern, 3 * sizeof(double) * (size_t)b->atoms);
    int readings = 0;
    for (int done = EVERY; done <= b->heat_steps; done += EVERY) {
        if (simulation_step(s, EVERY, 0)) return -1;
        if (2 * done <= b->heat_steps) continue;
        *heat += kinetic(b, s->v, BRIDGE_COLD);
        readings++;
    }
    *heat *= 2.0 / readings / kinetic(b, b->pattern, BRIDGE_HOT);
    if (!intact(b)) *heat = 0.0;
    return isfinite(*heat) ? 0 : -1;
}

double heat_reward(const Bridge *b, double heat) {
    return (isnan(b->goal) ? heat : -fabs(heat - b->goal)) / b->scale;
}
