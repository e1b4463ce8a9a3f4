/* neighbours.c: k nearest neighbours by one kernel over contiguous candidates.
 *
 * Up to ALL_PAIRS atoms every atom is a candidate of every other: for so few, a straight loop that the compiler
 * vectorizes beats any list. Above, atoms are sorted into cells at least one cutoff wide and the candidates are those
 * of the 27 cells around. Positions are handled as fractions of the cell in 32-bit integers: their wrap-around is the
 * minimum image.
 */
#include "neighbours.h"
#include "clones.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#define AVX512
#include <immintrin.h>
#endif

enum { ALL_PAIRS = 400, SORTED = 32, LANES = 16 };

/* What is around one atom. */
typedef struct {
    float *squared;  /* [atoms] distances of its candidates */
    float *delta[3]; /* [atoms] their vectors */
    int32_t *near;   /* [atoms] candidates within reach */
    float *key;      /* [atoms] their squared distances, then distances */
    int atom, found; /* how many are within reach */
} Around;

struct Neighbours {
    int count;
    Around around[2];      /* filled in turn: the next atom's distances run while this one's are being sorted */
    uint32_t *fraction[3]; /* [atoms] of the cell, times 2^32 */
    int32_t *candidate;    /* [atoms] which atoms they are */
    uint32_t *gathered[3]; /* [atoms] their fractions, in cell order */
    int32_t *order, *cell_of, *first; /* atoms sorted by cell */
    int32_t *sorted;       /* [atoms] places in `near`, nearest first */
    float *reach;          /* [atoms] squared distance that held about `count` neighbours last time; 0: unknown */
    int first_capacity;
};

/* Room for `atoms` values and a vector beyond, on a cache line. */
static void *line_aligned(int atoms) {
    size_t bytes = ((size_t)atoms * sizeof(float) / 64 + 4) * 64;
    void *memory = aligned_alloc(64, bytes);
    return memory ? memset(memory, 0, bytes) : NULL;
}

Neighbours *neighbours_open(int atoms, int count) {
    Neighbours *n = calloc(1, sizeof *n);
    if (!n) return NULL;
    n->count = count;
    int complete = 1;
    for (int d = 0; d < 3; d++) {
        complete &= (n->fraction[d] = line_aligned(atoms)) != NULL;
        complete &= (n->gathered[d] = line_aligned(atoms)) != NULL;
    }
    for (Around *around = n->around; around < n->around + 2; around++) {
        for (int d = 0; d < 3; d++) complete &= (around->delta[d] = line_aligned(atoms)) != NULL;
        complete &= (around->squared = line_aligned(atoms)) != NULL;
        complete &= (around->near = line_aligned(atoms)) != NULL;
        complete &= (around->key = line_aligned(atoms)) != NULL;
    }
    complete &= (n->candidate = line_aligned(atoms)) != NULL;
    complete &= (n->order = line_aligned(atoms)) != NULL;
    complete &= (n->cell_of = line_aligned(atoms)) != NULL;
    complete &= (n->sorted = line_aligned(atoms)) != NULL;
    complete &= (n->reach = line_aligned(atoms)) != NULL;
    if (complete) return n;
    neighbours_close(n);
    return NULL;
}

void neighbours_close(Neighbours *n) {
    if (!n) return;
    for (int d = 0; d < 3; d++) {
        free(n->fraction[d]);
        free(n->gathered[d]);
    }
    for (Around *around = n->around; around < n->around + 2; around++) {
        for (int d = 0; d < 3; d++) free(around->delta[d]);
        free(around->squared);
        free(around->near);
        free(around->key);
    }
    free(n->candidate);
    free(n->order);
    free(n->cell_of);
    free(n->sorted);
    free(n->reach);
    free(n->first);
    free(n);
}

typedef struct {
    double edge[3][3]; /* lower triangular; a free direction has an edge of twice the atoms' extent */
    double low[3];     /* where fractions of a free direction begin */
    float cutoff2;
} Geometry;

/* Vectors and squared distances from one atom (fractions at s) to `many` candidates. */
CLONES static void distances(const Geometry *g, const uint32_t s[3], int many, const uint32_t *restrict fx,
                             const uint32_t *restrict fy, const uint32_t *restrict fz, float *restrict dx,
                             float *restrict dy, float *restrict dz, float *restrict squared) {
    const uint32_t sx = s[0], sy = s[1], sz = s[2];
    const float ax = (float)(0x1p-32 * g->edge[0][0]), bx = (float)(0x1p-32 * g->edge[1][0]),
                by = (float)(0x1p-32 * g->edge[1][1]), cx = (float)(0x1p-32 * g->edge[2][0]),
                cy = (float)(0x1p-32 * g->edge[2][1]), cz = (float)(0x1p-32 * g->edge[2][2]);
    many = (many + LANES - 1) / LANES * LANES; /* arrays are that long */
    for (int j = 0; j < many; j++) {
        float x = (float)(int32_t)(fx[j] - sx), y = (float)(int32_t)(fy[j] - sy), z = (float)(int32_t)(fz[j] - sz);
        float vx = x * ax + y * bx + z * cx, vy = y * by + z * cy, vz = z * cz;
        dx[j] = vx, dy[j] = vy, dz[j] = vz;
        squared[j] = vx * vx + vy * vy + vz * vz;
    }
}

