/* boids.c: birds that see their neighbours learn to flock. Reynolds' three rules (1987, doi:10.1145/37402.37406),
 * cohesion, alignment and separation, are rewards here; with `rules` the birds follow the rules themselves.
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
 * of (1 - (d / 0.2)^2) * -offset / 0.2 over those too close. `rules` makes the action 1 * c + 2 * (u - v) / v_max +
 * 2 * push.
 */
#include "clones.h"
#include "env.h"

enum { FEATURES = 8, LANES = 8, MOST_CELLS = 128 };
enum { LOG_SCORE, LOG_PERF, LOG_RETURN, LOG_LENGTH, LOG_COHESION, LOG_ALIGNMENT, LOG_SEPARATION, LOG_POLARISATION };

#define TOO_CLOSE 0.2f
#define FASTEST 0.15f
#define SLOWEST 0.075f
#define AGILITY 0.03f

typedef float Floats __attribute__((vector_size(4 * LANES)));
typedef int32_t Ints __attribute__((vector_size(4 * LANES)));

typedef struct {
    Env env;
    int32_t cells, horizon, rules, tick; /* cells: along each edge of the grid; 1: no grid, all pairs */
    float edge, weights[3];
    double sums[3], polarisation, reward; /* over the steps of this episode, means over birds */
    float *x, *y, *vx, *vy;               /* [agents] */
    float *sorted_x, *sorted_y, *sorted_vx, *sorted_vy; /* [agents + LANES] the same, cell by cell */
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
    {.name = "rules", .value = 0, .low = 0, .high = 1, .help = "1: Reynolds' rules fly the birds, actions are ignored",
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
    b->horizon = (int32_t)setting_number(settings, "horizon");
    b->rules = (int32_t)setting_number(settings, "rules");
    static const char *const names[3] = {"cohesion", "alignment", "separation"};
    double total = 0.0;
    for (int k = 0; k < 3; k++) total += setting_number(settings, names[k]);
    for (int k = 0; k < 3; k++) b->weights[k] = (float)(setting_number(settings, names[k]) / total);
    /* One block: eight arrays of floats, then three of integers. */
    size_t row = (size_t)birds + LANES, cells = (size_t)(b->cells * b->cells + 1);
    b->x = calloc(8 * row + 2 * (size_t)birds + cells, sizeof(float));
    if (!b->x) {
        snprintf(error, error_bytes, "no memory for %d birds: ask for fewer", birds);
        return -1;
    }
    b->y = b->x + row, b->vx = b->y + row, b->vy = b->vx + row;
    b->sorted_x = b->vy + row, b->sorted_y = b->sorted_x + row;
    b->sorted_vx = b->sorted_y + row, b->sorted_vy = b->sorted_vx + row;
    b->cell = (int32_t *)(b->sorted_vy + row), b->order = b->cell + birds, b->first = b->order + birds;
    return 0;
}

/* Counting sort of the birds by cell. */
static void boids_sort(Boids *b) {
    int32_t birds = b->env.agents, cells = b->cells, count = cells * cells, *first = b->first;
    float scale = (float)cells / b->edge;
    memset(first, 0, sizeof(int32_t) * (size_t)(count + 1));
    for (int32_t i = 0; i < birds; i++) {
        int32_t column = (int32_t)(b->x[i] * scale), row = (int32_t)(b->y[i] * scale);
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

/* Sorted places begin .. end-1, seen from cells where they are shifted by (x, y): across the edge of the square. */
typedef struct {
    int32_t begin, end;
    float x, y;
} Piece;

/* The pieces of the 3 x 3 cells around one; where a row of three crosses the edge it is two pieces. */
static int boids_pieces(const Boids *b, int32_t row, int32_t column, Piece pieces[6]) {
    int32_t cells = b->cells, n = 0;
    if (cells == 1) {
        pieces[0] = (Piece){0, b->env.agents, 0.0f, 0.0f};
        return 1;
    }
    for (int32_t r = row - 1; r <= row + 1; r++) {
        int32_t wrapped = r < 0 ? r + cells : r >= cells ? r - cells : r;
        float y = r < 0 ? -b->edge : r >= cells ? b->edge : 0.0f;
        const int32_t *first = b->first + wrapped * cells;
        int32_t left = column > 0 ? column - 1 : 0, right = column < cells - 1 ? column + 2 : cells;
        pieces[n++] = (Piece){first[left], first[right], 0.0f, y};
        if (column == 0) pieces[n++] = (Piece){first[cells - 1], first[cells], -b->edge, y};
        if (column == cells - 1) pieces[n++] = (Piece){first[0], first[1], b->edge, y};
    }
    return n;
}

enum { COUNT, X, Y, VX, VY, CLOSE, PUSH_X, PUSH_Y, SUMS };

static inline float boids_total(const float *lanes) {
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

/* Writes observation and terms of the bird at a sorted place from the sums over its neighbours, itself included. */
static inline void boids_finish(Boids *b, int32_t place, const float sums[SUMS], double terms[3], double heading[2]) {
    int32_t bird = b->order[place];
    float vx = b->sorted_vx[place], vy = b->sorted_vy[place], speed = sqrtf(vx * vx + vy * vy);
    float hx = vx / speed, hy = vy / speed, count = sums[COUNT] - 1.0f, some = count > 0.0f ? 1.0f : 0.0f;
    float each = some / (count + 1.0f - some);
    float cx = sums[X] * each, cy = sums[Y] * each;
    float ux = (sums[VX] - vx) * each, uy = (sums[VY] - vy) * each, along = ux * hx + uy * hy;
    float close = sums[CLOSE] - 1.0f;
    float cohesion = some * fmaxf(0.0f, 1.0f - (cx * cx + cy * cy));
    float alignment = fminf(1.0f, fmaxf(0.0f, along * (1.0f / FASTEST)));
    float separation = some * (1.0f - fminf(1.0f, fmaxf(0.0f, close)));
    float *row = (float *)b->env.observations + FEATURES * bird;
    row[0] = speed * (1.0f / FASTEST);
    row[1] = count * (1.0f / 16);
    row[2] = cx * hx + cy * hy;
    row[3] = cy * hx - cx * hy;
    row[4] = (along - some * speed) * (1.0f / FASTEST);
    row[5] = (uy * hx - ux * hy) * (1.0f / FASTEST);
    row[6] = -(sums[PUSH_X] * hx + sums[PUSH_Y] * hy) * (1.0f / TOO_CLOSE);
    row[7] = -(sums[PUSH_Y] * hx - sums[PUSH_X] * hy) * (1.0f / TOO_CLOSE);
    b->env.rewards[bird] = b->weights[0] * cohesion + b->weights[1] * alignment + b->weights[2] * separation;
    terms[0] += (double)cohesion, terms[1] += (double)alignment, terms[2] += (double)separation;
    heading[0] += (double)hx, heading[1] += (double)hy;
}

/* All observations and rewards, and this step's part of the log. */
CLONES static void boids_observe(Boids *b) {
    const Ints lane = {0, 1, 2, 3, 4, 5, 6, 7};
    double terms[3] = {0}, heading[2] = {0};
    for (int32_t c = 0; c < b->cells * b->cells; c++) {
        if (b->first[c] == b->first[c + 1]) continue;
        Piece pieces[6];
        int count = boids_pieces(b, c / b->cells, c % b->cells, pieces);
        for (int32_t i = b->first[c]; i < b->first[c + 1]; i++) {
            Floats sums[SUMS] = {{0}};
            for (const Piece *p = pieces; p < pieces + count; p++) {
                float from_x = b->sorted_x[i] - p->x, from_y = b->sorted_y[i] - p->y;
                for (int32_t j = p->begin; j < p->end; j += LANES) {
                    Floats dx, dy, vx, vy;
                    memcpy(&dx, b->sorted_x + j, sizeof dx);
                    memcpy(&dy, b->sorted_y + j, sizeof dy);
                    memcpy(&vx, b->sorted_vx + j, sizeof vx);
                    memcpy(&vy, b->sorted_vy + j, sizeof vy);
                    dx -= from_x, dy -= from_y;
                    if (b->cells == 1) { /* the nearest image of each */
                        float half = 0.5f * b->edge;
                        dx += (Floats)((Ints)(dx < -half) & (Ints)((Floats){0} + b->edge));
                        dx -= (Floats)((Ints)(dx >= half) & (Ints)((Floats){0} + b->edge));
                        dy += (Floats)((Ints)(dy < -half) & (Ints)((Floats){0} + b->edge));
                        dy -= (Floats)((Ints)(dy >= half) & (Ints)((Floats){0} + b->edge));
                    }
                    Floats squared = dx * dx + dy * dy, close = 1.0f - squared * (1.0f / (TOO_CLOSE * TOO_CLOSE));
                    Ints here = lane < p->end - j, seen = here & (squared < 1.0f), near = here & (close > 0.0f);
                    close = (Floats)(near & (Ints)close);
                    sums[COUNT] += (Floats)(seen & (Ints)((Floats){0} + 1.0f));
                    sums[X] += (Floats)(seen & (Ints)dx);
                    sums[Y] += (Floats)(seen & (Ints)dy);
                    sums[VX] += (Floats)(seen & (Ints)vx);
                    sums[VY] += (Floats)(seen & (Ints)vy);
                    sums[CLOSE] += close;
                    sums[PUSH_X] += close * dx;
                    sums[PUSH_Y] += close * dy;
                }
            }
            float totals[SUMS];
            for (int k = 0; k < SUMS; k++) {
                float lanes[LANES];
                memcpy(lanes, &sums[k], sizeof lanes);
                totals[k] = boids_total(lanes);
            }
            boids_finish(b, i, totals, terms, heading);
        }
    }
    double each = 1.0 / b->env.agents;
    for (int k = 0; k < 3; k++) {
        b->sums[k] += terms[k] * each;
        b->reward += terms[k] * each * (double)b->weights[k];
    }
    b->polarisation += sqrt(heading[0] * heading[0] + heading[1] * heading[1]) * each;
}

static void boids_reset(Boids *b) {
    Random *random = &b->env.random;
    for (int32_t i = 0; i < b->env.agents; i++) {
        b->x[i] = (float)(random_uniform(random) * (double)b->edge);
        b->y[i] = (float)(random_uniform(random) * (double)b->edge);
        double angle = 6.283185307179586 * random_uniform(random), speed = 0.5 * (double)(SLOWEST + FASTEST);
        b->vx[i] = (float)(speed * cos(angle));
        b->vy[i] = (float)(speed * sin(angle));
    }
    boids_sort(b);
    boids_observe(b);
    memset(b->env.rewards, 0, sizeof(float) * (size_t)b->env.agents);
    b->tick = 0;
    b->sums[0] = b->sums[1] = b->sums[2] = b->polarisation = b->reward = 0.0;
}

static inline float boids_cut(float value, float low, float high) { return fminf(fmaxf(value, low), high); }

static void boids_rules(const float *row, float action[2]) {
    for (int d = 0; d < 2; d++) action[d] = row[2 + d] + 2.0f * row[4 + d] + 2.0f * row[6 + d];
}

/* New velocities and places. */
CLONES static void boids_fly(Boids *b) {
    const float *actions = b->env.actions, *observations = b->env.observations;
    float edge = b->edge;
    for (int32_t i = 0; i < b->env.agents; i++) {
        float action[2] = {actions[2 * i], actions[2 * i + 1]};
        if (b->rules) boids_rules(observations + FEATURES * i, action);
        float vx = b->vx[i], vy = b->vy[i], scale = AGILITY / sqrtf(vx * vx + vy * vy);
        float forward = boids_cut(action[0], -1.0f, 1.0f) * scale, left = boids_cut(action[1], -1.0f, 1.0f) * scale;
        float wx = vx + forward * vx - left * vy, wy = vy + forward * vy + left * vx;
        float speed = sqrtf(wx * wx + wy * wy), factor = boids_cut(speed, SLOWEST, FASTEST) / speed;
        wx *= factor, wy *= factor;
        float x = b->x[i] + wx, y = b->y[i] + wy;
        x = x < 0.0f ? x + edge : x, y = y < 0.0f ? y + edge : y;
        b->x[i] = x >= edge ? x - edge : x;
        b->y[i] = y >= edge ? y - edge : y;
        b->vx[i] = wx, b->vy[i] = wy;
    }
}

static inline void boids_step(Boids *b) {
    boids_fly(b);
    boids_sort(b);
    boids_observe(b);
    if (++b->tick < b->horizon) return;
    double perf = (b->sums[0] + b->sums[1] + b->sums[2]) / (3.0 * b->tick);
    env_log(&b->env, LOG_SCORE, perf);
    env_log(&b->env, LOG_PERF, perf);
    env_log(&b->env, LOG_RETURN, b->reward);
    env_log(&b->env, LOG_LENGTH, b->tick);
    for (int k = 0; k < 3; k++) env_log(&b->env, LOG_COHESION + k, b->sums[k] / b->tick);
    env_log(&b->env, LOG_POLARISATION, b->polarisation / b->tick);
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

static void boids_close(Boids *b) { free(b->x); }

ENVIRONMENT(boids, Boids, "birds learn to flock: Reynolds' rules as rewards")
