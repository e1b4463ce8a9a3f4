/* opening.h: the simulation that an environment's settings describe. */
#ifndef MATDESIGN_OPENING_H
#define MATDESIGN_OPENING_H

#include "../sim/simulation.h"
#include "env.h"

/* Opens the instance of the settings "commands" (one a line), "types" [atoms] and "positions" [atoms, 3]; NULL with one
 * sentence in `error`. */
Simulation *open_simulation(const Settings *settings, char *error, size_t bytes);

/* Saves or loads the simulation of an environment at positions x [atoms][3], unwrapped, which are in the archive already;
 * v [atoms][3] is room for velocities, of which no component may exceed `fastest`. `fixed` [atoms] are those on which no
 * force acts, NULL: none. Whether it was saved or loaded, it goes on from there in a run that begins anew. */
void serialize_simulation(Simulation *simulation, const uint8_t *fixed, const double *x, double *v, double fastest,
                          Archive *archive);

#endif