#ifdef AVX512
/* The same as the loop in within(), sixteen at a time. */
__attribute__((target("avx512f"))) static int within_avx512(const float *restrict squared, int many, float limit,
                                                            int32_t *restrict near, float *restrict key) {
    const __m512 limits = _mm512_set1_ps(limit);
    __m512i index = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    int found = 0;
    for (int j = 0; j < many; j += 16) {
        __m512 s = _mm512_loadu_ps(squared + j);
        __mmask16 hit = _mm512_cmp_ps_mask(s, limits, _CMP_LT_OQ);
        if (many - j < 16) hit &= (__mmask16)((1u << (many - j)) - 1u);
        _mm512_storeu_si512(near + found, _mm512_maskz_compress_epi32(hit, index));
        _mm512_storeu_ps(key + found, _mm512_maskz_compress_ps(hit, s));
        found += __builtin_popcount(hit);
        index = _mm512_add_epi32(index, _mm512_set1_epi32(16));
    }
    return found;
}
#endif

/* Indices of the candidates closer than `limit`, in order, and their squared distances; returns how many. */
static int within(const float *restrict squared, int many, float limit, int32_t *restrict near, float *restrict key) {
#ifdef AVX512
    if (__builtin_cpu_supports("avx512f")) return within_avx512(squared, many, limit, near, key);
#endif
    int found = 0;
    for (int j = 0; j < many; j++) { /* no branch: which are near is different for every atom */
        near[found] = j;
        key[found] = squared[j];
        found += squared[j] < limit;
    }
    return found;
}

#ifdef AVX512
__attribute__((target("avx512f,popcnt"))) static int rank_sort_avx512(const float *restrict key, int found,
                                                                      int32_t *restrict order) {
    const __m512 low = _mm512_loadu_ps(key), high = _mm512_loadu_ps(key + 16);
    int sum = 0;
    for (int i = 0; i < found; i++) {
        const __m512 by = _mm512_set1_ps(key[i]);
        const __mmask16 first = _mm512_cmp_ps_mask(low, by, _CMP_LT_OQ), second = _mm512_cmp_ps_mask(high, by, _CMP_LT_OQ);
        int rank = __builtin_popcount((unsigned)second << 16 | first);
        order[rank] = i;
        sum += rank;
    }
    return 2 * sum == found * (found - 1);
}
#endif

/* Order of the first `found` (at most SORTED) keys, by counting for each how many are smaller: no branches. The keys
 * behind them, up to SORTED, are infinite. Equal keys get equal ranks: returns 0 where there are any. */
static int rank_sort(const float *restrict key, int found, int32_t *restrict order) {
#ifdef AVX512
    if (__builtin_cpu_supports("avx512f")) return rank_sort_avx512(key, found, order);
#endif
    int sum = 0;
    for (int i = 0; i < found; i++) {
        int rank = 0;
        for (int j = 0; j < SORTED; j++) rank += key[j] < key[i];
        order[rank] = i;
        sum += rank;
    }
    return 2 * sum == found * (found - 1);
}

