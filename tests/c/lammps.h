/* lammps.h: a small Lennard-Jones crystal for the tests that run LAMMPS. */
#ifndef LAMMPS_H
#define LAMMPS_H

#include <string.h>

#include "check.h"

static const char *const crystal_commands[] = {
    "units lj",
    "atom_style atomic",
    "atom_modify map array sort 0 0",
    "boundary p p p",
    "region box block 0 3.2 0 3.2 0 3.2 units box",
    "create_box 1 box",
    "mass 1 1.0",
    "pair_style lj/cut 2.5",
    "pair_coeff 1 1 1.0 1.0",
    "neighbor 0.3 bin",
    "neigh_modify delay 0 every 1 check yes",
    "timestep 0.005",
    "thermo_style custom step",
    "thermo_modify norm no",
    "timer off",
};
enum { CRYSTAL_COMMANDS = sizeof crystal_commands / sizeof *crystal_commands };

/* fcc, 32 atoms. */
static inline void crystal(double *x, int *types, int atoms) {
    static const int site[4][3] = {{0, 0, 0}, {1, 1, 0}, {1, 0, 1}, {0, 1, 1}};
    for (int i = 0; i < atoms; i++) {
        int cell[3] = {i / 4 & 1, i / 8 & 1, i / 16 & 1};
        for (int d = 0; d < 3; d++) x[3 * i + d] = 0.8 * (2 * cell[d] + site[i % 4][d]) + 0.01;
        types[i] = 1;
    }
}

#endif
