/* simulation.h: one LAMMPS instance whose atoms are agents.
 *
 * Atom id i+1 is agent i, always, and row i of every array. Control is by simulation_step(): the instance sits inside
 * one long `run`, held in a coroutine by a `fix external` callback, and each call lets it go on for some MD steps. At
 * such a control point x, v and f belong to the same time: v is the full-step velocity although velocity Verlet has
 * only done its first half kick there, and f is the force of the potential without the external one. Writing v or
 * `external` acts from that time on; writing x needs simulation_place(), since forces depend on it.
 */
#ifndef MATDESIGN_SIMULATION_H
#define MATDESIGN_SIMULATION_H

#include "coroutine.h"
#include "lammps_api.h"

enum { SIMULATION_ERROR_BYTES = 1024 };

typedef struct Simulation {
    /* Valid at every control point, and until the next call that steps; [atoms][3] behind x[0], v[0], f[0]. */
    double *x, *v, *f;
    double *external;     /* [atoms][3] force added in every step from the next one on; ours, kept between steps */
    const double *energy; /* [atoms] potential energy of each atom, where the last step asked for it, else NULL */
    int *type, *id, *image;
    double *mass; /* by type, from 1 */
    int atoms;
    int64_t evaluations; /* force evaluations since the instance was opened */
    char error[SIMULATION_ERROR_BYTES];

    /* Private. */
    const LammpsApi *lammps;
    void *handle;
    Coroutine *coroutine;
    char **commands;
    int command_count;
    int *start_type;
    double *start_x;
    double *added;            /* [atoms][3] what stands in LAMMPS' external force array */
    double *half, *full;      /* [atoms][3] velocities at the control point: LAMMPS' own and those shown */
    const int *nlocal, *nghost;
    const int64_t *timestep;
    const double *dt, *ftm2v, *mvv2e; /* timestep; force to acceleration times mass; mass velocity^2 to energy */
    int most_atoms;           /* largest nlocal + nghost for which the pointers were fetched */
    int64_t remaining;        /* MD steps until the next control point */
    double kick;              /* dt/2 in force-to-velocity units where a half kick follows, 0 at set-up */
    uint8_t *fixed;           /* [atoms] 1: no force acts on it; NULL: none is fixed */
    int controlled, held, energies, setting_up, lost, nonfinite, broken;
} Simulation;

/* Opens an instance, runs the commands (which must create the box and the pair style) and creates `atoms` atoms of
 * the given types (1..) at x [atoms][3]. NULL, with LAMMPS' own text and the offending command in `error`. */
EXPORT Simulation *simulation_open(const char *const *commands, int command_count, int atoms, const int *types,
                                   const double *x, char *error, size_t error_bytes);

EXPORT void simulation_close(Simulation *simulation);

/* All calls below return 0, or -1 with one sentence in simulation->error. */

/* Fixes the atoms whose `fixed` [atoms] is not 0, in place of earlier ones: from the next force evaluation on no force
 * acts on them, in MD and in relaxations, so that they stay where they are once at rest. Their velocities are set to 0. */
EXPORT int simulation_fix_atoms(Simulation *simulation, const uint8_t *fixed);

/* One LAMMPS command, outside the controlled run (which is ended first). */
EXPORT int simulation_command(Simulation *simulation, const char *command);

/* `steps` MD steps by LAMMPS' own `run`, without control points. */
EXPORT int simulation_run(Simulation *simulation, int64_t steps);

/* To the next control point, `steps` MD steps on; 0 enters the controlled run at the present state. With `energies`,
 * per-atom energies are tallied in the last of the steps. */
EXPORT int simulation_step(Simulation *simulation, int64_t steps, int energies);

/* Puts the atoms at x [atoms][3] with velocities v (NULL: at rest) and evaluates the forces there: one force
 * evaluation, no set-up. Positions are wrapped into a periodic cell, and unwrap to x again. */
EXPORT int simulation_place(Simulation *simulation, const double *x, const double *v, int energies);

/* Evaluates the forces at the positions now in x, moved by less than a cell; the atoms are at rest afterwards. */
EXPORT int simulation_refresh(Simulation *simulation, int energies);

/* Puts the atoms at x [atoms][3] with velocities v and begins the controlled run anew: forces, and the order in which
 * they are summed from then on, follow from x alone and from nothing that was before. One force evaluation. */
EXPORT int simulation_renew(Simulation *simulation, const double *x, const double *v);

/* Relaxes the atoms by L-BFGS without line search (Liu and Nocedal 1989, doi:10.1007/BF01589116) inside the controlled
 * run, until no force component exceeds `tolerance` (LAMMPS force units) or `evaluations` force evaluations are spent:
 * one evaluation an iteration. `stiffness` (force per distance) guesses the curvature of the first step; no atom moves
 * further than `longest` (distance) in one iteration. `used` receives the evaluations; the atoms are at rest
 * afterwards and energies are those of the final positions. */
EXPORT int simulation_relax(Simulation *simulation, double tolerance, double stiffness, double longest,
                            int64_t evaluations, int64_t *used);

/* Leaves the controlled run. */
EXPORT int simulation_end(Simulation *simulation);

/* Builds the instance anew from its commands and first positions, as after lost atoms. */
EXPORT int simulation_rebuild(Simulation *simulation);

/* Positions [atoms][3] as if the cell had no walls, by the image flags; rows of `cell` are its edge vectors. */
EXPORT void simulation_unwrap(const Simulation *simulation, const double cell[3][3], double *unwrapped);

EXPORT int simulation_box(Simulation *simulation, double origin[3], double cell[3][3], int periodic[3]);

/* A thermo keyword such as "press"; NaN and an error where LAMMPS refuses. */
EXPORT double simulation_thermo(Simulation *simulation, const char *keyword);

/* 1 where there is a "fix", "compute", "group" ... of that name. */
EXPORT int simulation_has(Simulation *simulation, const char *category, const char *id);

/* What a LAMMPS compute or fix holds, copied to `values`: the global array [rows][columns], or else the global vector
 * [rows] or the scalar (columns 0, rows 0 for a scalar), or else (computes) the values of each atom, rows = atoms.
 * With `values` NULL only the sizes are told. */
EXPORT int simulation_compute(Simulation *simulation, const char *id, int *rows, int *columns, double *values);
EXPORT int simulation_fix(Simulation *simulation, const char *id, int *rows, int *columns, double *values);

EXPORT const char *simulation_error(const Simulation *simulation);

#endif
