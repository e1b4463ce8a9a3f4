/* drone_tasks.c: each task is a rule that gives every drone its target. Any two targets of a task are farther apart
 * than COLLISION_DISTANCE at any time; all but those of the given points lie about the arena's middle.
 *
 *     idle    where the drone started                       congo   one behind the other along a rising helix: each is
 *     hover   random points                                         where the one ahead was a moment ago
 *     orbit   a sphere that turns                           flag    a grid of 2 : 3, upright, coloured by an image
 *     follow  a sphere about one moving target              plane   a square grid, tilted at random
 *     cube    a filled cubic lattice                        race    lanes through a ring of gates, as often as possible
 *     points  the points given
 */
#include "drone_tasks.h"

#define SPACING 1.5f      /* of grids and of the line of congo */
#define CUBE_SPACING 2.0f
#define LANE_SPACING 1.2f /* of the lanes through a gate */
#define SPEED 1.5f        /* of the targets of orbit and congo, m/s */
#define PITCH 2.0f        /* of the helix */
#define PI 3.14159265f

const char *const drone_task_names[TASKS] = {"idle", "hover", "orbit", "follow", "cube",
                                             "congo", "flag", "plane", "race", "points"};

static const uint32_t task_colours[TASKS] = {0x9AA5B1FF, 0x30C0E0FF, 0xE0A030FF, 0xE05040FF, 0x50B060FF,
                                             0xB060D0FF, 0xFFFFFFFF, 0x4080E0FF, 0xF0D040FF, 0xE06090FF};

/* Rows and columns of the flag: 2 : 3, as near as the number allows. */
static int flag_rows(int drones) { return (int)ceil(sqrt(2.0 * drones / 3.0) - 1e-9); }

static int whole_root(int drones, double power) { return (int)ceil(pow(drones, power) - 1e-9); }

/* Place of drone i in its formation, about the origin; z is up. */
static void place_in_formation(const Swarm *s, int i, float place[3]) {
    int n = s->env.agents;
    place[0] = place[1] = place[2] = 0.0f;
    if (s->task == ORBIT || s->task == FOLLOW) { /* a spiral from pole to pole, in steps of the golden angle */
        float radius = 0.6f * sqrtf((float)n), z = 1.0f - (2.0f * (float)i + 1.0f) / (float)n;
        float circle = sqrtf(1.0f - z * z), angle = 2.39996323f * (float)i;
        place[0] = radius * circle * cosf(angle), place[1] = radius * circle * sinf(angle), place[2] = radius * z;
    } else if (s->task == CUBE) {
        int edge = whole_root(n, 1.0 / 3.0);
        int cell[3] = {i % edge, i / edge % edge, i / (edge * edge)};
        for (int d = 0; d < 3; d++) place[d] = CUBE_SPACING * ((float)cell[d] - 0.5f * (float)(edge - 1));
    } else if (s->task == CONGO) {
        float radius = 0.5f * s->arena, rise = PITCH / (2.0f * PI), path = sqrtf(radius * radius + rise * rise);
        float travel = SPEED * s->timestep * (float)s->horizon, length = SPACING * (float)(n - 1) + travel;
        float along = SPACING * (float)(n - 1 - i);
        place[0] = radius * cosf(along / path), place[1] = radius * sinf(along / path);
        place[2] = rise * (along - 0.5f * length) / path;
    } else if (s->task == FLAG) {
        int rows = flag_rows(n), columns = (n + rows - 1) / rows, row = i / columns;
        int here = row < n / columns ? columns : n % columns; /* the last row may be short */
        place[0] = SPACING * ((float)(i % columns) - 0.5f * (float)(here - 1));
        place[2] = SPACING * (0.5f * (float)(rows - 1) - (float)row);
    } else if (s->task == PLANE) {
        int edge = whole_root(n, 0.5);
        place[0] = SPACING * ((float)(i % edge) - 0.5f * (float)(edge - 1));
        place[1] = SPACING * ((float)(i / edge) - 0.5f * (float)(edge - 1));
    } else if (s->task == RACE) { /* x: radius of the lane, z: its height */
        int levels = (int)(2.0f * (s->arena - 1.0f) / LANE_SPACING) + 1, used = n < levels ? n : levels;
        int lanes = (n + levels - 1) / levels;
        place[0] = 0.6f * s->arena + LANE_SPACING * ((float)(i / levels) - 0.5f * (float)(lanes - 1));
        place[2] = LANE_SPACING * ((float)(i % levels) - 0.5f * (float)(used - 1));
    }
}

static void draw_hover_points(Swarm *s) {
    for (int i = 0; i < s->env.agents; i++) {
        float place[3];
        int free;
        do {
            for (int d = 0; d < 3; d++) place[d] = s->arena * (float)(2.0 * random_uniform(&s->env.random) - 1.0);
            free = 1;
            for (int j = 0; j < i && free; j++) {
                float x = LANE(s, tx, j) - place[0], y = LANE(s, ty, j) - place[1], z = LANE(s, tz, j) - place[2];
                free = x * x + y * y + z * z > FREE_DISTANCE * FREE_DISTANCE;
            }
        } while (!free);
        LANE(s, tx, i) = place[0], LANE(s, ty, i) = place[1], LANE(s, tz, i) = place[2];
    }
}

