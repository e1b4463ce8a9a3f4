/* drone_swarm.c: drones fly to the targets of a task, all under one policy; an episode is one task.
 *
 * A drone's actions are the thrusts of its four rotors (drone_physics.c), its observation what it sees of itself, its
 * target and the nearest others (drone_observation.c). Its reward is
 *
 *     (closeness now - closeness before) * factor     factor: 1; while it collides, 0 for a gain and 2 for a loss
 *
 * with closeness = 1 - distance to the target / d_max, where d_max is the diagonal of the space to fly in; a share of
 * it, near_share, is measured by a d_max of NEAR, or the last metre would be too small a part of a flight to be
 * learned. Outside the space closeness is 0.
 *
 * So a collision can only take, and a way out and back gains nothing. Collisions are counted, they change no motion. A
 * drone that leaves the space is put back at a random place by the next step, which has mask 0 for it.
 *
 * perf: drones within ON_TARGET of their targets when the episode ends; in race, gates passed over those at PAR_SPEED.
 * score: 1 m less the final distance, at least 0, averaged (in race: perf), times the fraction of steps without
 * collision. Those of a task are its environment's last ones: 0 before it has been flown there.
 */
#include "drone_tasks.h"

#define NEAR 1.0f /* m */

enum { SCORE, PERF, RETURN, LENGTH, DISTANCE, COLLISION_RATE, CRASHES, TASK_SCORE };
enum { TASK_COLLISIONS = TASK_SCORE + TASKS };

static const char *const drone_swarm_log_names[] = {
    "score", "perf", "episode_return", "episode_length", "distance", "collision_rate", "crashes",
    "score_idle", "score_hover", "score_orbit", "score_follow", "score_cube", "score_congo", "score_flag",
    "score_plane", "score_race", "score_points", "collision_rate_idle", "collision_rate_hover",
    "collision_rate_orbit", "collision_rate_follow", "collision_rate_cube", "collision_rate_congo",
    "collision_rate_flag", "collision_rate_plane", "collision_rate_race", "collision_rate_points", NULL};

#define MOST_WEIGHT 1e6
#define WEIGHT(task, what) \
    {.name = task, .value = 1, .low = 0, .high = MOST_WEIGHT, .help = "weight of the task in the draw at reset: " what}

static const Setting drone_swarm_settings[] = {
    {.name = "drones", .value = 64, .low = 1, .high = MOST_DRONES, .help = "drones of a swarm",
     .count = SETTING_INTEGER},
    {.name = "horizon", .value = 500, .low = 1, .high = 2000, .help = "steps of an episode", .count = SETTING_INTEGER},
    {.name = "timestep", .value = 0.04, .low = 0.001, .high = 0.1, .help = "time between actions, s"},
    {.name = "neighbours", .value = 4, .low = 0, .high = MOST_NEIGHBOURS, .help = "nearest drones observed, k",
     .count = SETTING_INTEGER},
    {.name = "near_share", .value = 0.2, .low = 0, .high = 1,
     .help = "share of the reward for the last metre to a target"},
    WEIGHT("idle", "stay at the start"),
    WEIGHT("hover", "a random point for each"),
    WEIGHT("orbit", "a turning sphere"),
    WEIGHT("follow", "a sphere about a moving target"),
    WEIGHT("cube", "a filled cubic lattice"),
    WEIGHT("congo", "each follows the one ahead along a helix"),
    WEIGHT("flag", "an upright grid, 2 : 3"),
    WEIGHT("plane", "a tilted square grid"),
    WEIGHT("race", "lanes through gates in a ring"),
    {.name = "points", .low = -1000, .high = 1000, .count = SETTING_ARRAY,
     .help = "x, y, z of one target for each drone, m: flown in place of all tasks"},
    {.name = "colours", .low = 0, .high = 1, .count = SETTING_ARRAY,
     .help = "r, g, b of each drone's target in flag, row by row (env.settings.flag_image fills it)"},
    {.name = "start_tilt", .value = 0, .low = 0, .high = 3.1416, .help = "largest tilt of a drone that starts, rad"},
    {.name = "mass_spread", .value = 0, .low = 0, .high = 0.9, .help = "each drone's mass is 1 +- this times nominal"},
    {.name = "thrust_spread", .value = 0, .low = 0, .high = 0.9, .help = "the same for the thrust of its rotors"},
    {.name = "drag_spread", .value = 0, .low = 0, .high = 0.9, .help = "the same for its drag"},
    {0},
};

