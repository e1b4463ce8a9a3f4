/* order.c: bond order of degree 6 and its gradient, by pairs in three passes. */
#include "order.h"
#include "clones.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEGREE = 6, TERMS = 13, BONDS = 24, LEAST_BONDS = 8 };

static const double BONDED = 1.2, APART = 1.5; /* where w begins to fall and where it is 0, in lengths */

/* sqrt(2 (6-m)!/(6+m)!), m > 0: all harmonics get the same norm. */
static const double norms[DEGREE + 1] = {
    1.0, 0.21821789023599236, 0.03450327796711771, 0.005750546327852952, 0.00104990131391452, 0.00022383971222927231,
    6.461695905544936e-05,
};

typedef double Terms[TERMS]; /* m = 0, then cos and sin of m = 1, 2 ... 6 */

typedef struct {
    int i, j;
    double u[3], per_distance; /* unit vector from i to j, 1 / distance */
    double w, slope;           /* weight and its derivative by the distance */
} Pair;

struct Order {
    Neighbours *finder;
    Neighbour *list; /* [atoms][BONDS] */
    Pair *pairs;     /* [atoms * BONDS] */
    Terms *q;        /* [atoms] sums of harmonics, then of length one */
    Terms *pull;     /* [atoms] derivative of the whole order by q */
    double *count;   /* [atoms] n_i, then max(n_i, LEAST_BONDS) */
    double *width;   /* [atoms] |q_i| */
};

void order_close(Order *o) {
    if (!o) return;
    neighbours_close(o->finder);
    free(o->list);
    free(o->pairs);
    free(o->q);
    free(o->pull);
    free(o->count);
    free(o->width);
    free(o);
}

Order *order_open(int atoms) {
    Order *o = calloc(1, sizeof *o);
    if (!o) return NULL;
    size_t n = (size_t)atoms;
    o->finder = neighbours_open(atoms, BONDS);
    o->list = calloc(n * BONDS, sizeof *o->list);
    o->pairs = calloc(n * BONDS, sizeof *o->pairs);
    o->q = calloc(n, sizeof *o->q);
    o->pull = calloc(n, sizeof *o->pull);
    o->count = calloc(n, sizeof *o->count);
    o->width = calloc(n, sizeof *o->width);
    if (o->finder && o->list && o->pairs && o->q && o->pull && o->count && o->width) return o;
    order_close(o);
    return NULL;
}

/* Derivatives 0 to 7 of the Legendre polynomial of degree 6 at z. */
static inline void legendre(double z, double p[DEGREE + 2]) {
    const double s = z * z;
    p[0] = (((231.0 * s - 315.0) * s + 105.0) * s - 5.0) / 16.0;
    p[1] = z * ((1386.0 * s - 1260.0) * s + 210.0) / 16.0;
    p[2] = ((6930.0 * s - 3780.0) * s + 210.0) / 16.0;
    p[3] = z * (27720.0 * s - 7560.0) / 16.0;
    p[4] = (83160.0 * s - 7560.0) / 16.0;
    p[5] = 10395.0 * z;
    p[6] = 10395.0;
    p[7] = 0.0;
}

/* Real and imaginary parts of (x + iy)^m. */
static inline void powers(double x, double y, double re[DEGREE + 1], double im[DEGREE + 1]) {
    re[0] = 1.0, im[0] = 0.0;
    for (int m = 1; m <= DEGREE; m++) {
        re[m] = re[m - 1] * x - im[m - 1] * y;
        im[m] = re[m - 1] * y + im[m - 1] * x;
    }
}

/* The harmonics of direction u. */
static inline void harmonics(const double u[3], Terms y) {
    double p[DEGREE + 2], re[DEGREE + 1], im[DEGREE + 1];
    legendre(u[2], p);
    powers(u[0], u[1], re, im);
    y[0] = p[0];
    for (int m = 1; m <= DEGREE; m++) {
        y[2 * m - 1] = norms[m] * p[m] * re[m];
        y[2 * m] = norms[m] * p[m] * im[m];
    }
}

/* sum_m c_m Y_m(u), and its gradient by u, as polynomials: the part across u is what a turning bond feels. */
static inline double combined(const double u[3], const Terms c, double gradient[3]) {
    double p[DEGREE + 2], re[DEGREE + 1], im[DEGREE + 1];
    legendre(u[2], p);
    powers(u[0], u[1], re, im);
    double value = c[0] * p[0], gx = 0.0, gy = 0.0, gz = c[0] * p[1];
    for (int m = 1; m <= DEGREE; m++) {
        const double a = norms[m] * c[2 * m - 1], b = norms[m] * c[2 * m];
        const double around = a * re[m] + b * im[m];
        value += p[m] * around;
        gz += p[m + 1] * around;
        gx += p[m] * m * (a * re[m - 1] + b * im[m - 1]);
        gy += p[m] * m * (b * re[m - 1] - a * im[m - 1]);
    }
    gradient[0] = gx, gradient[1] = gy, gradient[2] = gz;
    return value;
}