CLONES static void square_roots(float *restrict values, int many) {
    for (int i = 0; i < many; i++) values[i] = sqrtf(values[i]);
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

/* Looks around an atom among candidates with fractions fx, fy, fz, of which `self` is the atom itself. */
static void look(Neighbours *n, const Geometry *g, Around *around, int atom, int self, int many, const uint32_t *fx,
                 const uint32_t *fy, const uint32_t *fz) {
    const uint32_t s[3] = {fx[self], fy[self], fz[self]};
    distances(g, s, many, fx, fy, fz, around->delta[0], around->delta[1], around->delta[2], around->squared);
    around->squared[self] = HUGE_VALF;
    around->atom = atom;
    for (float limit = n->reach[atom];; limit *= 1.5f) {
        if (!(limit > 0.0f && limit < g->cutoff2)) limit = g->cutoff2;
        around->found = within(around->squared, many, limit, around->near, around->key);
        if (around->found >= n->count || limit == g->cutoff2) break;
    }
    for (int i = 0; i < SORTED; i++) around->key[around->found + i] = HUGE_VALF;
}

/* Lists the nearest of what is around an atom. */
static void write_list(Neighbours *n, const Around *around, Neighbour *list) {
    int found = around->found, listed = found < n->count ? found : n->count;
    list += (size_t)around->atom * (size_t)n->count;
    if (found > SORTED || !rank_sort(around->key, found, n->sorted)) {
        select_nearest(around->squared, around->near, found, n->count);
        for (int k = 0; k < listed; k++) around->key[k] = around->squared[around->near[k]], n->sorted[k] = k;
    }
    square_roots(around->key, (found + LANES - 1) / LANES * LANES);
    for (int k = 0; k < listed; k++) {
        int at = n->sorted[k], c = around->near[at];
        float x = around->delta[0][c], y = around->delta[1][c], z = around->delta[2][c];
        list[k] = (Neighbour){n->candidate[c], {x, y, z}, around->key[at]};
    }
    for (int k = listed; k < n->count; k++) list[k] = (Neighbour){-1, {0.0f, 0.0f, 0.0f}, 0.0f};
    /* A little beyond the farthest listed, so that next time's first pass finds enough and not many more. */
    float farthest = listed ? list[listed - 1].distance : 0.0f;
    n->reach[around->atom] = listed == n->count ? 1.12f * farthest * farthest : 0.0f;
}

static void find_all_pairs(Neighbours *n, const Geometry *g, int atoms, Neighbour *list) {
    for (int j = 0; j < atoms; j++) n->candidate[j] = j;
    for (int i = 0; i <= atoms; i++) {
        if (i < atoms) look(n, g, n->around + i % 2, i, i, atoms, n->fraction[0], n->fraction[1], n->fraction[2]);
        if (i > 0) write_list(n, n->around + (i - 1) % 2, list);
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
    double height[3] = {ax * by * cz / face_x, ax * by * cz / face_y, cz}, width[3];
    int cells[3];
    for (int d = 0; d < 3; d++) {
        width[d] = periodic[d] ? 1.0 : 0.5;
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
            int c = (int)(0x1p-32 * n->fraction[d][i] / width[d] * cells[d]);
            at[d] = c < cells[d] ? c : cells[d] - 1;
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
            while (n->candidate[self] != i) self++;
            look(n, g, n->around, i, self, many, n->gathered[0], n->gathered[1], n->gathered[2]);
            write_list(n, n->around, list);
        }
    }
    return 0;
}

/* Coordinates of x along the edges; those of a free direction count from `low`. */
static void fractions(const Geometry *g, const double inverse[3], const double x[3], double f[3]) {
    f[2] = (x[2] - g->low[2]) * inverse[2];
    f[1] = (x[1] - f[2] * g->edge[2][1] - g->low[1]) * inverse[1];
    f[0] = (x[0] - f[1] * g->edge[1][0] - f[2] * g->edge[2][0] - g->low[0]) * inverse[0];
}

void neighbours_find(Neighbours *n, const double *x, int atoms, const double cell[3][3], const int periodic[3],
                     double cutoff, Neighbour *list) {
    Geometry g = {.cutoff2 = (float)(cutoff * cutoff)};
    double extent[3][2] = {{INFINITY, -INFINITY}, {INFINITY, -INFINITY}, {INFINITY, -INFINITY}}, inverse[3];
    for (int d = 0; d < 3; d++) {
        for (int e = 0; e < d; e++) g.edge[d][e] = periodic[d] ? cell[d][e] : 0.0;
        g.edge[d][d] = periodic[d] ? cell[d][d] : 1.0;
        inverse[d] = 1.0 / g.edge[d][d];
    }
    if (!periodic[0] || !periodic[1] || !periodic[2]) {
        for (int i = 0; i < atoms; i++) {
            double f[3];
            fractions(&g, inverse, x + 3 * i, f);
            for (int d = 0; d < 3; d++) {
                extent[d][0] = f[d] < extent[d][0] ? f[d] : extent[d][0];
                extent[d][1] = f[d] > extent[d][1] ? f[d] : extent[d][1];
            }
        }
        for (int d = 0; d < 3; d++) {
            if (periodic[d]) continue;
            g.low[d] = extent[d][0];
            g.edge[d][d] = 2.0 * (extent[d][1] - extent[d][0]) * (1.0 + 1e-9) + 1e-9 * cutoff;
            inverse[d] = 1.0 / g.edge[d][d];
        }
    }
    for (int i = 0; i < atoms; i++) {
        double f[3];
        fractions(&g, inverse, x + 3 * i, f);
        for (int d = 0; d < 3; d++) n->fraction[d][i] = (uint32_t)(int64_t)(f[d] * 0x1p32);
    }
    if (atoms <= ALL_PAIRS || find_by_cells(n, &g, periodic, cutoff, atoms, list)) find_all_pairs(n, &g, atoms, list);
}
