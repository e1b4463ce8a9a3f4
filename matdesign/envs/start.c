/* start.c: where an episode of atoms begins. */
#include "atoms.h"

/* Uniform points of a ball of the given density about the origin, none closer than `apart`. */
static void random_cloud(Random *random, int n, double density, double apart, double *x) {
    double radius = cbrt(n / density / 4.18879020478639);
    for (int i = 0; i < n; i++) {
        for (int try = 0;; try++) {
            double square = 0.0;
            int clear = 1;
            for (int d = 0; d < 3; d++) {
                double u = 2.0 * random_uniform(random) - 1.0;
                x[3 * i + d] = radius * u;
                square += u * u;
            }
            if (square > 1.0) continue;
            for (int j = 0; j < i && clear; j++) {
                double s = 0.0;
                for (int d = 0; d < 3; d++) s += (x[3 * i + d] - x[3 * j + d]) * (x[3 * i + d] - x[3 * j + d]);
                clear = s >= apart * apart;
            }
            if (clear) break;
            if (try % 1000 == 999) radius *= 1.05; /* too dense for this order of placing: give way */
        }
    }
}

void atoms_random_cloud(uint64_t seed, int atoms, double density, double apart, double *x) {
    Random random = {seed};
    random_cloud(&random, atoms, density, apart, x);
}

void atoms_start_structure(Atoms *a, double *x) {
    size_t n = 3 * (size_t)a->env.agents;
    if (!a->start_count) {
        random_cloud(&a->env.random, a->env.agents, a->start_density, a->start_distance, x);
        for (size_t i = 0; i < n; i++) x[i] *= a->length;
        return;
    }
    memcpy(x, a->starts + random_integer(&a->env.random, (uint32_t)a->start_count) * n, n * sizeof(double));
    if (a->start_jitter > 0.0)
        for (size_t i = 0; i < n; i++) x[i] += a->start_jitter * a->length * random_normal(&a->env.random);
}

void atoms_thermal_velocities(Atoms *a, double kt, double *v) {
    double drift[3] = {0, 0, 0}, total = 0.0;
    for (int i = 0; i < a->env.agents; i++) {
        double mass = a->simulation->mass[a->simulation->type[i]];
        double width = sqrt(kt * a->energy / (a->mvv2e * mass));
        total += mass;
        for (int d = 0; d < 3; d++) {
            v[3 * i + d] = width * random_normal(&a->env.random);
            drift[d] += mass * v[3 * i + d];
        }
    }
    if (a->env.agents > 1)
        for (int i = 0; i < 3 * a->env.agents; i++) v[i] -= drift[i % 3] / total;
}

int atoms_melt(Atoms *a) {
    enum { COLLISION = 50 }; /* MD steps after which all velocities are drawn anew (Andersen's thermostat) */
    for (int left = a->melt_steps; left > 0; left -= COLLISION) {
        atoms_thermal_velocities(a, a->melt_kt, a->simulation->v);
        if (simulation_step(a->simulation, left < COLLISION ? left : COLLISION, 1)) return -1;
    }
    return 0;
}
