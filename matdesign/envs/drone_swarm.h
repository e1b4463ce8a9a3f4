/* drone_swarm.h: the swarm's state, and the parts that its environment is made of. Lengths in m, times in s.
 *
 * Drones are kept in blocks of LANES, array by array, so that every loop over a block fills vector registers. Lanes
 * past the last drone of the last block hold a drone that nobody sees.
 */
#ifndef MATDESIGN_DRONE_SWARM_H
#define MATDESIGN_DRONE_SWARM_H

#include "clones.h"
#include "env.h"

#define BODY_RADIUS 0.30f
#define ROTOR_RADIUS 0.15f
#define COLLISION_DISTANCE (2.0f * (BODY_RADIUS + ROTOR_RADIUS)) /* 0.9: rotors touch */
#define ON_TARGET (0.5f * COLLISION_DISTANCE)                     /* closer than this, a drone is where it should be */
#define SENSING_RANGE 2.5f                                        /* farther drones are not seen */

#define DRONE_LIMIT 5.0f /* of an observed number */

enum { DRONE_OWN = 18 }; /* observed numbers but for neighbours */
enum { LANES = 16, MOST_DRONES = 1024, MOST_NEIGHBOURS = 8 };

/* Tasks in the order of their settings; POINTS is flown where target points are given, and then alone. */
enum { IDLE, HOVER, ORBIT, FOLLOW, CUBE, CONGO, FLAG, PLANE, RACE, POINTS, TASKS };
extern const char *const drone_task_names[TASKS];

typedef struct {
    float x[LANES], y[LANES], z[LANES];                    /* position, world frame, z up */
    float vx[LANES], vy[LANES], vz[LANES];                 /* velocity, world frame */
    float qw[LANES], qx[LANES], qy[LANES], qz[LANES];      /* attitude: unit quaternion, body to world */
    float wx[LANES], wy[LANES], wz[LANES];                 /* angular velocity, body frame, rad/s */
    float lift[LANES], drag[LANES];                        /* thrust and drag per mass over the nominal ones */
    float tx[LANES], ty[LANES], tz[LANES];                 /* target */
    float tvx[LANES], tvy[LANES], tvz[LANES];              /* its velocity */
    float bx[LANES], by[LANES], bz[LANES];                 /* its place in a formation that moves or is passed through */
    float distance[LANES];                                 /* to the target, after the last step */
    int32_t gates[LANES];                                  /* race: passed so far */
    uint32_t colour[LANES];                                /* 0xRRGGBBAA */
    uint8_t crashed[LANES];                                /* left the arena in the last step: the next one replaces it */
} Block;

typedef struct {
    Env env;
    Block *blocks;
    float *points;       /* [drones, 3] or NULL */
    uint32_t *colours;   /* flag: [drones] or NULL for the striped one */
    float weights[TASKS], spread_mass, spread_thrust, spread_drag;
    float timestep, arena, bound, span; /* half edges of where targets lie and of where drones live; its diagonal */
    float motion[8];                    /* what the task drew at reset */
    int32_t horizon, neighbours, task, tick;
    double returns;                     /* sums over the episode: rewards, */
    int64_t steps, collisions;          /* live drones' steps, those in collision, */
    int32_t crashes;                    /* drones that left */
    float score[TASKS], collision_rate[TASKS]; /* of the last episode of each task; 0 before the first */
} Swarm;

/* One drone's lane. */
#define LANE(swarm, field, i) ((swarm)->blocks[(i) / LANES].field[(i) % LANES])

static inline int drone_blocks(const Swarm *s) { return (s->env.agents + LANES - 1) / LANES; }

/* Advances every drone by one timestep under its thrusts, actions [drones, 4] in [-1, 1]; see drone_physics.c. */
void drones_advance(Block *blocks, int drones, const float *actions, float timestep);

/* For each drone the `count` nearest others within SENSING_RANGE: near [drones, count], nearest first, -1 where there
 * is none; and whether one of all others is within COLLISION_DISTANCE: collides [drones]. */
void drones_sense(const Swarm *s, int count, int16_t *near, uint8_t *collides);

/* Writes all observations; `near` as drones_sense fills it. See drone_observation.c. */
void drones_observe(const Swarm *s, const int16_t *near);

void drone_swarm_draw(Swarm *s, Scene *scene);

#endif
