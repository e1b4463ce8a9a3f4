/* drone_swarm.h: the swarm's state, and the parts that its environment is made of. Lengths in m, times in s.
 *
 * Drones are kept in blocks of LANES, each of their numbers next to the others' of its kind, so that a block is
 * worked on in vector registers. Lanes past the last drone of the last block are nobody's.
 */
#ifndef MATDESIGN_DRONE_SWARM_H
#define MATDESIGN_DRONE_SWARM_H

#include "clones.h"
#include "env.h"

#define BODY_RADIUS 0.30f
#define ROTOR_RADIUS 0.15f
#define COLLISION_DISTANCE (2.0f * (BODY_RADIUS + ROTOR_RADIUS)) /* 0.9: rotors touch */
#define ON_TARGET (0.5f * COLLISION_DISTANCE)                     /* closer than this, a drone is where it should be */
#define SENSING_RANGE (2.0f * COLLISION_DISTANCE)                 /* farther drones are not seen */

#define DRONE_LIMIT 5.0f /* of an observed number */

/* Into the caller, so that each of its CLONES has a copy of its own. */
#define INLINE static inline __attribute__((always_inline))

enum { DRONE_OWN = 20 }; /* observed numbers but for neighbours */
enum { LANES = 16, MOST_DRONES = 1024, MOST_NEIGHBOURS = 8 };

/* Tasks in the order of their settings; POINTS is flown where target points are given, and then alone. */
enum { IDLE, HOVER, ORBIT, FOLLOW, CUBE, CONGO, FLAG, PLANE, RACE, POINTS, TASKS };
extern const char *const drone_task_names[TASKS];

/* One number of each drone of a block: arithmetic on them goes lane by lane, in whatever registers there are. */
typedef float Lanes __attribute__((vector_size(4 * LANES)));
typedef int32_t IntLanes __attribute__((vector_size(4 * LANES)));

typedef struct {
    Lanes x, y, z;         /* position, world frame, z up */
    Lanes vx, vy, vz;      /* velocity, world frame */
    Lanes qw, qx, qy, qz;  /* attitude: unit quaternion, body to world */
    Lanes wx, wy, wz;      /* angular velocity, body frame, rad/s */
    Lanes lift, drag;      /* thrust and drag per mass over the nominal ones */
    Lanes tx, ty, tz;      /* target */
    Lanes tvx, tvy, tvz;   /* its velocity */
    Lanes bx, by, bz;      /* its place in a formation that moves or is passed through */
    Lanes distance;        /* to the target, after the last step */
    IntLanes gates;        /* race: passed so far */
    uint32_t colour[LANES]; /* 0xRRGGBBAA */
    uint8_t crashed[LANES]; /* left the space in the last step: the next one puts it back */
} Block;

typedef struct {
    Env env;
    Block *blocks;
    float *points;       /* [drones, 3] or NULL */
    uint32_t *colours;   /* of the flag: [drones], or NULL for a white one */
    float weights[TASKS], mass_spread, thrust_spread, drag_spread;
    float near_share, start_tilt;
    float timestep, arena, bound, span; /* half edges of where targets lie and of where drones live; its diagonal */
    float motion[8];                    /* what the task drew at reset */
    int32_t horizon, neighbours, task, tick;
    double returns;                     /* sums over the episode: rewards, */
    int64_t steps, collisions;          /* live drones' steps, those in collision, */
    int32_t crashes;                    /* drones that left */
    float score[TASKS], collision_rate[TASKS]; /* of the last episode of each task; 0 before the first */
} Swarm;

/* One drone's number. */
#define LANE(swarm, field, i) ((swarm)->blocks[(uint32_t)(i) / LANES].field[(uint32_t)(i) % LANES])

/* Where `condition` (a comparison of Lanes) holds `a`, elsewhere `b`. */
#define SELECT(condition, a, b) \
    ((Lanes)(((IntLanes)(Lanes)(a) & (condition)) | ((IntLanes)(Lanes)(b) & ~(condition))))

static inline int drone_blocks(const Swarm *s) { return (s->env.agents + LANES - 1) / LANES; }

/* Between two steps, puts the target of a drone elsewhere: point[3], as drawn. It is seen from the next step on; the
 * move itself earns nothing. Where targets move, it goes on from there; a gate that is passed gives way to the next. */
__attribute__((visibility("default"))) int drone_swarm_move_target(void *env, int drone, const double *point);

/* Advances every drone by one timestep under its thrusts, actions [drones, 4] in [-1, 1]; see drone_physics.c. */
void drones_advance(Block *blocks, int drones, const float *actions, float timestep);

/* For each drone the `count` nearest others within SENSING_RANGE: near [drones, count], nearest first, -1 where there
 * is none; and whether one of all others is within COLLISION_DISTANCE: collides [drones]. */
void drones_sense(const Swarm *s, int count, int16_t *near, uint8_t *collides);

/* Writes all observations; `near` as drones_sense fills it. See drone_observation.c. */
void drones_observe(const Swarm *s, const int16_t *near);

void drone_swarm_draw(Swarm *s, Scene *scene);

#endif
