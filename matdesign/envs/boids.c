/* boids.c: birds that see their neighbours learn to flock. Reynolds' three rules (1987, doi:10.1145/37402.37406),
 * cohesion, alignment and separation, are rewards here; with `rules` the rules themselves fly the birds.
 *
 * The length unit is the visual range, the time unit a step. Birds fly in a periodic square that holds `crowd` birds for
 * each circle of that range, if they are spread evenly, and is 2 wide at least. Others within the visual range are
 * neighbours; those within 0.2 are too close. The speed is 0.075 to 0.15, the proportions of V. Hunter Adams' boids
 * (Cornell University, ECE 4760). The action is the change of velocity, forward and to the left, in units of 0.03; its
 * parts are cut to [-1, 1].
 *
 * With c the mean offset of the n neighbours, u their mean velocity, v_max the largest speed, h the own heading and
 * k = sum of 1 - (d / 0.2)^2 over those too close, the terms are, each from 0 to 1, and 0 where n = 0:
 *
 *     cohesion 1 - |c|^2,   alignment max(0, u . h) / v_max,   separation 1 - min(1, k)
 *
 * The reward is their mean with the weights of the settings; perf is their plain mean over birds and steps. Separation
 * falls with every bird that is too close, so crowding together does not pay; flying alone earns nothing.
 *
 * Observation, in the frame of the heading: own speed / v_max; n / 16; c (forward, left); (u - v) / v_max; push: the sum
 * of (1 - (d / 0.2)^2) * -offset / 0.2 over those too close. With `rules` each step begins by writing the actions
 * 0.3 c + 10 (u - v) / v_max + 30 push, the weights of highest perf among 27 tried.
 */
#include "env.h"

enum { FEATURES = 8, LANES = 4, MOST_CELLS = 128 };
enum { LOG_SCORE, LOG_PERF, LOG_RETURN, LOG_LENGTH, LOG_COHESION, LOG_ALIGNMENT, LOG_SEPARATION, LOG_POLARISATION };

#define TOO_CLOSE 0.2f
#define FASTEST 0.15f
#define SLOWEST 0.075f
#define AGILITY 0.03f
#define OUT_OF_SIGHT 1e6f

typedef float Floats __attribute__((vector_size(4 * LANES)));
typedef int32_t Ints __attribute__((vector_size(4 * LANES)));

typedef struct {
    Env env;
    int32_t cells, horizon, rules, tick; /* cells: along each edge of the grid; 1: no grid, all pairs */
    float edge, density, weights[3]; /* density: cells for each unit of length */
    double sums[4]; /* of cohesion, alignment, separation, polarisation over steps and birds of this episode */
    float *x, *y, *vx, *vy;               /* [agents] */
    float *hx, *hy, *speed;               /* [agents] heading, of length 1, and speed: vx = hx * speed */
    float *forward, *left;                /* [agents] actions, cut from below */
    /* Without a grid the next two are x, y, vx and vy themselves: every bird is a candidate, in its own order. */
    float *sorted_x, *sorted_y, *sorted_vx, *sorted_vy; /* [agents] places and velocities cell by cell */
    float *near_x, *near_y, *near_vx, *near_vy; /* [agents] candidates for neighbours of one cell's birds */
    float *block;                         /* holds all of these */
    int32_t *cell, *order;                /* [agents] grid cell of each bird; bird of each sorted place */
    int32_t *first;                       /* [cells * cells + 1] first sorted place of each cell */
} Boids;

static const char *const boids_log_names[] = {"score", "perf", "episode_return", "episode_length", "cohesion",
                                              "alignment", "separation", "polarisation", NULL};

static const Setting boids_settings[] = {
    {.name = "birds", .value = 256, .low = 1, .high = 65536, .help = "birds in the square", .count = SETTING_INTEGER},
    {.name = "crowd", .value = 6, .low = 0.01, .high = 100, .help = "birds for each circle of the visual range"},
    {.name = "cohesion", .value = 1, .low = 0, .high = 1000, .help = "weight of staying in the middle of neighbours"},
    {.name = "alignment", .value = 1, .low = 0, .high = 1000, .help = "weight of flying their way"},
    {.name = "separation", .value = 1, .low = 0, .high = 1000, .help = "weight of not being too close"},
    {.name = "rules", .value = 0, .low = 0, .high = 1, .help = "1: Reynolds' rules write the actions",
     .count = SETTING_INTEGER},
    {.name = "horizon", .value = 500, .low = 1, .high = 1e6, .help = "steps of an episode", .count = SETTING_INTEGER},
    {0},
};

