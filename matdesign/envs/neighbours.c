/* neighbours.c: k nearest neighbours by one kernel over contiguous candidates.
 *
 * Up to ALL_PAIRS atoms every atom is a candidate of every other: for so few, a straight loop that the compiler
 * vectorizes beats any list. Above, atoms are sorted into cells at least one cutoff wide and the candidates are those
 * of the 27 cells around. Positions are handled as fractions of the cell, where the minimum image is a rounding.
 */
#include "neighbours.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__SANITIZE_ADDRESS__) && defined(__linux__)
/* One copy for each instruction set, chosen when the library is loaded. */
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif

enum { ALL_PAIRS = 400, SORTED = 32 };

struct Neighbours {
    int atoms, count;
    float *fraction[3];    /* [atoms] */
    float *squared;        /* [atoms] distances of the present atom's candidates */
    float *delta[3];       /* [atoms] their vectors */
    int32_t *candidate;    /* [atoms] which atoms they are */
    float *gathered[3];    /* [atoms] their fractions, in cell order */
    int32_t *order, *cell_of, *first; /* atoms sorted by cell */
    int32_t *near;         /* [atoms] candidates within reach */
    uint8_t *hit;          /* [atoms] 1 for those */
    float *reach;          /* [atoms] squared distance that held about `count` neighbours last time; 0: unknown */
    int first_capacity;
};

Neighbours *neighbours_open(int atoms, int count) {
    Neighbours *n = calloc(1, sizeof *n);
    if (!n) return NULL;
    n->atoms = atoms, n->count = count;
    size_t floats = ((size_t)atoms + 64) * sizeof(float);
    int complete = 1;
    for (int d = 0; d < 3; d++) {
        complete &= (n->fraction[d] = malloc(floats)) != NULL;
        complete &= (n->delta[d] = malloc(floats)) != NULL;
        complete &= (n->gathered[d] = malloc(floats)) != NULL;
    }
    complete &= (n->squared = malloc(floats)) != NULL;
    complete &= (n->candidate = malloc(floats)) != NULL;
    complete &= (n->order = malloc(floats)) != NULL;
    complete &= (n->cell_of = malloc(floats)) != NULL;
    complete &= (n->near = malloc(floats)) != NULL;
    complete &= (n->hit = malloc(floats)) != NULL;
    complete &= (n->reach = calloc((size_t)atoms, sizeof(float))) != NULL;
    if (complete) return n;
    neighbours_close(n);
    return NULL;
}

void neighbours_close(Neighbours *n) {
    if (!n) return;
    for (int d = 0; d < 3; d++) {
        free(n->fraction[d]);
        free(n->delta[d]);
        free(n->gathered[d]);
    }
    free(n->squared);
    free(n->candidate);
    free(n->order);
    free(n->cell_of);
    free(n->near);
    free(n->hit);
    free(n->reach);
    free(n->first);
    free(n);
}

typedef struct {
    float edge[3][3];  /* lower triangular; 1 on the diagonal of a free direction */
    float wrap[3];     /* 1 where periodic */
    float cutoff2;
} Geometry;

/* Vectors and squared distances from one atom (fractions at s) to `many` candidates. */
CLONES static void distances(const Geometry *g, const float s[3], int many, const float *restrict fx,
                             const float *restrict fy, const float *restrict fz, float *restrict dx, float *restrict dy,
                             float *restrict dz, float *restrict squared) {
    const float rounding = 12582912.0f; /* 1.5 * 2^23: adding and subtracting it rounds to the nearest integer */
    const float sx = s[0], sy = s[1], sz = s[2], wx = g->wrap[0], wy = g->wrap[1], wz = g->wrap[2];
    const float ax = g->edge[0][0], bx = g->edge[1][0], by = g->edge[1][1];
    const float cx = g->edge[2][0], cy = g->edge[2][1], cz = g->edge[2][2];
    for (int j = 0; j < many; j++) {
        float x = fx[j] - sx, y = fy[j] - sy, z = fz[j] - sz;
        x -= wx * ((x + rounding) - rounding);
        y -= wy * ((y + rounding) - rounding);
        z -= wz * ((z + rounding) - rounding);
        float vx = x * ax + y * bx + z * cx, vy = y * by + z * cy, vz = z * cz;
        dx[j] = vx, dy[j] = vy, dz[j] = vz;
        squared[j] = vx * vx + vy * vy + vz * vz;
    }
}

/* hit[j] = 1 where candidate j is closer than `limit`, else 0. */
CLONES static void compare(const float *restrict squared, int many, float limit, uint8_t *restrict hit) {
    for (int j = 0; j < many; j++) hit[j] = squared[j] < limit;
}

/* Indices of the candidates closer than `limit`, in order; returns how many. */
static int within(Neighbours *n, int many, float limit) {
    int found = 0;
    compare(n->squared, many, limit, n->hit);
    memset(n->hit + many, 0, 8);
    for (int j = 0; j < many; j += 8) {
        uint64_t word;
        memcpy(&word, n->hit + j, 8);
        for (; word; word &= word - 1) n->near[found++] = j + (__builtin_ctzll(word) >> 3);
    }
    return found;
}

