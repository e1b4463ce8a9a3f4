/* opening.h: the simulation that an environment's settings describe. */
#ifndef MATDESIGN_OPENING_H
#define MATDESIGN_OPENING_H

#include "../sim/simulation.h"
#include "env.h"

/* Opens the instance of the settings "commands" (one a line), "types" [atoms] and "positions" [atoms, 3]; NULL with one
 * sentence in `error`. */
Simulation *open_simulation(const Settings *settings, char *error, size_t bytes);

#endif
