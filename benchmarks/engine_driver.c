/* engine_driver.c: the loop that benchmarks/engine.py times, without Python between the steps. */
#include "simulation.h"

/* `steps` MD steps, each under control: the callback, the switch to the caller and back, and an action that writes
 * the velocity of every atom. The velocities are those the atoms have but for the last digits, so that the motion,
 * and with it how often LAMMPS lists neighbours anew, is that of a plain run. */
EXPORT int drive_controlled(Simulation *simulation, int64_t steps) {
    const double factor = 1.0 - 1e-12;
    for (int64_t step = 0; step < steps; step++) {
        for (int i = 0; i < 3 * simulation->atoms; i++) simulation->v[i] *= factor;
        if (simulation_step(simulation, 1, 0)) return -1;
    }
    return 0;
}