static int boids_spaces(const Settings *settings, Spaces *spaces, char *error, size_t error_bytes) {
    if (setting_number(settings, "cohesion") + setting_number(settings, "alignment") +
            setting_number(settings, "separation") == 0) {
        snprintf(error, error_bytes, "cohesion, alignment and separation are all 0: give at least one of them a weight");
        return -1;
    }
    *spaces = (Spaces){.agents = (int32_t)setting_number(settings, "birds"), .features = FEATURES, .action_dims = 2,
                       .low = -INFINITY, .high = INFINITY};
    return 0;
}

static int boids_init(Boids *b, const Settings *settings, char *error, size_t error_bytes) {
    int32_t birds = b->env.agents;
    double edge = sqrt(3.141592653589793 * birds / setting_number(settings, "crowd"));
    b->edge = (float)fmax(edge, 2.0);
    b->cells = b->edge < 3.0f ? 1 : b->edge < MOST_CELLS ? (int32_t)b->edge : MOST_CELLS;
    b->density = (float)b->cells / b->edge;
    b->horizon = (int32_t)setting_number(settings, "horizon");
    b->rules = (int32_t)setting_number(settings, "rules");
    static const char *const names[3] = {"cohesion", "alignment", "separation"};
    double total = 0.0;
    for (int k = 0; k < 3; k++) total += setting_number(settings, names[k]);
    for (int k = 0; k < 3; k++) b->weights[k] = (float)(setting_number(settings, names[k]) / total);
    /* One block; rows of floats have room for the rounds of LANES that go too far. */
    float **own[] = {&b->x, &b->y, &b->vx, &b->vy, &b->hx, &b->hy, &b->speed, &b->forward, &b->left};
    float **copies[] = {&b->sorted_x, &b->sorted_y, &b->sorted_vx, &b->sorted_vy,
                        &b->near_x, &b->near_y, &b->near_vx, &b->near_vy};
    const size_t owned = sizeof own / sizeof own[0], copied = sizeof copies / sizeof copies[0];
    size_t row = (size_t)birds + 2 * LANES, count = owned + (b->cells > 1 ? copied : 0);
    b->block = calloc(count * row + 2 * (size_t)birds + (size_t)(b->cells * b->cells + 1), sizeof(float));
    if (!b->block) {
        snprintf(error, error_bytes, "no memory for %d birds: ask for fewer", birds);
        return -1;
    }
    for (size_t k = 0; k < owned; k++) *own[k] = b->block + k * row;
    for (size_t k = 0; k < copied; k++) *copies[k] = b->cells > 1 ? b->block + (owned + k) * row : *own[k % 4];
    b->cell = (int32_t *)(b->block + count * row), b->order = b->cell + birds, b->first = b->order + birds;
    if (b->cells == 1) { /* what sorting would do, once and for all */
        for (int32_t i = 0; i < birds; i++) b->order[i] = i;
        for (int32_t k = 0; k < LANES; k++) b->x[birds + k] = b->y[birds + k] = OUT_OF_SIGHT;
        b->first[1] = birds;
    }
    return 0;
}

/* Counting sort of the birds by cell. */
static void boids_sort(Boids *b) {
    if (b->cells == 1) return;
    int32_t birds = b->env.agents, cells = b->cells, count = cells * cells, *first = b->first;
    memset(first, 0, sizeof(int32_t) * (size_t)(count + 1));
    for (int32_t i = 0; i < birds; i++) {
        int32_t column = (int32_t)(b->x[i] * b->density), row = (int32_t)(b->y[i] * b->density);
        column = column < cells ? column : cells - 1; /* rounding up to the edge */
        row = row < cells ? row : cells - 1;
        b->cell[i] = row * cells + column;
        first[b->cell[i]] += 1;
    }
    for (int32_t c = 0, end = 0; c <= count; c++) end = first[c] += end;
    for (int32_t i = birds - 1; i >= 0; i--) {
        int32_t place = first[b->cell[i]] -= 1;
        b->order[place] = i;
        b->sorted_x[place] = b->x[i], b->sorted_y[place] = b->y[i];
        b->sorted_vx[place] = b->vx[i], b->sorted_vy[place] = b->vy[i];
    }
}