static inline double dot(const double *a, const double *b) {
    double sum = 0.0;
    for (int m = 0; m < TERMS; m++) sum += a[m] * b[m];
    return sum;
}

/* Every bonded pair once. */
static int find_pairs(Order *o, int atoms, double length) {
    int count = 0;
    for (int i = 0; i < atoms; i++)
        for (const Neighbour *other = o->list + (size_t)i * BONDS, *end = other + BONDS; other < end; other++) {
            if (other->atom < 0) break;
            if (other->atom < i || other->distance == 0.0f) continue;
            Pair *pair = o->pairs + count++;
            const double x = (double)other->vector[0], y = (double)other->vector[1], z = (double)other->vector[2];
            const double distance = sqrt(x * x + y * y + z * z), t = (distance / length - BONDED) / (APART - BONDED);
            const double inside = t < 0.0 ? 0.0 : t > 1.0 ? 1.0 : t, rest = 1.0 - inside;
            pair->i = i, pair->j = other->atom;
            pair->per_distance = 1.0 / distance;
            pair->u[0] = x / distance, pair->u[1] = y / distance, pair->u[2] = z / distance;
            pair->w = 1.0 - inside * inside * inside * (10.0 - 15.0 * inside + 6.0 * inside * inside);
            pair->slope = -30.0 * inside * inside * rest * rest / ((APART - BONDED) * length);
        }
    return count;
}

CLONES static void add_harmonics(Order *o, int count) {
    for (const Pair *pair = o->pairs; pair < o->pairs + count; pair++) {
        Terms y;
        harmonics(pair->u, y);
        double *to = o->q[pair->i], *from = o->q[pair->j];
        for (int m = 0; m < TERMS; m++) to[m] += pair->w * y[m], from[m] += pair->w * y[m]; /* even degree */
        o->count[pair->i] += pair->w;
        o->count[pair->j] += pair->w;
    }
}

CLONES static void add_products(Order *o, int count, double *s) {
    for (const Pair *pair = o->pairs; pair < o->pairs + count; pair++) {
        const int i = pair->i, j = pair->j;
        const double per_i = pair->w / o->count[i], per_j = pair->w / o->count[j], product = dot(o->q[i], o->q[j]);
        s[i] += per_i * product;
        s[j] += per_j * product;
        for (int m = 0; m < TERMS; m++) {
            o->pull[i][m] += (per_i + per_j) * o->q[j][m];
            o->pull[j][m] += (per_i + per_j) * o->q[i][m];
        }
    }
}

CLONES static void add_gradient(const Order *o, int count, const double *s, double *gradient) {
    for (const Pair *pair = o->pairs; pair < o->pairs + count; pair++) {
        const int i = pair->i, j = pair->j;
        Terms c;
        double turn[3], radial = dot(o->q[i], o->q[j]) * (1.0 / o->count[i] + 1.0 / o->count[j]);
        for (int m = 0; m < TERMS; m++) c[m] = o->pull[i][m] + o->pull[j][m];
        const double value = combined(pair->u, c, turn);
        /* Where there are fewer bonds than LEAST_BONDS one more does not thin out the others. */
        radial -= (o->count[i] > LEAST_BONDS ? s[i] / o->count[i] : 0.0) +
                  (o->count[j] > LEAST_BONDS ? s[j] / o->count[j] : 0.0);
        const double along = turn[0] * pair->u[0] + turn[1] * pair->u[1] + turn[2] * pair->u[2];
        for (int d = 0; d < 3; d++) {
            const double by = pair->slope * (radial + value) * pair->u[d] +
                              pair->w * pair->per_distance * (turn[d] - along * pair->u[d]);
            gradient[3 * j + d] += by;
            gradient[3 * i + d] -= by;
        }
    }
}

void order_find(Order *o, const double *x, int atoms, const double cell[3][3], const int periodic[3], double length,
                double *s, double *gradient) {
    const size_t n = (size_t)atoms;
    neighbours_find(o->finder, x, atoms, cell, periodic, APART * length, o->list);
    const int count = find_pairs(o, atoms, length);
    memset(o->q, 0, n * sizeof *o->q);
    memset(o->pull, 0, n * sizeof *o->pull);
    memset(o->count, 0, n * sizeof *o->count);
    memset(s, 0, n * sizeof *s);
    memset(gradient, 0, 3 * n * sizeof *gradient);
    add_harmonics(o, count);
    for (int i = 0; i < atoms; i++) {
        o->width[i] = sqrt(dot(o->q[i], o->q[i]));
        if (o->width[i] < 1e-12) o->width[i] = 1e-12; /* no bonds, no direction */
        for (int m = 0; m < TERMS; m++) o->q[i][m] /= o->width[i];
        if (o->count[i] < LEAST_BONDS) o->count[i] = LEAST_BONDS;
    }
    add_products(o, count, s);
    for (int i = 0; i < atoms; i++) { /* only what turns q_i changes its direction */
        const double along = dot(o->pull[i], o->q[i]);
        for (int m = 0; m < TERMS; m++) o->pull[i][m] = (o->pull[i][m] - along * o->q[i][m]) / o->width[i];
    }
    add_gradient(o, count, s, gradient);
}
