/* pong.c: Pong from its state, against a scripted opponent. The agent is the right paddle.
 *
 * Everything is a whole number of pixels, so every machine plays the same match; y grows upwards. The court is 500 x 640,
 * the paddles are 70 high and stand on its left and right edges, the ball is a square of 32: the geometry and the speeds
 * of PufferLib 3.0's pong, so that speeds compare.
 *
 * A step is `frameskip` frames with the same action: 0 stay, 1 up, 2 down; any other value is 0. In a frame the paddles
 * move by up to 8 pixels, the opponent so that its middle follows the ball's, and the ball by its velocity (10 along x).
 * The ball bounces off floor and ceiling, and off a paddle that it overlaps where it reaches its edge; the agent's moving
 * paddle changes its speed along y by 3, to 13 at most, but never to 0: two paddles at rest would play for ever. A ball
 * that passes gives reward 1 or -1, and the next one is served from a fifth of the court towards the agent at a random
 * speed along y, 1 to 3 up or down; both paddles start in the middle again. The match ends at 21 points of one side, or
 * is cut off after `horizon` steps.
 *
 * Observation: own paddle, opponent's paddle (lower edge, 0..1), ball x, y (0..1), its velocity (-1..1), own and
 * opponent's points (0..1). perf is (21 + won - lost) / 42: 1 for 21:0, 0 for 0:21, a half for a draw.
 */
#include "env.h"

enum { WIDTH = 500, HEIGHT = 640, PADDLE = 70, BALL = 32, POINTS = 21, FEATURES = 8 };
enum { PADDLE_SPEED = 8, BALL_SPEED = 10, SPIN = 3, STEEPEST = 13, SERVE = 3 };
enum { PADDLE_TOP = HEIGHT - PADDLE, BALL_TOP = HEIGHT - BALL, BALL_RIGHT = WIDTH - BALL };
enum { LOG_SCORE, LOG_PERF, LOG_RETURN, LOG_LENGTH, LOG_HITS };

typedef struct {
    Env env;
    int32_t frameskip, horizon, opponent_speed;
    int32_t paddle, opponent; /* lower edges */
    int32_t x, y, vx, vy;     /* the ball's lower left corner, and pixels a frame */
    int32_t won, lost, hits, tick;
} Pong;

static const char *const pong_log_names[] = {"score", "perf", "episode_return", "episode_length", "hits", NULL};

static const Setting pong_settings[] = {
    {.name = "frameskip", .value = 4, .low = 1, .high = 64, .help = "frames of a step", .count = SETTING_INTEGER},
    {.name = "horizon", .value = 4096, .low = 1, .high = 1e6, .help = "steps after which a match is cut off",
     .count = SETTING_INTEGER},
    {.name = "opponent_speed", .value = PADDLE_SPEED, .low = 0, .high = STEEPEST, .count = SETTING_INTEGER,
     .help = "the opponent's pixels a frame; 13 is never beaten"},
    {0},
};

static int pong_spaces(const Settings *settings, Spaces *spaces, char *error, size_t error_bytes) {
    (void)settings, (void)error, (void)error_bytes;
    *spaces = (Spaces){.agents = 1, .features = FEATURES, .action_dims = 1, .choices = 3, .low = -1, .high = 1};
    return 0;
}

static int pong_init(Pong *p, const Settings *settings, char *error, size_t error_bytes) {
    (void)error, (void)error_bytes;
    p->frameskip = (int32_t)setting_number(settings, "frameskip");
    p->horizon = (int32_t)setting_number(settings, "horizon");
    p->opponent_speed = (int32_t)setting_number(settings, "opponent_speed");
    return 0;
}

static inline int32_t pong_clamp(int32_t value, int32_t low, int32_t high) {
    value = value < low ? low : value;
    return value > high ? high : value;
}

static inline void pong_observe(Pong *p) {
    float *row = p->env.observations;
    row[0] = (float)p->paddle * (1.0f / PADDLE_TOP);
    row[1] = (float)p->opponent * (1.0f / PADDLE_TOP);
    row[2] = (float)p->x * (1.0f / BALL_RIGHT);
    row[3] = (float)p->y * (1.0f / BALL_TOP);
    row[4] = (float)p->vx * (1.0f / BALL_SPEED);
    row[5] = (float)p->vy * (1.0f / STEEPEST);
    row[6] = (float)p->won * (1.0f / POINTS);
    row[7] = (float)p->lost * (1.0f / POINTS);
}

static void pong_serve(Pong *p) {
    p->paddle = p->opponent = PADDLE_TOP / 2;
    p->x = WIDTH / 5;
    p->y = BALL_TOP / 2;
    p->vx = BALL_SPEED;
    int32_t drawn = (int32_t)random_integer(&p->env.random, 2 * SERVE) - SERVE;
    p->vy = drawn + (drawn >= 0);
}

static void pong_reset(Pong *p) {
    p->won = p->lost = p->hits = p->tick = 0;
    pong_serve(p);
    pong_observe(p);
}

