/* atoms.h: the state of the atoms environment, for the files that reward it. */
#ifndef MATDESIGN_ATOMS_H
#define MATDESIGN_ATOMS_H

#include "../sim/simulation.h"
#include "env.h"
#include "neighbours.h"

enum { ATOMS_SPECIES = 16 };

/* Figures of an episode; the order of atoms_log_names in atoms.c. */
enum {
    LOG_SCORE,       /* what the reward calls score */
    LOG_PERF,        /* 0..1: fraction of the episodes (or atoms) that reached the target */
    LOG_RETURN,      /* sum of an atom's rewards, mean over atoms */
    LOG_LENGTH,      /* control steps */
    LOG_FAILURES,    /* 1 where the simulation failed (lost atoms, NaN) and was rebuilt */
    LOG_EVALUATIONS, /* force evaluations */
    LOG_ENERGY,      /* potential energy per atom at the end, in energy scales */
};

/* Which atom earns how much; see credit.c. */
enum { CREDIT_OWN, CREDIT_TEAM, CREDIT_MIX, CREDIT_DIFFERENCE, CREDITS };

struct Reward;

typedef struct {
    Env env; /* first */
    Simulation *simulation;
    Neighbours *finder;
    Neighbour *neighbours; /* [agents][k] at the present control point */
    const struct Reward *reward;

    /* Scales, in LAMMPS' units of the material. */
    double length, energy, velocity, force; /* what counts as one */
    double mvv2e;                           /* mass * velocity^2 to energy */

    /* Settings; see atoms_settings in atoms.c. */
    int control, md_steps, horizon, k, species, features, free_space, remove_drift, start_relax;
    double strength, force_cap, cutoff, container, kt, friction;
    double start_density, start_distance, start_jitter, start_kt;
    double own_share, final_weight, bonus, tolerance, reference, relax_tolerance;
    int relax_evaluations, common_goal, credit;
    double goal_bonus, failure_penalty, distance_penalty, min_distance;
    int melt_steps;
    double melt_kt;

    /* The cell, in LAMMPS' frame. */
    double origin[3], cell[3][3];
    double middle[3]; /* of the cell; the origin in free space */
    int periodic[3];

    /* Starting structures [starts][agents][3]. */
    double *starts;
    int64_t start_count;

    /* State. */
    int step, broken;
    int64_t first_evaluation;
    int64_t measuring_evaluations; /* of the episode's measurements, by simulations of their own */
    void *state;               /* what the reward keeps */
    float *action;             /* [agents][3] as applied: inside the unit ball */
    double *unwrapped;         /* [agents][3] */
    double *before;            /* [agents][3] unwrapped, one control step ago */
    double *energies;          /* [agents] */
    double *energies_before;   /* [agents] one control step ago */
    double *goals;             /* [agents][3] where the reward needs goals */
    double *measure;           /* [agents] a reward's own figure of the step before */
    double *credited;          /* [agents] potential that each atom is credited with so far */
    double *kept_apart;        /* [agents] the same of the distance penalty */
    double *gradient;          /* [agents][3] of the order of the bonds, where the reward is order */
    double *scratch;           /* [agents][3] */
    double episode_return;
    double best;               /* lowest relaxed energy of any episode, energy scales; NaN before the first */
    double error;              /* order reward: above the goal, in goal scales */
    double target, current;    /* what the reward aims at and where it is, scaled; shown to the agents */
    float colour[ATOMS_SPECIES][4];
    double radius[ATOMS_SPECIES];

    /* What the last ended episode left: positions, energy, evaluations, whether its simulation failed. */
    double *result_x; /* [agents][3] */
    double result_energy;
    int64_t result_evaluations;
    int result_failed;
} Atoms;