/* Appends the birds of a row's cells left .. right-1, moved by (x, y), to the candidates. */
static inline int32_t boids_gather(Boids *b, int32_t n, int32_t row, int32_t left, int32_t right, float x, float y) {
    int32_t begin = b->first[row * b->cells + left], end = b->first[row * b->cells + right];
    for (int32_t j = begin; j < end; j += LANES) { /* what the last round writes too far is overwritten */
        Floats px, py;
        memcpy(&px, b->sorted_x + j, sizeof px), memcpy(&py, b->sorted_y + j, sizeof py);
        px += x, py += y;
        memcpy(b->near_x + n + j - begin, &px, sizeof px), memcpy(b->near_y + n + j - begin, &py, sizeof py);
        memcpy(b->near_vx + n + j - begin, b->sorted_vx + j, sizeof px);
        memcpy(b->near_vy + n + j - begin, b->sorted_vy + j, sizeof px);
    }
    return n + end - begin;
}

/* Gathers the birds of the 3 x 3 cells around one where they are seen from it, across the edge of the square too, and
 * as many out of sight as fill the last round; returns their number. */
static inline int32_t boids_candidates(Boids *b, int32_t row, int32_t column) {
    int32_t cells = b->cells, n = 0, left = column - (column > 0), right = column + 1 + (column < cells - 1);
    if (cells == 1) return b->env.agents;
    for (int32_t r = row - 1; r <= row + 1; r++) {
        int32_t wrapped = r < 0 ? cells - 1 : r < cells ? r : 0;
        float y = r < 0 ? -b->edge : r < cells ? 0.0f : b->edge;
        n = boids_gather(b, n, wrapped, left, right, 0.0f, y);
        if (column == 0) n = boids_gather(b, n, wrapped, cells - 1, cells, -b->edge, y);
        if (column == cells - 1) n = boids_gather(b, n, wrapped, 0, 1, b->edge, y);
    }
    for (int32_t k = 0; k < LANES; k++) b->near_x[n + k] = b->near_y[n + k] = OUT_OF_SIGHT;
    return n;
}

enum { COUNT, X, Y, VX, VY, CLOSE, PUSH_X, PUSH_Y, SUMS };

/* Writes observation and terms of a bird from the sums over its neighbours, itself included. */
static inline void boids_finish(Boids *b, int32_t bird, const float sums[SUMS], Floats *terms, float heading[2]) {
    float hx = b->hx[bird], hy = b->hy[bird], speed = b->speed[bird];
    float count = sums[COUNT] - 1.0f, some = count < 1.0f ? count : 1.0f, each = 1.0f / (count + 1.0f - some);
    float cx = sums[X] * each, cy = sums[Y] * each;
    float ux = (sums[VX] - b->vx[bird]) * each, uy = (sums[VY] - b->vy[bird]) * each, along = ux * hx + uy * hy;
    /* The terms, cut off at 0 as one vector: three such branches would often be predicted wrongly. */
    Floats term = {some - (cx * cx + cy * cy), along * (1.0f / FASTEST), some + 1.0f - sums[CLOSE], 0.0f};
    term = (Floats)((term > 0.0f) & (Ints)term);
    *terms += term;
    float *row = (float *)b->env.observations + FEATURES * bird;
    row[0] = speed * (1.0f / FASTEST);
    row[1] = count * (1.0f / 16);
    row[2] = cx * hx + cy * hy;
    row[3] = cy * hx - cx * hy;
    row[4] = (along - some * speed) * (1.0f / FASTEST);
    row[5] = (uy * hx - ux * hy) * (1.0f / FASTEST);
    row[6] = (sums[PUSH_X] * hx + sums[PUSH_Y] * hy) * (-1.0f / TOO_CLOSE);
    row[7] = (sums[PUSH_Y] * hx - sums[PUSH_X] * hy) * (-1.0f / TOO_CLOSE);
    b->env.rewards[bird] = b->weights[0] * term[0] + b->weights[1] * term[1] + b->weights[2] * term[2];
    heading[0] += hx, heading[1] += hy;
}

/* Sums over the n candidates in sight of the bird at a sorted place, itself included. A candidate's nearest image is
 * sought only where there is no grid that has found it. */