/* Half edge of the cube about the origin in which drones start and targets lie, and how far beyond it they may fly. */
static float arena_of(int drones) { return drones > 64 ? 3.0f * cbrtf((float)drones) : 12.0f; }
#define MARGIN 5.0f

static int check_points(const double *points, int drones, char *error, size_t error_bytes) {
    double bound = (double)arena_of(drones) + (double)MARGIN - 1.0;
    for (int i = 0; i < drones; i++) {
        for (int d = 0; d < 3; d++)
            if (fabs(points[3 * i + d]) > bound) {
                snprintf(error, error_bytes, "points: point %d has a coordinate of %g m: give -%g to %g m, or scale "
                         "them", i, points[3 * i + d], bound, bound);
                return -1;
            }
        for (int j = 0; j < i; j++) {
            double x = points[3 * i] - points[3 * j], y = points[3 * i + 1] - points[3 * j + 1];
            double z = points[3 * i + 2] - points[3 * j + 2], distance = sqrt(x * x + y * y + z * z);
            if (distance > (double)COLLISION_DISTANCE) continue;
            snprintf(error, error_bytes, "points %d and %d are %g m apart, drones collide at %g m: scale them up", j, i,
                     distance, (double)COLLISION_DISTANCE);
            return -1;
        }
    }
    return 0;
}

static int drone_swarm_spaces(const Settings *settings, Spaces *spaces, char *error, size_t error_bytes) {
    int drones = (int)setting_number(settings, "drones"), neighbours = (int)setting_number(settings, "neighbours");
    double weight = 0.0;
    for (int task = 0; task < POINTS; task++) weight += setting_number(settings, drone_task_names[task]);
    if (weight <= 0.0) {
        snprintf(error, error_bytes, "the weights of all tasks are 0: set one of idle, hover, orbit ... to 1");
        return -1;
    }
    int64_t count, colours;
    const double *points = setting_array(settings, "points", &count);
    setting_array(settings, "colours", &colours);
    if ((count && count != 3 * drones) || (colours && colours != 3 * drones)) {
        snprintf(error, error_bytes, "%s has %lld numbers: give 3 for each of %d drones", count ? "points" : "colours",
                 (long long)(count ? count : colours), drones);
        return -1;
    }
    if (points && check_points(points, drones, error, error_bytes) != 0) return -1;
    *spaces = (Spaces){.agents = drones, .features = DRONE_OWN + 6 * neighbours, .action_dims = 4,
                       .low = -DRONE_LIMIT, .high = DRONE_LIMIT, .first_neighbour = DRONE_OWN,
                       .neighbours = neighbours, .neighbour_columns = 6};
    return 0;
}

static int drone_swarm_init(Swarm *s, const Settings *settings, char *error, size_t error_bytes) {
    int drones = s->env.agents;
    int64_t points, colours;
    const double *point = setting_array(settings, "points", &points);
    const double *colour = setting_array(settings, "colours", &colours);
    s->horizon = (int32_t)setting_number(settings, "horizon");
    s->neighbours = (int32_t)setting_number(settings, "neighbours");
    s->timestep = (float)setting_number(settings, "timestep");
    s->mass_spread = (float)setting_number(settings, "mass_spread");
    s->thrust_spread = (float)setting_number(settings, "thrust_spread");
    s->drag_spread = (float)setting_number(settings, "drag_spread");
    s->start_tilt = (float)setting_number(settings, "start_tilt");
    s->near_share = (float)setting_number(settings, "near_share");
    s->arena = arena_of(drones);
    s->bound = s->arena + MARGIN;
    s->span = 2.0f * sqrtf(3.0f) * s->bound;
    for (int task = 0; task < POINTS && !point; task++)
        s->weights[task] = (float)setting_number(settings, drone_task_names[task]);
    s->weights[POINTS] = point ? 1.0f : 0.0f;
    size_t bytes = sizeof(Block) * (size_t)drone_blocks(s);
    s->blocks = aligned_alloc(64, bytes);
    s->points = point ? malloc(sizeof(float) * (size_t)points) : NULL;
    s->colours = colour ? malloc(sizeof(uint32_t) * (size_t)drones) : NULL;
    if (!s->blocks || (point && !s->points) || (colour && !s->colours)) {
        snprintf(error, error_bytes, "no memory for %d drones: ask for fewer environments", drones);
        return -1;
    }
    memset(s->blocks, 0, bytes);
    for (int64_t i = 0; i < points; i++) s->points[i] = (float)point[i];
    for (int64_t i = 0; i < colours; i += 3) {
        uint32_t byte[3];
        for (int c = 0; c < 3; c++) byte[c] = (uint32_t)(255.0 * colour[i + c] + 0.5);
        s->colours[i / 3] = byte[0] << 24 | byte[1] << 16 | byte[2] << 8 | 0xFF;
    }
    return 0;
}

