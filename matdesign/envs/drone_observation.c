/* drone_observation.c: what a drone sees, in its own body's frame, so that its yaw does not matter.
 *
 *     0-2    way to the target, cut to FAR m, in units of that          9-11   own velocity, times VELOCITY
 *     3-5    the same cut to NEAR m: small errors stay visible          12-14  angular velocity, times RATE
 *     6-8    target's velocity relative to the own, times VELOCITY      15-17  up
 *     18-19  lengths of the first two vectors
 *     20-    for each neighbour, nearest first: unit vector towards it, and its relative velocity times VELOCITY, both
 *            times 1 - distance / SENSING_RANGE, so that one who comes or goes fades; zeros where there is none
 *
 * Cuts keep directions; components of velocities are cut to +-LIMIT.
 */
#include "drone_swarm.h"

#define FAR 10.0f
#define NEAR 0.5f
#define VELOCITY 0.4f /* s/m */
#define RATE 0.25f    /* s/rad */
#define LIMIT DRONE_LIMIT

typedef struct {
    Lanes row[3][3]; /* rotation world to body */
} Frame;

INLINE void frame_of(const Block *b, Frame *f) {
    Lanes w = b->qw, x = b->qx, y = b->qy, z = b->qz;
    f->row[0][0] = 1.0f - 2.0f * (y * y + z * z), f->row[0][1] = 2.0f * (x * y + w * z);
    f->row[0][2] = 2.0f * (x * z - w * y), f->row[1][0] = 2.0f * (x * y - w * z);
    f->row[1][1] = 1.0f - 2.0f * (x * x + z * z), f->row[1][2] = 2.0f * (y * z + w * x);
    f->row[2][0] = 2.0f * (x * z + w * y), f->row[2][1] = 2.0f * (y * z - w * x);
    f->row[2][2] = 1.0f - 2.0f * (x * x + y * y);
}

/* The vector (x, y, z) of the world in the body's frame. */
INLINE void turn(const Frame *f, const Lanes *x, const Lanes *y, const Lanes *z, Lanes body[3]) {
    for (int d = 0; d < 3; d++) body[d] = f->row[d][0] * *x + f->row[d][1] * *y + f->row[d][2] * *z;
}

INLINE void scale_and_cut(Lanes *values, int count, float scale) {
    const Lanes limit = (Lanes){0} + LIMIT;
    for (int i = 0; i < count; i++) {
        Lanes value = scale * values[i];
        value = SELECT(value < limit, value, limit);
        values[i] = SELECT(value > -limit, value, -limit);
    }
}

INLINE void square_root(Lanes *values) {
    for (int i = 0; i < LANES; i++) (*values)[i] = sqrtf((*values)[i]);
}

INLINE void see_target(const Block *b, const Frame *f, Lanes seen[DRONE_OWN]) {
    Lanes x = b->tx - b->x, y = b->ty - b->y, z = b->tz - b->z, length = b->distance;
    turn(f, &x, &y, &z, seen);
    Lanes to_far = 1.0f / SELECT(length > FAR, length, (Lanes){0} + FAR);
    Lanes to_near = 1.0f / SELECT(length > NEAR, length, (Lanes){0} + NEAR);
    for (int d = 0; d < 3; d++) seen[3 + d] = seen[d] * to_near, seen[d] *= to_far;
    x = b->tvx - b->vx, y = b->tvy - b->vy, z = b->tvz - b->vz;
    turn(f, &x, &y, &z, seen + 6);
    turn(f, &b->vx, &b->vy, &b->vz, seen + 9);
    scale_and_cut(seen + 6, 6, VELOCITY);
    seen[12] = RATE * b->wx, seen[13] = RATE * b->wy, seen[14] = RATE * b->wz;
    for (int d = 0; d < 3; d++) seen[15 + d] = f->row[d][2];
    seen[18] = length * to_far, seen[19] = length * to_near;
}