static inline void boids_look(const Boids *b, int32_t place, int32_t n, int nearest, float totals[SUMS]) {
    const float x = b->sorted_x[place], y = b->sorted_y[place], edge = b->edge, half = 0.5f * edge;
    const Floats one = {1.0f, 1.0f, 1.0f, 1.0f}, round = one * edge;
    Floats sums[SUMS] = {{0}};
    for (int32_t j = 0; j < n; j += LANES) {
        Floats dx, dy, vx, vy;
        memcpy(&dx, b->near_x + j, sizeof dx), memcpy(&dy, b->near_y + j, sizeof dy);
        memcpy(&vx, b->near_vx + j, sizeof vx), memcpy(&vy, b->near_vy + j, sizeof vy);
        dx -= x, dy -= y;
        if (nearest) {
            dx += (Floats)((Ints)(dx < -half) & (Ints)round) - (Floats)((Ints)(dx >= half) & (Ints)round);
            dy += (Floats)((Ints)(dy < -half) & (Ints)round) - (Floats)((Ints)(dy >= half) & (Ints)round);
        }
        Floats squared = dx * dx + dy * dy, close = one - squared * (1.0f / (TOO_CLOSE * TOO_CLOSE));
        Ints seen = squared < one;
        close = (Floats)((close > 0.0f) & (Ints)close);
        sums[COUNT] += (Floats)(seen & (Ints)one);
        sums[X] += (Floats)(seen & (Ints)dx);
        sums[Y] += (Floats)(seen & (Ints)dy);
        sums[VX] += (Floats)(seen & (Ints)vx);
        sums[VY] += (Floats)(seen & (Ints)vy);
        sums[CLOSE] += close;
        sums[PUSH_X] += close * dx;
        sums[PUSH_Y] += close * dy;
    }
    for (int k = 0; k < SUMS; k++) totals[k] = (sums[k][0] + sums[k][2]) + (sums[k][1] + sums[k][3]);
}

/* All observations and rewards, and this step's part of the log. */
static void boids_observe(Boids *b) {
    Floats terms = {0};
    float heading[2] = {0}, totals[SUMS];
    for (int32_t row = 0, c = 0; row < b->cells; row++) {
        for (int32_t column = 0; column < b->cells; column++, c++) {
            if (b->first[c] == b->first[c + 1]) continue;
            int32_t n = boids_candidates(b, row, column);
            for (int32_t place = b->first[c]; place < b->first[c + 1]; place++) {
                if (b->cells == 1) /* two copies of the loop: registers are short */
                    boids_look(b, place, n, 1, totals);
                else
                    boids_look(b, place, n, 0, totals);
                boids_finish(b, b->order[place], totals, &terms, heading);
            }
        }
    }
    for (int k = 0; k < 3; k++) b->sums[k] += (double)terms[k];
    b->sums[3] += (double)sqrtf(heading[0] * heading[0] + heading[1] * heading[1]);
}

static void boids_reset(Boids *b) {
    Random *random = &b->env.random;
    for (int32_t i = 0; i < b->env.agents; i++) {
        b->x[i] = (float)(random_uniform(random) * (double)b->edge);
        b->y[i] = (float)(random_uniform(random) * (double)b->edge);
        double angle = 6.283185307179586 * random_uniform(random);
        b->hx[i] = (float)cos(angle);
        b->hy[i] = (float)sin(angle);
        b->speed[i] = 0.5f * (SLOWEST + FASTEST);
        b->vx[i] = b->hx[i] * b->speed[i];
        b->vy[i] = b->hy[i] * b->speed[i];
    }
    boids_sort(b);
    boids_observe(b);
    memset(b->env.rewards, 0, sizeof(float) * (size_t)b->env.agents);
    b->tick = 0;
    memset(b->sums, 0, sizeof b->sums);
}

static void boids_follow_rules(Boids *b) {
    float *actions = b->env.actions;
    const float *row = b->env.observations;
    for (int32_t i = 0; i < b->env.agents; i++, row += FEATURES)
        for (int d = 0; d < 2; d++) actions[2 * i + d] = 0.3f * row[2 + d] + 10.0f * row[4 + d] + 30.0f * row[6 + d];
}

/* New velocities and places, in loops that hold one bound of each range: compilers turn one into a minimum or maximum
 * of four birds, two into branches of one. */