/* How atoms are rewarded. All functions but `name` may use the whole state; energies are at a control point. */
typedef struct Reward {
    const char *name;
    int needs_goals; /* a point for each atom */
    int shows_order; /* start and step leave order in measure, its gradient and the error */
    int credit; /* default of the setting of that name */
    /* Where the reward keeps a state of its own: reads its settings into atoms->state, which close() frees also after a
     * failure. Returns 0, or -1 and fills `error`. Both NULL where there is none. */
    int (*open)(Atoms *atoms, const Settings *settings, char *error, size_t bytes);
    void (*close)(Atoms *atoms);
    /* After a reset, when positions and energies are known: choose goals, remember the first measure. Returns -1 where
     * the episode cannot begin like that. */
    int (*start)(Atoms *atoms);
    /* After a control step: adds to env.rewards[agents], which are zero; sets target and current. Returns -1 where the
     * simulation failed. */
    int (*step)(Atoms *atoms);
    /* What it keeps in atoms->state, as in archive.h. NULL where there is none. */
    void (*serialize)(Atoms *atoms, Archive *archive);
    /* At the horizon, after step(): adds final rewards, logs, and ends the episode (terminate or truncate).
     * Returns -1 where the simulation failed. */
    int (*finish)(Atoms *atoms);
} Reward;

extern const Reward reward_energy;
extern const Reward reward_goal;
extern const Reward reward_order;
extern const Reward reward_property;

/* At an episode's start: the potential of all atoms, and of each atom its own and its part of the difference, [agents];
 * both NULL where the credit is the team's. */
void credit_begin(Atoms *atoms, double team, const double *own, const double *difference);

/* After a control step, the same: adds to env.rewards what changed since the last call. */
void credit_pay(Atoms *atoms, double team, const double *own, const double *difference);

extern const char *const credit_names[CREDITS];

/* The distance penalty of this moment is remembered and, with `pay`, its change is added to env.rewards. */
void penalty_update(Atoms *atoms, int pay);

/* Positions [agents][3] that an episode starts from: a random cloud, or one of the starting structures. */
void atoms_start_structure(Atoms *atoms, double *x);

/* Velocities [agents][3] at a thermal energy in energy scales, without drift. */
void atoms_thermal_velocities(Atoms *atoms, double kt, double *v);

/* Molecular dynamics for melt_steps at melt_kt; -1 where the simulation failed. */
int atoms_melt(Atoms *atoms);

/* The sum of the atoms' energies. */
static inline double atoms_total_energy(const Atoms *atoms) {
    double sum = 0.0;
    for (int i = 0; i < atoms->env.agents; i++) sum += atoms->energies[i];
    return sum;
}

/* Columns of an observation. */
int atoms_features(int species, int neighbours, const Reward *reward);

/* Writes env.observations for this moment. */
void atoms_observe(Atoms *atoms);

/* Positions and energy of this moment become the episode's result. */
void atoms_store_result(Atoms *atoms);

/* Relaxes the atoms where they are; energies and positions are up to date afterwards. -1 where that failed. */
int atoms_relax(Atoms *atoms, int64_t evaluations, double tolerance);

/* `steps` MD steps without control; energies and positions are up to date afterwards. -1 where that failed. */
int atoms_run_freely(Atoms *atoms, int64_t steps);

/* The last ended episode of the environment at `env`: its final positions [agents][3] (unwrapped, LAMMPS' frame),
 * potential energy and force evaluations. Returns 0, or 1 where the episode ended by a failed simulation. */
EXPORT int atoms_result(const void *env, double *positions, double *energy, int64_t *evaluations);

/* Between two steps, puts the goal of an atom, or all of a common one, elsewhere: point[3], as drawn. The move itself
 * earns nothing. 0, or -1 where the reward is not goal. */
EXPORT int atoms_move_goal(void *env, int atom, const double *point);

/* The starting cloud that `seed` gives: x [atoms][3] in length scales, for searches that begin where the agents do. */
EXPORT void atoms_random_cloud(uint64_t seed, int atoms, double density, double apart, double *x);

#endif
