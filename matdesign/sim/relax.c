/* relax.c: L-BFGS inside the controlled run, one force evaluation an iteration. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simulation.h"

static double dot(const double *a, const double *b, size_t n) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

enum { REMEMBERED = 20 }; /* steps whose curvature L-BFGS keeps */

typedef struct {
    size_t n;
    int count, next;
    double rho[REMEMBERED];
    double *step, *change; /* [REMEMBERED][n] moves and how the gradient changed along them */
} Curvature;

static void remember(Curvature *c, const double *step, const double *change) {
    double along = dot(step, change, c->n);
    if (along <= 1e-10 * dot(change, change, c->n)) return; /* no minimum lies that way */
    memcpy(c->step + (size_t)c->next * c->n, step, c->n * sizeof(double));
    memcpy(c->change + (size_t)c->next * c->n, change, c->n * sizeof(double));
    c->rho[c->next] = 1.0 / along;
    c->next = (c->next + 1) % REMEMBERED;
    if (c->count < REMEMBERED) c->count++;
}

/* The two-loop recursion: `move` becomes the inverse curvature times the force. */
static void newton_step(const Curvature *c, const double *force, double stiffness, double *move) {
    double alpha[REMEMBERED];
    size_t n = c->n;
    for (size_t i = 0; i < n; i++) move[i] = force[i];
    for (int k = 1; k <= c->count; k++) {
        int at = (c->next - k + REMEMBERED) % REMEMBERED;
        alpha[at] = c->rho[at] * dot(c->step + (size_t)at * n, move, n);
        for (size_t i = 0; i < n; i++) move[i] -= alpha[at] * c->change[(size_t)at * n + i];
    }
    double scale = 1.0 / stiffness;
    if (c->count) { /* the curvature along the last step */
        int last = (c->next - 1 + REMEMBERED) % REMEMBERED;
        const double *change = c->change + (size_t)last * n;
        scale = 1.0 / (c->rho[last] * dot(change, change, n));
    }
    for (size_t i = 0; i < n; i++) move[i] *= scale;
    for (int k = c->count; k >= 1; k--) {
        int at = (c->next - k + REMEMBERED) % REMEMBERED;
        double beta = c->rho[at] * dot(c->change + (size_t)at * n, move, n);
        for (size_t i = 0; i < n; i++) move[i] += (alpha[at] - beta) * c->step[(size_t)at * n + i];
    }
}

int simulation_relax(Simulation *s, double tolerance, double stiffness, double longest, int64_t evaluations,
                     int64_t *used) {
    size_t n = 3 * (size_t)s->atoms;
    int64_t start = s->evaluations;
    double *memory = malloc((2 * REMEMBERED + 2) * n * sizeof(double));
    if (!memory) {
        snprintf(s->error, sizeof s->error, "out of memory");
        return -1;
    }
    double *move = memory, *force = memory + n;
    Curvature curvature = {.n = n, .step = memory + 2 * n, .change = memory + (2 + REMEMBERED) * n};
    /* Energies of the last step may be missing, and forces are only known inside the controlled run. */
    int status = !s->controlled || s->broken ? simulation_step(s, 0, 1) : s->energy ? 0 : simulation_refresh(s, 1);
    while (!status && s->evaluations - start < evaluations) {
        double largest = 0.0, furthest = 0.0;
        for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs(s->f[i]));
        if (!isfinite(dot(s->f, s->f, n))) {
            snprintf(s->error, sizeof s->error, "a force is not a number: two atoms overlap");
            status = -1;
            break;
        }
        if (largest <= tolerance) break;
        newton_step(&curvature, s->f, stiffness, move);
        if (dot(move, s->f, n) <= 0.0) { /* uphill: what is remembered belongs to another valley */
            curvature.count = 0;
            newton_step(&curvature, s->f, stiffness, move);
        }
        for (size_t i = 0; i < n; i += 3) furthest = fmax(furthest, sqrt(dot(move + i, move + i, 3)));
        double scale = furthest > longest ? longest / furthest : 1.0;
        for (size_t i = 0; i < n; i++) {
            move[i] *= scale;
            force[i] = s->f[i];
            s->x[i] += move[i];
        }
        if ((status = simulation_refresh(s, 1))) break;
        for (size_t i = 0; i < n; i++) force[i] -= s->f[i]; /* the gradient's change */
        remember(&curvature, move, force);
    }
    free(memory);
    *used = s->evaluations - start;
    if (!status) memset(s->v, 0, n * sizeof(double));
    return status;
}