static void boids_fly(Boids *b) {
    const float *restrict actions = b->env.actions, edge = b->edge;
    float *restrict x = b->x, *restrict y = b->y, *restrict vx = b->vx, *restrict vy = b->vy;
    float *restrict hx = b->hx, *restrict hy = b->hy, *restrict speed = b->speed;
    float *restrict forward = b->forward, *restrict left = b->left;
    const int32_t birds = b->env.agents;
    for (int32_t i = 0; i < birds; i++) {
        forward[i] = actions[2 * i] > -1.0f ? actions[2 * i] : -1.0f;
        left[i] = actions[2 * i + 1] > -1.0f ? actions[2 * i + 1] : -1.0f;
    }
    for (int32_t i = 0; i < birds; i++) {
        /* The new velocity in the frame of the old heading. */
        float along = speed[i] + AGILITY * (forward[i] < 1.0f ? forward[i] : 1.0f);
        float across = AGILITY * (left[i] < 1.0f ? left[i] : 1.0f);
        float fast = sqrtf(along * along + across * across), cosine = along / fast, sine = across / fast;
        float new_hx = hx[i] * cosine - hy[i] * sine, new_hy = hy[i] * cosine + hx[i] * sine;
        hx[i] = new_hx, hy[i] = new_hy;
        speed[i] = fast > SLOWEST ? fast : SLOWEST;
    }
    for (int32_t i = 0; i < birds; i++) {
        speed[i] = speed[i] < FASTEST ? speed[i] : FASTEST;
        vx[i] = hx[i] * speed[i], vy[i] = hy[i] * speed[i];
        float new_x = x[i] + vx[i], new_y = y[i] + vy[i];
        new_x += new_x < 0.0f ? edge : 0.0f;
        new_y += new_y < 0.0f ? edge : 0.0f;
        x[i] = new_x - (new_x >= edge ? edge : 0.0f);
        y[i] = new_y - (new_y >= edge ? edge : 0.0f);
    }
}

static inline void boids_step(Boids *b) {
    if (b->rules) boids_follow_rules(b);
    boids_fly(b);
    boids_sort(b);
    boids_observe(b);
    if (++b->tick < b->horizon) return;
    double perf = 0.0, total = 0.0, each = 1.0 / b->env.agents;
    for (int k = 0; k < 4; k++) env_log(&b->env, LOG_COHESION + k, b->sums[k] * each / b->tick);
    for (int k = 0; k < 3; k++) perf += b->sums[k] * each / (3.0 * b->tick);
    for (int k = 0; k < 3; k++) total += b->sums[k] * each * (double)b->weights[k];
    env_log(&b->env, LOG_SCORE, perf);
    env_log(&b->env, LOG_PERF, perf);
    env_log(&b->env, LOG_RETURN, total);
    env_log(&b->env, LOG_LENGTH, b->tick);
    env_log_episode(&b->env);
    env_truncate(&b->env);
}

static void boids_draw(Boids *b, Scene *scene) {
    double half = 0.5 * (double)b->edge, centre[3] = {half, half, -0.1}, edges[3] = {2 * half, 2 * half, 0.02};
    scene_box(scene, centre, edges, 0x202830FF);
    for (int32_t i = 0; i < b->env.agents; i++) {
        double head[3] = {(double)b->x[i], (double)b->y[i], 0.0};
        double tail[3] = {head[0] - 1.5 * (double)b->vx[i], head[1] - 1.5 * (double)b->vy[i], 0.0};
        scene_sphere(scene, head[0], head[1], 0.0, 0.06, 0xF0F0F0FF);
        scene_line(scene, head, tail, 0x30C0E0FF);
    }
}

/* The grid needs birds inside the square, and such as cannot fly over its whole width in a step. */
static void boids_serialize(Boids *b, Archive *archive) {
    float *const rows[] = {b->x, b->y, b->vx, b->vy, b->hx, b->hy, b->speed};
    const float low[] = {0, 0, -FASTEST - 1, -FASTEST - 1, -2, -2, SLOWEST};
    const float high[] = {b->edge, b->edge, FASTEST + 1, FASTEST + 1, 2, 2, FASTEST};
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        archive_bytes(archive, rows[k], sizeof(float) * (size_t)b->env.agents);
        for (int32_t i = 0; i < b->env.agents; i++) archive_require(archive, rows[k][i] >= low[k] && rows[k][i] <= high[k]);
    }
    archive_integer(archive, &b->tick, 0, b->horizon);
    ARCHIVE(archive, b->sums);
}

static void boids_close(Boids *b) { free(b->block); }

ENVIRONMENT(boids, Boids, "birds learn to flock: Reynolds' rules as rewards")