static void draw_task(Swarm *s) {
    float total = 0.0f, mark;
    for (int task = 0; task < TASKS; task++) total += s->weights[task];
    mark = total * (float)random_uniform(&s->env.random);
    for (s->task = 0; s->task < TASKS - 1 && mark >= s->weights[s->task]; s->task++) mark -= s->weights[s->task];
    while (s->weights[s->task] == 0.0f) s->task--; /* rounding may have run past the last one that is flown */
}

void drone_task_begin(Swarm *s) {
    draw_task(s);
    for (int i = 0; i < 8; i++) s->motion[i] = (float)random_uniform(&s->env.random);
    float yaw = 2.0f * PI * s->motion[3], tilt = s->task == PLANE ? PI / 3.0f * s->motion[4] : 0.0f;
    float c = cosf(yaw), sn = sinf(yaw), ct = cosf(tilt), st = sinf(tilt);
    int moves = s->task == ORBIT || s->task == FOLLOW || s->task == CONGO;
    int about_middle = s->task == RACE || s->task == CONGO;
    for (int d = 0; d < 3; d++) s->motion[d] = about_middle ? 0.0f : 4.0f * s->motion[d] - 2.0f;
    if (s->task == HOVER) draw_hover_points(s);
    for (int i = 0; i < s->env.agents; i++) {
        LANE(s, tvx, i) = LANE(s, tvy, i) = LANE(s, tvz, i) = 0.0f;
        LANE(s, gates, i) = 0;
        LANE(s, colour, i) = s->task == FLAG && s->colours ? s->colours[i] : task_colours[s->task];
        if (s->task == IDLE || s->task == HOVER) continue;
        float p[3];
        place_in_formation(s, i, p);
        float x = c * p[0] - sn * (ct * p[1] - st * p[2]), y = sn * p[0] + c * (ct * p[1] - st * p[2]);
        float z = st * p[1] + ct * p[2];
        if (s->task == POINTS) x = s->points[3 * i], y = s->points[3 * i + 1], z = s->points[3 * i + 2];
        else if (!moves) x += s->motion[0], y += s->motion[1], z += s->motion[2];
        LANE(s, bx, i) = LANE(s, tx, i) = x, LANE(s, by, i) = LANE(s, ty, i) = y, LANE(s, bz, i) = LANE(s, tz, i) = z;
    }
    drone_task_move(s);
}

/* The formation turns about the vertical at `rate` and rises at `climb`. */
static void screw(Swarm *s, float rate, float climb) {
    float time = s->timestep * (float)s->tick, c = cosf(rate * time), sn = sinf(rate * time);
    for (Block *b = s->blocks; b < s->blocks + drone_blocks(s); b++) {
        Lanes x = c * b->bx - sn * b->by, y = sn * b->bx + c * b->by;
        b->tx = s->motion[0] + x, b->ty = s->motion[1] + y, b->tz = s->motion[2] + climb * time + b->bz;
        b->tvx = -rate * y, b->tvy = rate * x, b->tvz = (Lanes){0} + climb;
    }
}

/* The formation's middle runs along a Lissajous figure. */
static void glide(Swarm *s) {
    static const float rates[3] = {0.30f, 0.40f, 0.50f}, share[3] = {0.33f, 0.33f, 0.15f};
    float place[3], velocity[3], time = s->timestep * (float)s->tick;
    for (int d = 0; d < 3; d++) {
        float angle = rates[d] * time + 2.0f * PI * s->motion[5 + d], reach = share[d] * s->arena;
        place[d] = reach * sinf(angle), velocity[d] = reach * rates[d] * cosf(angle);
    }
    for (Block *b = s->blocks; b < s->blocks + drone_blocks(s); b++) {
        b->tx = b->bx + place[0], b->ty = b->by + place[1], b->tz = b->bz + place[2];
        b->tvx = (Lanes){0} + velocity[0], b->tvy = (Lanes){0} + velocity[1], b->tvz = (Lanes){0} + velocity[2];
    }
}

void drone_task_move(Swarm *s) {
    float radius = 0.5f * s->arena, rise = PITCH / (2.0f * PI), turn = SPEED / sqrtf(radius * radius + rise * rise);
    if (s->task == ORBIT) screw(s, SPEED / (0.6f * sqrtf((float)s->env.agents)), 0.0f);
    if (s->task == CONGO) screw(s, turn, rise * turn);
    if (s->task == FOLLOW) glide(s);
}

void drone_pass_gate(Swarm *s, int i) {
    float angle = 2.0f * PI / GATES * (float)(++LANE(s, gates, i) % GATES), c = cosf(angle), sn = sinf(angle);
    LANE(s, tx, i) = c * LANE(s, bx, i) - sn * LANE(s, by, i);
    LANE(s, ty, i) = sn * LANE(s, bx, i) + c * LANE(s, by, i);
}

float drone_race_progress(const Swarm *s) {
    float gap = 2.0f * 0.6f * s->arena * sinf(PI / GATES), passed = 0.0f;
    for (int i = 0; i < s->env.agents; i++) passed += (float)LANE(s, gates, i);
    float expected = PAR_SPEED * s->timestep * (float)s->horizon / gap, mean = passed / (float)s->env.agents;
    return mean < expected ? mean / expected : 1.0f;
}
