/* bridge_vectors.c: what each free atom can do, as vectors that its action weighs, and what it sees.
 *
 * Basis vectors:
 *
 *     0 along x: distance from the middle of the gap over half its width
 *     1 along x: towards less crowded parts, -d(log density)/dx of the free atoms, by a kernel of width l0
 *     2 way to the plane through the middle (circular mean) of the free atoms at right angles to y or z, whichever they
 *       are closer together in, over l0 / 4: strong, as it has to press a sheet of a few layers
 *     3 way to that middle in the plane, along z or y, over l0
 *     4 force / (5 f0 + |force|)
 *     5 velocity / v0
 *     6 sum of the unit vectors to neighbours closer than 1.5 l0, over 6
 *     7 the same of neighbours from 1.5 to 2.5 l0
 *
 * Observation: (distance from the middle / half)^2, squares of vectors 2 and 3, own
 * energy / 3 e0, coordination / 6 - 1, remaining time, goal (0 where there is none).
 */
#include "bridge.h"

/* Middle of the free atoms along a periodic direction: the angle of the mean of their phases. `closeness` receives the
 * length of that mean, 0 where they are spread evenly and 1 where all are at one place. */
static double circular_mean(const Bridge *b, int d, double *closeness) {
    double c = 0.0, s = 0.0, turn = 6.283185307179586 / b->cell[d][d];
    for (int i = 0; i < b->env.agents; i++) {
        c += cos(turn * (b->x[3 * i + d] - b->origin[d]));
        s += sin(turn * (b->x[3 * i + d] - b->origin[d]));
    }
    *closeness = sqrt(c * c + s * s) / b->env.agents;
    return b->origin[d] + atan2(s, c) / turn;
}

/* -d(log density)/dx of the free atoms at x, l0 its unit; atoms are mirrored at the ends of the gap. */
static double crowding(const Bridge *b, double x) {
    double density = 0.0, slope = 0.0;
    for (int j = 0; j < b->env.agents; j++) {
        const double at = b->x[3 * j], images[3] = {at, 2.0 * b->low - at, 2.0 * b->high - at};
        for (int k = 0; k < 3; k++) {
            double u = (x - images[k]) / b->length;
            if (u * u > 16.0) continue;
            double weight = exp(-0.5 * u * u);
            density += weight;
            slope += u * weight;
        }
    }
    return slope / density;
}

void bridge_observe(Bridge *b) {
    Simulation *s = b->simulation;
    const int n = b->env.agents;
    const double middle = 0.5 * (b->low + b->high), half = 0.5 * (b->high - b->low);
    double centre[3], closeness[3];
    neighbours_find(b->finder, b->x, b->atoms, (const double(*)[3])b->cell, b->periodic, 2.5 * b->length, b->neighbours);
    for (int d = 1; d < 3; d++) centre[d] = circular_mean(b, d, closeness + d);
    const int normal = closeness[1] > closeness[2] ? 1 : 2;
    float *rows = b->env.observations;
    for (int i = 0; i < n; i++) {
        const double *x = b->x + 3 * i, *f = s->f + 3 * i, *v = s->v + 3 * i;
        float(*vector)[3] = b->vectors[i], *row = rows + (size_t)i * BRIDGE_FEATURES, coordination = 0.0f;
        memset(vector, 0, sizeof b->vectors[i]);
        const double force = sqrt(f[0] * f[0] + f[1] * f[1] + f[2] * f[2]);
        vector[0][0] = (float)((x[0] - middle) / half);
        vector[1][0] = (float)crowding(b, x[0]);
        for (int d = 1; d < 3; d++) {
            double way = centre[d] - x[d], edge = b->cell[d][d];
            way = (way - edge * round(way / edge)) / b->length;
            if (d == normal)
                vector[2][d] = (float)(4.0 * way);
            else
                vector[3][d] = (float)way;
        }
        for (int d = 0; d < 3; d++) {
            vector[4][d] = (float)(f[d] / (5.0 * b->force + force));
            vector[5][d] = (float)(v[d] / b->velocity);
        }
        const Neighbour *list = b->neighbours + (size_t)i * BRIDGE_NEIGHBOURS;
        for (int j = 0; j < BRIDGE_NEIGHBOURS && list[j].atom >= 0; j++) {
            const float distance = list[j].distance / (float)b->length;
            const int shell = distance < 1.5f ? 6 : 7;
            coordination += distance < 1.5f;
            for (int d = 0; d < 3; d++) vector[shell][d] += list[j].vector[d] / list[j].distance / 6.0f;
        }
        row[0] = vector[0][0] * vector[0][0];
        row[1] = vector[2][normal] * vector[2][normal];
        row[2] = vector[3][3 - normal] * vector[3][3 - normal];
        row[3] = (float)(s->energy[i] / (3.0 * b->energy));
        row[4] = coordination / 6.0f - 1.0f;
        row[5] = 1.0f - (float)b->step / (float)b->horizon;
        row[6] = isnan(b->goal) ? 0.0f : (float)(b->goal / b->scale);
        for (int c = 0; c < BRIDGE_FEATURES; c++) row[c] = fminf(fmaxf(row[c], -10.0f), 10.0f);
    }
}