/* Orders up to SORTED indices by squared distance, by counting for each how many come before it: no branches. */
CLONES static void rank_sort(const float *squared, const int32_t *near, int found, int32_t *sorted) {
    float key[SORTED];
    int32_t rank[SORTED];
    for (int i = 0; i < SORTED; i++) key[i] = i < found ? squared[near[i]] : HUGE_VALF, rank[i] = 0;
    int padded = found <= 16 ? 16 : SORTED;
    for (int j = 0; j < found; j++) {
        const float by = key[j];
        /* Of equal distances the earlier candidate comes first. */
        for (int i = 0; i < padded; i++) rank[i] += (by < key[i]) | ((by == key[i]) & (j < i));
    }
    for (int i = 0; i < found; i++) sorted[rank[i]] = near[i];
}

/* Brings the `count` nearest of near[0 .. found) to its front, in order. */
static void select_nearest(const float *squared, int32_t *near, int found, int count) {
    for (int i = 1; i < found; i++) {
        int32_t candidate = near[i];
        float key = squared[candidate];
        int at = i < count ? i : count;
        if (i >= count && key >= squared[near[count - 1]]) continue;
        if (i >= count) near[i] = near[count - 1], at = count - 1;
        for (; at > 0 && squared[near[at - 1]] > key; at--) near[at] = near[at - 1];
        near[at] = candidate;
    }
}

/* The list of one atom from its candidates, of which `self` is the atom itself. */
static void nearest(Neighbours *n, const Geometry *g, int atom, int many, int self, Neighbour *list) {
    n->squared[self] = HUGE_VALF;
    float limit = n->reach[atom] > 0.0f ? fminf(n->reach[atom], g->cutoff2) : g->cutoff2;
    int32_t sorted[SORTED];
    const int32_t *order = sorted;
    int found = within(n, many, limit);
    if (found < n->count && limit < g->cutoff2) found = within(n, many, g->cutoff2);
    if (found <= SORTED) {
        rank_sort(n->squared, n->near, found, sorted);
    } else {
        select_nearest(n->squared, n->near, found, n->count);
        order = n->near;
    }
    int listed = found < n->count ? found : n->count;
    for (int k = 0; k < listed; k++) {
        int32_t c = order[k];
        list[k] = (Neighbour){n->candidate[c], {n->delta[0][c], n->delta[1][c], n->delta[2][c]}, sqrtf(n->squared[c])};
    }
    for (int k = listed; k < n->count; k++) list[k] = (Neighbour){-1, {0.0f, 0.0f, 0.0f}, 0.0f};
    /* A little beyond the farthest listed, so that next time's first pass finds enough and not many more. */
    n->reach[atom] = listed == n->count ? 1.15f * n->squared[order[listed - 1]] : 0.0f;
}

static void find_all_pairs(Neighbours *n, const Geometry *g, int atoms, Neighbour *list) {
    for (int j = 0; j < atoms; j++) n->candidate[j] = j;
    for (int i = 0; i < atoms; i++) {
        float s[3] = {n->fraction[0][i], n->fraction[1][i], n->fraction[2][i]};
        distances(g, s, atoms, n->fraction[0], n->fraction[1], n->fraction[2], n->delta[0], n->delta[1], n->delta[2],
                  n->squared);
        nearest(n, g, i, atoms, i, list + (size_t)i * (size_t)n->count);
    }
}