/* A random place for drone i, FREE_DISTANCE away from each of the first `others` but itself. */
static void place(Swarm *s, int i, int others) {
    float to[3];
    int free;
    do {
        for (int d = 0; d < 3; d++) to[d] = s->arena * (float)(2.0 * random_uniform(&s->env.random) - 1.0);
        free = 1;
        for (int j = 0; j < others && free; j++) {
            float x = LANE(s, x, j) - to[0], y = LANE(s, y, j) - to[1], z = LANE(s, z, j) - to[2];
            free = j == i || x * x + y * y + z * z > FREE_DISTANCE * FREE_DISTANCE;
        }
    } while (!free);
    LANE(s, x, i) = to[0], LANE(s, y, i) = to[1], LANE(s, z, i) = to[2];
}

/* At rest, heading anywhere and tilted to any side. */
static void settle(Swarm *s, int i) {
    const double pi = 3.141592653589793;
    double half = pi * random_uniform(&s->env.random), side = half + 2.0 * pi * random_uniform(&s->env.random);
    double tilt = 0.5 * (double)s->start_tilt * random_uniform(&s->env.random);
    LANE(s, vx, i) = LANE(s, vy, i) = LANE(s, vz, i) = LANE(s, wx, i) = LANE(s, wy, i) = LANE(s, wz, i) = 0.0f;
    LANE(s, qw, i) = (float)(cos(tilt) * cos(half)), LANE(s, qz, i) = (float)(cos(tilt) * sin(half));
    LANE(s, qx, i) = (float)(sin(tilt) * cos(side)), LANE(s, qy, i) = (float)(sin(tilt) * sin(side));
    LANE(s, crashed, i) = 0;
}

#define SWAP(s, field, i, j) \
    do { \
        float kept = LANE(s, field, i); \
        LANE(s, field, i) = LANE(s, field, j), LANE(s, field, j) = kept; \
    } while (0)

/* Exchanges starts until no pair's exchange makes its two flights shorter in sum of squares: paths don't cross. */
static void exchange_starts(Swarm *s) {
    int n = s->env.agents, changed = 1;
    for (int pass = 0; pass < 16 && changed; pass++) {
        changed = 0;
        for (int i = 1; i < n; i++)
            for (int j = 0; j < i; j++) {
                float x = (LANE(s, x, i) - LANE(s, x, j)) * (LANE(s, tx, i) - LANE(s, tx, j));
                float y = (LANE(s, y, i) - LANE(s, y, j)) * (LANE(s, ty, i) - LANE(s, ty, j));
                float z = (LANE(s, z, i) - LANE(s, z, j)) * (LANE(s, tz, i) - LANE(s, tz, j));
                if (x + y + z >= 0.0f) continue;
                SWAP(s, x, i, j);
                SWAP(s, y, i, j);
                SWAP(s, z, i, j);
                changed = 1;
            }
    }
}

static float distance_to_target(const Swarm *s, int i) {
    float x = LANE(s, tx, i) - LANE(s, x, i), y = LANE(s, ty, i) - LANE(s, y, i), z = LANE(s, tz, i) - LANE(s, z, i);
    return sqrtf(x * x + y * y + z * z);
}

