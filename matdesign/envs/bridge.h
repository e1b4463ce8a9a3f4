/* bridge.h: the state of the heat bridge, for its observation and its reward. */
#ifndef MATDESIGN_BRIDGE_H
#define MATDESIGN_BRIDGE_H

#include "../sim/simulation.h"
#include "env.h"
#include "neighbours.h"

enum { BRIDGE_FREE, BRIDGE_HOT, BRIDGE_COLD, BRIDGE_WALL, BRIDGE_ROLES };

enum {
    BRIDGE_VECTORS = 8,                   /* basis vectors, see bridge_vectors.c */
    BRIDGE_ACTIONS = BRIDGE_VECTORS + 1,  /* their coefficients, and the temperature */
    BRIDGE_FEATURES = 7,
    BRIDGE_NEIGHBOURS = 20,
};

/* Figures of an episode; the order of bridge_log_names in bridge.c. */
enum { BRIDGE_SCORE, BRIDGE_PERF, BRIDGE_RETURN, BRIDGE_LENGTH, BRIDGE_FAILURES, BRIDGE_EVALUATIONS, BRIDGE_HEAT,
       BRIDGE_ENERGY };

typedef struct {
    Env env; /* first; agents are the free atoms, which are atoms 0 .. agents-1 of the simulation */
    Simulation *simulation;
    Neighbours *finder;
    Neighbour *neighbours; /* [atoms][BRIDGE_NEIGHBOURS] */
    uint8_t *role;         /* [atoms] */
    int atoms;

    /* Settings; see bridge_settings in bridge.c. */
    int md_steps, horizon, heat_steps, relax_evaluations;
    double low, high, strength, kt, kt_range, friction, apart, relax_tolerance;
    double heat_kt, scale, aim, goal_low, goal_high, failure_penalty;

    double length, energy, velocity, force, mvv2e; /* scales in LAMMPS' units, as in atoms.h */
    double origin[3], cell[3][3];
    int periodic[3];

    double *slab;    /* [atoms][3] where the slabs stand; rows of free atoms are those of the structure given */
    double *starts;  /* [start_count][agents][3] free atoms at the beginning; none: a gas */
    int64_t start_count;
    double *pattern; /* [atoms][3] velocities that heat the hot slab */

    int step, broken;
    double *x, *kick, *scratch; /* [atoms][3] unwrapped; change of the velocity; room */
    double *temperature;        /* [agents] thermal energy of each free atom's bath */
    float (*vectors)[BRIDGE_VECTORS][3]; /* [agents] basis vectors of this moment */
    double goal;                /* heat asked for; NAN: as much as possible */
    double episode_return;
    int64_t first_evaluation;

    /* What the last ended episode left. */
    double *result_x; /* [atoms][3] relaxed */
    double result_heat, result_energy;
    int64_t result_evaluations;
    int result_failed;
} Bridge;

/* Basis vectors of every free atom and env.observations, of the positions in `x`. */
void bridge_observe(Bridge *bridge);

/* Fixes atoms by their role: from BRIDGE_HOT on, all of both slabs, or BRIDGE_WALL, their outermost layers only. */
int bridge_fix(Bridge *bridge, int from);

/* Velocities that heat the hot slab, from a seed of their own. */
void heat_pattern(Bridge *bridge, uint64_t seed);

/* Relaxes the atoms and measures how much heat crosses; see heat.c. -1 where the simulation failed. */
int heat_measure(Bridge *bridge, double *heat);

/* What all atoms earn for this heat. */
double heat_reward(const Bridge *bridge, double heat);

/* The last ended episode of the environment at `env`: relaxed positions [atoms][3], heat, potential energy and force
 * evaluations. Returns 0, or 1 where the episode ended by a failed simulation. */
EXPORT int bridge_result(const void *env, double *positions, double *heat, double *energy, int64_t *evaluations);

#endif