/* -1 where memory for the cells is lacking or there are too few cells for 27 different ones. */
static int find_by_cells(Neighbours *n, const Geometry *g, const int periodic[3], double cutoff, int atoms,
                         Neighbour *list) {
    /* Heights of the cell between opposite faces (volume over face area) bound how many slabs of a cutoff fit. */
    double ax = g->edge[0][0], bx = g->edge[1][0], by = g->edge[1][1];
    double cx = g->edge[2][0], cy = g->edge[2][1], cz = g->edge[2][2];
    double face_x = sqrt(by * by * cz * cz + bx * bx * cz * cz + (bx * cy - by * cx) * (bx * cy - by * cx));
    double face_y = ax * sqrt(cz * cz + cy * cy);
    double height[3] = {ax * by * cz / face_x, ax * by * cz / face_y, cz}, low[3], width[3];
    int cells[3];
    for (int d = 0; d < 3; d++) {
        float least = n->fraction[d][0], most = least;
        for (int i = 1; i < atoms; i++) {
            least = fminf(least, n->fraction[d][i]);
            most = fmaxf(most, n->fraction[d][i]);
        }
        low[d] = periodic[d] ? 0.0 : least;
        width[d] = periodic[d] ? 1.0 : fmax((double)(most - least) * 1.000001, 1e-6);
        double slabs = width[d] * height[d] / cutoff;
        cells[d] = slabs > 1000.0 ? 1000 : slabs < 1.0 ? 1 : (int)slabs;
        if (periodic[d] && cells[d] < 3) cells[d] = 1; /* two cells would be neighbours on both sides */
    }
    while ((int64_t)cells[0] * cells[1] * cells[2] > 4 * (int64_t)atoms + 64)
        for (int d = 0; d < 3; d++) cells[d] = periodic[d] && cells[d] / 2 < 3 ? 1 : (cells[d] + 1) / 2;
    int total = cells[0] * cells[1] * cells[2];
    if (total == 1) return -1;
    if (total + 1 > n->first_capacity) {
        free(n->first);
        n->first = malloc(sizeof(int32_t) * ((size_t)total + 1));
        n->first_capacity = n->first ? total + 1 : 0;
        if (!n->first) return -1;
    }
    memset(n->first, 0, sizeof(int32_t) * ((size_t)total + 1));
    for (int i = 0; i < atoms; i++) {
        int at[3];
        for (int d = 0; d < 3; d++) {
            double f = (double)n->fraction[d][i];
            if (periodic[d]) f -= floor(f);
            int c = (int)((f - low[d]) / width[d] * cells[d]);
            at[d] = c < 0 ? 0 : c >= cells[d] ? cells[d] - 1 : c;
        }
        n->cell_of[i] = (at[0] * cells[1] + at[1]) * cells[2] + at[2];
        n->first[n->cell_of[i] + 1]++;
    }
    for (int c = 0; c < total; c++) n->first[c + 1] += n->first[c];
    for (int i = atoms - 1; i >= 0; i--) { /* first[c + 1] counts down to the start of cell c's atoms */
        int c = n->cell_of[i];
        n->order[--n->first[c + 1]] = i;
    }
    /* first[c + 1] is now where cell c begins; the end of cell c is where c + 1 begins. */
    for (int c = 0; c < total; c++) {
        int begin = n->first[c + 1], end = c + 2 <= total ? n->first[c + 2] : atoms;
        if (begin == end) continue;
        int at[3] = {c / (cells[1] * cells[2]), c / cells[2] % cells[1], c % cells[2]}, many = 0;
        int seen[27], seen_count = 0;
        for (int step = 0; step < 27; step++) {
            int move[3] = {step / 9 - 1, step / 3 % 3 - 1, step % 3 - 1}, to[3], outside = 0;
            for (int d = 0; d < 3; d++) {
                to[d] = at[d] + move[d];
                if (periodic[d])
                    to[d] = (to[d] + cells[d]) % cells[d];
                else
                    outside |= to[d] < 0 || to[d] >= cells[d];
            }
            int other = (to[0] * cells[1] + to[1]) * cells[2] + to[2], repeated = 0;
            for (int k = 0; k < seen_count; k++) repeated |= seen[k] == other; /* a direction of one cell */
            if (outside || repeated) continue;
            seen[seen_count++] = other;
            int stop = other + 2 <= total ? n->first[other + 2] : atoms;
            for (int k = n->first[other + 1]; k < stop; k++) {
                int j = n->order[k];
                n->candidate[many] = j;
                for (int d = 0; d < 3; d++) n->gathered[d][many] = n->fraction[d][j];
                many++;
            }
        }
        for (int k = begin; k < end; k++) {
            int i = n->order[k], self = 0;
            float s[3] = {n->fraction[0][i], n->fraction[1][i], n->fraction[2][i]};
            distances(g, s, many, n->gathered[0], n->gathered[1], n->gathered[2], n->delta[0], n->delta[1], n->delta[2],
                      n->squared);
            while (n->candidate[self] != i) self++;
            nearest(n, g, i, many, self, list + (size_t)i * (size_t)n->count);
        }
    }
    return 0;
}

void neighbours_find(Neighbours *n, const double *x, int atoms, const double cell[3][3], const int periodic[3],
                     double cutoff, Neighbour *list) {
    Geometry g = {.cutoff2 = (float)(cutoff * cutoff)};
    double edge[3][3] = {{0}}, inverse[3];
    for (int d = 0; d < 3; d++) {
        for (int e = 0; e < d; e++) edge[d][e] = periodic[d] ? cell[d][e] : 0.0;
        edge[d][d] = periodic[d] ? cell[d][d] : 1.0;
        g.wrap[d] = periodic[d] ? 1.0f : 0.0f;
        inverse[d] = 1.0 / edge[d][d];
        for (int e = 0; e < 3; e++) g.edge[d][e] = (float)edge[d][e];
    }
    for (int i = 0; i < atoms; i++) {
        double fz = x[3 * i + 2] * inverse[2];
        double fy = (x[3 * i + 1] - fz * edge[2][1]) * inverse[1];
        double fx = (x[3 * i] - fy * edge[1][0] - fz * edge[2][0]) * inverse[0];
        n->fraction[0][i] = (float)fx, n->fraction[1][i] = (float)fy, n->fraction[2][i] = (float)fz;
    }
    if (atoms <= ALL_PAIRS || find_by_cells(n, &g, periodic, cutoff, atoms, list)) find_all_pairs(n, &g, atoms, list);
}