int drone_swarm_move_target(void *env, int drone, const double *point) {
    Swarm *s = env;
    float x = (float)point[0], y = (float)point[1], z = (float)point[2];
    LANE(s, bx, drone) += x - LANE(s, tx, drone), LANE(s, tx, drone) = x;
    LANE(s, by, drone) += y - LANE(s, ty, drone), LANE(s, ty, drone) = y;
    LANE(s, bz, drone) += z - LANE(s, tz, drone), LANE(s, tz, drone) = z;
    LANE(s, distance, drone) = distance_to_target(s, drone);
    return 0;
}

static float around_one(Swarm *s, float spread) {
    return 1.0f + spread * (float)(2.0 * random_uniform(&s->env.random) - 1.0);
}

static void drone_swarm_reset(Swarm *s) {
    int n = s->env.agents;
    int16_t near[MOST_DRONES * MOST_NEIGHBOURS];
    uint8_t collides[MOST_DRONES];
    s->tick = 0;
    s->returns = 0.0;
    s->steps = s->collisions = 0;
    s->crashes = 0;
    if (s->env.seeded) memset(s->score, 0, sizeof s->score), memset(s->collision_rate, 0, sizeof s->collision_rate);
    drone_task_begin(s);
    for (int i = 0; i < n; i++) place(s, i, i);
    if (s->task != IDLE) exchange_starts(s);
    for (int i = 0; i < n; i++) {
        settle(s, i);
        float mass = around_one(s, s->mass_spread), thrust = around_one(s, s->thrust_spread);
        LANE(s, lift, i) = thrust / mass, LANE(s, drag, i) = around_one(s, s->drag_spread) / mass;
        if (s->task == IDLE)
            LANE(s, tx, i) = LANE(s, x, i), LANE(s, ty, i) = LANE(s, y, i), LANE(s, tz, i) = LANE(s, z, i);
        LANE(s, distance, i) = distance_to_target(s, i);
    }
    drones_sense(s, s->neighbours, near, collides);
    drones_observe(s, near);
}

static inline float closeness(const Swarm *s, float distance) {
    float near = distance < NEAR ? distance : NEAR;
    return 1.0f - (1.0f - s->near_share) / s->span * distance - s->near_share / NEAR * near;
}

static void drone_swarm_reward(Swarm *s, const uint8_t *collides) {
    for (int i = 0; i < s->env.agents; i++) {
        float before = LANE(s, distance, i), now = distance_to_target(s, i), bound = s->bound;
        LANE(s, distance, i) = now;
        if (!s->env.masks[i]) continue;
        int outside = (fabsf(LANE(s, x, i)) > bound) | (fabsf(LANE(s, y, i)) > bound) | (fabsf(LANE(s, z, i)) > bound);
        float gain = (outside ? 0.0f : closeness(s, now)) - closeness(s, before);
        s->env.rewards[i] = collides[i] ? (gain > 0.0f ? 0.0f : 2.0f * gain) : gain;
        s->returns += (double)s->env.rewards[i];
        s->collisions += collides[i];
        s->steps++;
        LANE(s, crashed, i) = (uint8_t)outside;
        s->crashes += outside;
        if (s->task == RACE && now < GATE_RADIUS) {
            drone_pass_gate(s, i);
            LANE(s, distance, i) = distance_to_target(s, i);
        }
    }
}

