/* drone_observation.c: what a drone sees, in its own body's frame, so that its yaw does not matter.
 *
 *     0-2    way to the target, cut to FAR m, in units of that          9-11   own velocity, times VELOCITY
 *     3-5    the same cut to NEAR m: small errors stay visible          12-14  angular velocity, times RATE
 *     6-8    target's velocity relative to the own, times VELOCITY      15-17  up
 *     18-    for each neighbour, nearest first: unit vector towards it, and its relative velocity times VELOCITY, both
 *            times 1 - distance / SENSING_RANGE, so that one who comes or goes fades; zeros where there is none
 *
 * Cuts keep directions; components of velocities are cut to +-LIMIT.
 */
#include "drone_swarm.h"

#define FAR 10.0f
#define NEAR 1.0f
#define VELOCITY 0.4f /* s/m */
#define RATE 0.25f    /* s/rad */
#define LIMIT DRONE_LIMIT

typedef struct {
    float row[3][3][LANES]; /* rows of the rotation world to body */
} Frame;

static inline void frame_of(const Block *b, Frame *f) {
    for (int i = 0; i < LANES; i++) {
        float w = b->qw[i], x = b->qx[i], y = b->qy[i], z = b->qz[i];
        f->row[0][0][i] = 1.0f - 2.0f * (y * y + z * z), f->row[0][1][i] = 2.0f * (x * y + w * z);
        f->row[0][2][i] = 2.0f * (x * z - w * y), f->row[1][0][i] = 2.0f * (x * y - w * z);
        f->row[1][1][i] = 1.0f - 2.0f * (x * x + z * z), f->row[1][2][i] = 2.0f * (y * z + w * x);
        f->row[2][0][i] = 2.0f * (x * z + w * y), f->row[2][1][i] = 2.0f * (y * z - w * x);
        f->row[2][2][i] = 1.0f - 2.0f * (x * x + y * y);
    }
}

static inline float cut(float value) { return value < -LIMIT ? -LIMIT : value > LIMIT ? LIMIT : value; }

/* Vectors [3][LANES] of the world, times `scale`, in the frames' own; components cut. */
static inline void turn(const Frame *f, const float (*restrict world)[LANES], float scale, float (*restrict body)[LANES]) {
    for (int d = 0; d < 3; d++)
        for (int i = 0; i < LANES; i++)
            body[d][i] = cut(scale * (f->row[d][0][i] * world[0][i] + f->row[d][1][i] * world[1][i] +
                                      f->row[d][2][i] * world[2][i]));
}

static inline void see_target(const Block *b, const Frame *f, float (*restrict seen)[LANES]) {
    float way[3][LANES], far[3][LANES], near[3][LANES], relative[3][LANES], own[3][LANES];
    for (int i = 0; i < LANES; i++) {
        float x = b->tx[i] - b->x[i], y = b->ty[i] - b->y[i], z = b->tz[i] - b->z[i];
        float length = sqrtf(x * x + y * y + z * z);
        float to_far = 1.0f / (length > FAR ? length : FAR), to_near = 1.0f / (length > NEAR ? length : NEAR);
        way[0][i] = x, way[1][i] = y, way[2][i] = z;
        for (int d = 0; d < 3; d++) far[d][i] = way[d][i] * to_far, near[d][i] = way[d][i] * to_near;
        own[0][i] = b->vx[i], own[1][i] = b->vy[i], own[2][i] = b->vz[i];
        relative[0][i] = b->tvx[i] - b->vx[i], relative[1][i] = b->tvy[i] - b->vy[i];
        relative[2][i] = b->tvz[i] - b->vz[i];
        seen[12][i] = RATE * b->wx[i], seen[13][i] = RATE * b->wy[i], seen[14][i] = RATE * b->wz[i];
        seen[15][i] = f->row[0][2][i], seen[16][i] = f->row[1][2][i], seen[17][i] = f->row[2][2][i];
    }
    turn(f, far, 1.0f, seen);
    turn(f, near, 1.0f, seen + 3);
    turn(f, relative, VELOCITY, seen + 6);
    turn(f, own, VELOCITY, seen + 9);
}

/* `near`: of each lane the neighbour's number, -1 for none. */
static inline void see_neighbour(const Swarm *s, const Block *b, const Frame *f, const int16_t near[LANES],
                                 float (*restrict seen)[LANES]) {
    float way[3][LANES], velocity[3][LANES];
    for (int i = 0; i < LANES; i++) {
        if (near[i] < 0) { /* out of range, wherever that is */
            way[0][i] = SENSING_RANGE, way[1][i] = way[2][i] = velocity[0][i] = velocity[1][i] = velocity[2][i] = 0.0f;
            continue;
        }
        const Block *o = &s->blocks[near[i] / LANES];
        int lane = near[i] % LANES;
        way[0][i] = o->x[lane] - b->x[i], way[1][i] = o->y[lane] - b->y[i], way[2][i] = o->z[lane] - b->z[i];
        velocity[0][i] = o->vx[lane] - b->vx[i], velocity[1][i] = o->vy[lane] - b->vy[i];
        velocity[2][i] = o->vz[lane] - b->vz[i];
    }
    for (int i = 0; i < LANES; i++) {
        float square = way[0][i] * way[0][i] + way[1][i] * way[1][i] + way[2][i] * way[2][i];
        float length = sqrtf(square + 1e-12f), weight = 1.0f - length / SENSING_RANGE, scale = weight / length;
        for (int d = 0; d < 3; d++) way[d][i] *= scale, velocity[d][i] *= weight;
    }
    turn(f, way, 1.0f, seen);
    turn(f, velocity, VELOCITY, seen + 3);
}

CLONES void drones_observe(const Swarm *s, const int16_t *near) {
    float *observation = s->env.observations, seen[DRONE_OWN + 6 * MOST_NEIGHBOURS][LANES];
    int features = DRONE_OWN + 6 * s->neighbours, n = s->env.agents;
    for (int first = 0; first < n; first += LANES) {
        const Block *b = &s->blocks[first / LANES];
        int lanes = n - first < LANES ? n - first : LANES;
        Frame f;
        frame_of(b, &f);
        see_target(b, &f, seen);
        for (int k = 0; k < s->neighbours; k++) {
            int16_t kth[LANES];
            for (int i = 0; i < LANES; i++) kth[i] = i < lanes ? near[s->neighbours * (first + i) + k] : -1;
            see_neighbour(s, b, &f, kth, seen + DRONE_OWN + 6 * k);
        }
        for (int i = 0; i < lanes; i++)
            for (int c = 0; c < features; c++) observation[(first + i) * features + c] = seen[c][i];
    }
}