static inline int pong_meets(const Pong *p, int32_t paddle) { return p->y + BALL > paddle && p->y < paddle + PADDLE; }

/* One frame; returns 1 for a point won, -1 for one lost. */
static inline int pong_frame(Pong *p, int32_t direction) {
    p->paddle = pong_clamp(p->paddle + PADDLE_SPEED * direction, 0, PADDLE_TOP);
    int32_t above = p->y + BALL / 2 - (p->opponent + PADDLE / 2);
    p->opponent = pong_clamp(p->opponent + pong_clamp(above, -p->opponent_speed, p->opponent_speed), 0, PADDLE_TOP);
    p->x += p->vx;
    p->y += p->vy;
    if ((uint32_t)p->y > BALL_TOP) {
        p->y = p->y < 0 ? -p->y : 2 * BALL_TOP - p->y;
        p->vy = -p->vy;
    }
    if (p->x >= BALL_RIGHT) {
        if (!pong_meets(p, p->paddle)) return -1;
        p->x = 2 * BALL_RIGHT - p->x;
        p->vx = -BALL_SPEED;
        int32_t vy = pong_clamp(p->vy + SPIN * direction, -STEEPEST, STEEPEST);
        p->vy = vy ? vy : p->vy;
        p->hits += 1;
    } else if (p->x <= 0) {
        if (!pong_meets(p, p->opponent)) return 1;
        p->x = -p->x;
        p->vx = BALL_SPEED;
    }
    return 0;
}

static void pong_log_match(Pong *p) {
    int32_t score = p->won - p->lost;
    env_log(&p->env, LOG_SCORE, score);
    env_log(&p->env, LOG_PERF, (double)(POINTS + score) / (2 * POINTS));
    env_log(&p->env, LOG_RETURN, score);
    env_log(&p->env, LOG_LENGTH, p->tick);
    env_log(&p->env, LOG_HITS, p->hits);
    env_log_episode(&p->env);
}

static inline void pong_step(Pong *p) {
    static const int8_t directions[4] = {0, 1, -1, 0};
    uint32_t action = *(const uint32_t *)p->env.actions;
    int32_t direction = directions[action < 3 ? action : 3], point = 0;
    for (int32_t frame = 0; frame < p->frameskip && point == 0; frame++) point = pong_frame(p, direction);
    p->tick += 1;
    if (point) {
        p->won += point > 0;
        p->lost += point < 0;
        p->env.rewards[0] = (float)point;
        pong_serve(p);
    }
    pong_observe(p);
    int over = (p->won == POINTS) | (p->lost == POINTS);
    if (over | (p->tick == p->horizon)) {
        pong_log_match(p);
        if (over)
            env_terminate(&p->env);
        else
            env_truncate(&p->env);
    }
}

static void pong_draw(Pong *p, Scene *scene) {
    double court[3] = {0.5 * WIDTH, 0.5 * HEIGHT, -5}, court_edges[3] = {WIDTH + 60, HEIGHT, 2};
    double left[3] = {-10, p->opponent + 0.5 * PADDLE, 0}, right[3] = {WIDTH + 10, p->paddle + 0.5 * PADDLE, 0};
    double paddle_edges[3] = {20, PADDLE, 20}, ball[3] = {p->x + 0.5 * BALL, p->y + 0.5 * BALL, 0};
    double ball_edges[3] = {BALL, BALL, 20};
    scene_box(scene, court, court_edges, 0x202830FF);
    scene_box(scene, left, paddle_edges, 0xE05040FF);
    scene_box(scene, right, paddle_edges, 0x30C0E0FF);
    scene_box(scene, ball, ball_edges, 0xF0F0F0FF);
    char points[64];
    snprintf(points, sizeof points, "%d : %d", p->lost, p->won);
    scene_text(scene, 0.5 * WIDTH, HEIGHT - 40, 5, 30, 0xF0F0F0FF, points);
}

static void pong_serialize(Pong *p, Archive *archive) {
    int32_t over = p->env.finished;
    archive_integer(archive, &p->paddle, 0, PADDLE_TOP);
    archive_integer(archive, &p->opponent, 0, PADDLE_TOP);
    archive_integer(archive, &p->x, 0, WIDTH);
    archive_integer(archive, &p->y, 0, BALL_TOP);
    archive_integer(archive, &p->vx, -BALL_SPEED, BALL_SPEED);
    archive_integer(archive, &p->vy, -STEEPEST, STEEPEST);
    archive_integer(archive, &p->won, 0, POINTS - 1 + over);
    archive_integer(archive, &p->lost, 0, POINTS - 1 + over);
    archive_integer(archive, &p->tick, 0, p->horizon - 1 + over);
    archive_integer(archive, &p->hits, 0, p->tick * p->frameskip);
}

static void pong_close(Pong *p) { (void)p; }

ENVIRONMENT(pong, Pong, "Pong from its state, against a scripted opponent")