static int ascending(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void drone_swarm_end(Swarm *s) {
    int n = s->env.agents;
    float distances[MOST_DRONES], score = 0.0f, perf = 0.0f;
    for (int i = 0; i < n; i++) {
        float distance = distances[i] = LANE(s, distance, i);
        score += distance < 1.0f ? 1.0f - distance : 0.0f;
        perf += distance < ON_TARGET;
    }
    qsort(distances, (size_t)n, sizeof(float), ascending);
    score /= (float)n, perf /= (float)n;
    if (s->task == RACE) score = perf = drone_race_progress(s);
    s->collision_rate[s->task] = s->steps ? (float)((double)s->collisions / (double)s->steps) : 0.0f;
    s->score[s->task] = score * (1.0f - s->collision_rate[s->task]);
    env_log(&s->env, SCORE, s->score[s->task]);
    env_log(&s->env, PERF, perf);
    env_log(&s->env, RETURN, s->returns / n);
    env_log(&s->env, LENGTH, s->tick);
    env_log(&s->env, DISTANCE, 0.5 * (double)(distances[(n - 1) / 2] + distances[n / 2]));
    env_log(&s->env, COLLISION_RATE, s->collision_rate[s->task]);
    env_log(&s->env, CRASHES, (double)s->crashes / n);
    for (int task = 0; task < TASKS; task++) {
        env_log(&s->env, TASK_SCORE + task, s->score[task]);
        env_log(&s->env, TASK_COLLISIONS + task, s->collision_rate[task]);
    }
    env_log_episode(&s->env);
    env_truncate(&s->env);
}

static void drone_swarm_step(Swarm *s) {
    int n = s->env.agents;
    int16_t near[MOST_DRONES * MOST_NEIGHBOURS];
    uint8_t collides[MOST_DRONES];
    drones_advance(s->blocks, n, s->env.actions, s->timestep);
    for (int i = 0; i < n; i++) {
        if (!LANE(s, crashed, i)) continue;
        place(s, i, n);
        settle(s, i);
        s->env.masks[i] = 0;
    }
    s->tick++;
    drone_task_move(s);
    drones_sense(s, s->neighbours, near, collides);
    drone_swarm_reward(s, collides);
    drones_observe(s, near);
    if (s->tick >= s->horizon) drone_swarm_end(s);
}

/* 1 where the drone is about where it may fly, and moves and is built as drones do. */
static int drone_sound(const Swarm *s, int i) {
    const float place = s->bound + 1000.0f, speed = 1000.0f, rate = 100.0f, target = 1e6f, build = 100.0f;
    const float values[] = {
        LANE(s, x, i) / place,    LANE(s, y, i) / place,    LANE(s, z, i) / place,    LANE(s, vx, i) / speed,
        LANE(s, vy, i) / speed,   LANE(s, vz, i) / speed,   LANE(s, wx, i) / rate,    LANE(s, wy, i) / rate,
        LANE(s, wz, i) / rate,    LANE(s, tx, i) / target,  LANE(s, ty, i) / target,  LANE(s, tz, i) / target,
        LANE(s, tvx, i) / target, LANE(s, tvy, i) / target, LANE(s, tvz, i) / target, LANE(s, bx, i) / target,
        LANE(s, by, i) / target,  LANE(s, bz, i) / target,  LANE(s, lift, i) / build, LANE(s, drag, i) / build,
    };
    int sound = 1;
    for (size_t k = 0; k < sizeof values / sizeof values[0]; k++) sound &= fabsf(values[k]) <= 1.0f;
    float w = LANE(s, qw, i), x = LANE(s, qx, i), y = LANE(s, qy, i), z = LANE(s, qz, i);
    return sound && fabsf(w * w + x * x + y * y + z * z - 1.0f) < 0.1f && abs(LANE(s, gates, i)) <= s->horizon;
}

static void drone_swarm_serialize(Swarm *s, Archive *archive) {
    archive_integer(archive, &s->task, 0, TASKS - 1);
    archive_integer(archive, &s->tick, 0, s->horizon);
    archive_integer(archive, &s->crashes, 0, s->tick * s->env.agents);
    archive_require(archive, s->weights[s->task] > 0.0f);
    ARCHIVE(archive, s->motion);
    ARCHIVE(archive, s->returns);
    ARCHIVE(archive, s->steps);
    ARCHIVE(archive, s->collisions);
    ARCHIVE(archive, s->score);
    ARCHIVE(archive, s->collision_rate);
    archive_bytes(archive, s->blocks, sizeof(Block) * (size_t)drone_blocks(s));
    for (int i = 0; i < s->env.agents; i++) archive_require(archive, drone_sound(s, i));
    int64_t most = (int64_t)s->tick * s->env.agents;
    archive_require(archive, s->steps >= 0 && s->steps <= most && s->collisions >= 0 && s->collisions <= s->steps);
}

static void drone_swarm_close(Swarm *s) {
    free(s->blocks);
    free(s->points);
    free(s->colours);
}

ENVIRONMENT(drone_swarm, Swarm, "quadrotors fly formations and races, avoiding each other")