/* `near`: of each lane the neighbour's number, -1 for none. */
INLINE void see_neighbour(const Swarm *s, const Block *b, const Frame *f, const int16_t near[LANES], Lanes seen[6]) {
    Lanes x = b->x + 2.0f * SENSING_RANGE, y = b->y, z = b->z, vx = b->vx, vy = b->vy, vz = b->vz; /* nobody */
    for (int i = 0; i < LANES; i++) {
        if (near[i] < 0) continue;
        const Block *o = &s->blocks[near[i] / LANES];
        int lane = near[i] % LANES;
        x[i] = o->x[lane], y[i] = o->y[lane], z[i] = o->z[lane];
        vx[i] = o->vx[lane], vy[i] = o->vy[lane], vz[i] = o->vz[lane];
    }
    x -= b->x, y -= b->y, z -= b->z, vx -= b->vx, vy -= b->vy, vz -= b->vz;
    Lanes length = x * x + y * y + z * z + 1e-12f;
    square_root(&length);
    Lanes weight = 1.0f - length / SENSING_RANGE, scale = weight / length;
    weight = SELECT(weight > 0.0f, weight, (Lanes){0}), scale = SELECT(scale > 0.0f, scale, (Lanes){0});
    turn(f, &x, &y, &z, seen);
    turn(f, &vx, &vy, &vz, seen + 3);
    for (int d = 0; d < 3; d++) seen[d] *= scale, seen[3 + d] *= weight;
    scale_and_cut(seen + 3, 3, VELOCITY);
}

_Static_assert(LANES == 16, "the shuffles below are those of a 16 x 16 matrix");

/* Exchanges, in each 2 x 2 of blocks, those off the diagonal; the four sizes of blocks in turn transpose a matrix. */
#define EXCHANGE_BLOCKS(row, size, upper, lower)                        \
    for (int r = 0; r < LANES; r++) {                                   \
        if (r & (size)) continue;                                       \
        Lanes first = (row)[r], second = (row)[r + (size)];             \
        (row)[r] = __builtin_shufflevector(first, second, upper);       \
        (row)[r + (size)] = __builtin_shufflevector(first, second, lower); \
    }
#define UPPER_8 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define LOWER_8 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31
#define UPPER_4 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27
#define LOWER_4 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31
#define UPPER_2 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define LOWER_2 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define UPPER_1 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30
#define LOWER_1 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31

enum { PADDED = (DRONE_OWN + 6 * MOST_NEIGHBOURS + LANES - 1) / LANES * LANES };

/* LANES columns to LANES rows; in shuffles, which no compiler makes of loops. */
INLINE void transpose(const Lanes columns[LANES], float (*rows)[PADDED]) {
    Lanes row[LANES];
    for (int r = 0; r < LANES; r++) row[r] = columns[r];
    EXCHANGE_BLOCKS(row, 8, UPPER_8, LOWER_8)
    EXCHANGE_BLOCKS(row, 4, UPPER_4, LOWER_4)
    EXCHANGE_BLOCKS(row, 2, UPPER_2, LOWER_2)
    EXCHANGE_BLOCKS(row, 1, UPPER_1, LOWER_1)
    for (int r = 0; r < LANES; r++) memcpy(rows[r], &row[r], sizeof row[r]);
}

/* The first `lanes` drones of block `b`: `near` and `observation` begin with its own. */
CLONES static void observe_block(const Swarm *s, const Block *b, int lanes, const int16_t *near, float *observation) {
    Lanes seen[PADDED];
    float rows[LANES][PADDED];
    int features = DRONE_OWN + 6 * s->neighbours;
    Frame f;
    frame_of(b, &f);
    see_target(b, &f, seen);
    for (int k = 0; k < s->neighbours; k++) {
        int16_t kth[LANES];
        for (int i = 0; i < LANES; i++) kth[i] = i < lanes ? near[s->neighbours * i + k] : -1;
        see_neighbour(s, b, &f, kth, seen + DRONE_OWN + 6 * k);
    }
    for (int c = features; c % LANES; c++) seen[c] = (Lanes){0};
    for (int c = 0; c < features; c += LANES) transpose(seen + c, (float(*)[PADDED])&rows[0][c]);
    for (int i = 0; i < lanes; i++) memcpy(observation + i * features, rows[i], sizeof(float) * (size_t)features);
}

void drones_observe(const Swarm *s, const int16_t *near) {
    int features = DRONE_OWN + 6 * s->neighbours, n = s->env.agents;
    for (int first = 0; first < n; first += LANES)
        observe_block(s, &s->blocks[first / LANES], n - first < LANES ? n - first : LANES,
                      near + s->neighbours * first, (float *)s->env.observations + first * features);
}
