/* breakout.c: Breakout from its state.
 *
 * Lengths are whole numbers of 1/256 pixel, velocities such numbers a frame, so every machine plays the same game; y
 * grows downwards. The court is 576 x 330 pixels, with 6 rows of 18 bricks of 32 x 12 whose upper edge is at 50; the
 * paddle is 62 wide with its upper edge at 312, the ball is a square of 32: the geometry, the speeds and the points of
 * PufferLib 3.0's breakout, so that speeds and training compare, without its rare escapes through walls.
 *
 * A step is `frameskip` frames of 1/60 s with the same action: 0 stay, 1 left, 2 right; any other value is 0. The paddle
 * moves at 620 pixels a second. The ball moves along x, then along y; each move may hit a wall, or the brick in its way
 * that is nearest to its middle, and turns back. Bricks give 7, 7, 4, 4, 1, 1 points from the top row down, which are the
 * reward. The paddle sends the ball up at an angle of up to 67.5 degrees, in proportion to how far off its middle it was
 * hit, with 256 pixels a second; 64 more after each fourth hit up to 448, and 448 as soon as one of the upper three rows
 * was hit. The paddle is half as wide once the ball was at the ceiling. A ball lost resets these and the next one
 * starts from the middle, downwards at a random angle of up to 45 degrees. The second wall stands when the ball meets
 * the paddle after the first one is gone. The game ends with the last of the balls or with the second wall.
 *
 * Observation: paddle's middle, ball's middle x, y (0..1), its velocity (of 448 pixels a second), ball x - paddle x (in
 * courts), paddle's width (of 62), ball's speed at the next hit (of 448), balls left after this one, walls gone; then 1
 * for each standing brick, row by row. perf is points / 864, all there is.
 */
#include "env.h"

enum { PIXEL = 256, COURT_WIDTH = 576 * PIXEL, COURT_HEIGHT = 330 * PIXEL };
enum { ROWS = 6, COLUMNS = 18, BRICKS = ROWS * COLUMNS, BRICK_WIDTH = 32 * PIXEL, BRICK_HEIGHT = 12 * PIXEL };
enum { WALL_TOP = 50 * PIXEL, WALL_BOTTOM = WALL_TOP + ROWS * BRICK_HEIGHT, POINTS = 864, WALLS = 2 };
enum { PADDLE_WIDTH = 62 * PIXEL, PADDLE_Y = 312 * PIXEL, PADDLE_HEIGHT = 8 * PIXEL, PADDLE_SPEED = 620 * PIXEL / 60 };
enum { BALL = 32 * PIXEL, BALL_START = 135 * PIXEL, BALL_RIGHT = COURT_WIDTH - BALL };
enum { SLOWEST = 256, FASTEST = 448, FASTER = 64, STATE = 10 };
enum { LOG_SCORE, LOG_PERF, LOG_RETURN, LOG_LENGTH, LOG_BALLS };

typedef struct {
    Env env;
    int32_t frameskip, horizon, balls;
    int32_t paddle, width;    /* left edge, width */
    int32_t x, y, vx, vy;     /* upper left corner */
    int32_t speed, hits;      /* pixels a second after the next hit; hits with this ball */
    int32_t lost, walls, standing, score, tick;
    uint32_t wall[ROWS]; /* bit c: the brick of column c stands */
} Breakout;

static const char *const breakout_log_names[] = {"score", "perf", "episode_return", "episode_length", "balls", NULL};

static const Setting breakout_settings[] = {
    {.name = "frameskip", .value = 4, .low = 1, .high = 64, .help = "frames of a step", .count = SETTING_INTEGER},
    {.name = "balls", .value = 5, .low = 1, .high = 100, .help = "balls of a game", .count = SETTING_INTEGER},
    {.name = "horizon", .value = 8192, .low = 1, .high = 1e6, .help = "steps after which a game is cut off",
     .count = SETTING_INTEGER},
    {0},
};

static int breakout_spaces(const Settings *settings, Spaces *spaces, char *error, size_t error_bytes) {
    (void)settings, (void)error, (void)error_bytes;
    *spaces = (Spaces){.agents = 1, .features = STATE + BRICKS, .action_dims = 1, .choices = 3, .low = -1, .high = 1};
    return 0;
}

static int breakout_init(Breakout *b, const Settings *settings, char *error, size_t error_bytes) {
    (void)error, (void)error_bytes;
    b->frameskip = (int32_t)setting_number(settings, "frameskip");
    b->balls = (int32_t)setting_number(settings, "balls");
    b->horizon = (int32_t)setting_number(settings, "horizon");
    return 0;
}

static inline void breakout_observe(Breakout *b) {
    float *row = b->env.observations;
    float paddle = (float)(2 * b->paddle + b->width) * (0.5f / COURT_WIDTH);
    float ball = (float)(2 * b->x + BALL) * (0.5f / COURT_WIDTH);
    row[0] = paddle;
    row[1] = ball;
    row[2] = (float)(2 * b->y + BALL) * (0.5f / COURT_HEIGHT);
    row[3] = (float)b->vx * (60.0f / (FASTEST * PIXEL));
    row[4] = (float)b->vy * (60.0f / (FASTEST * PIXEL));
    row[5] = ball - paddle;
    row[6] = (float)b->width * (1.0f / PADDLE_WIDTH);
    row[7] = (float)b->speed * (1.0f / FASTEST);
    row[8] = (float)(b->balls - 1 - b->lost) / (float)b->balls;
    row[9] = (float)b->walls * (1.0f / WALLS);
}

/* Velocity at `speed` pixels a second, `angle` off the vertical. */
static void breakout_send(Breakout *b, double speed, double angle, int down) {
    b->vx = (int32_t)floor(speed * (PIXEL / 60.0) * sin(angle) + 0.5);
    b->vy = (int32_t)floor(speed * (PIXEL / 60.0) * cos(angle) + 0.5) * (down ? 1 : -1);
}

static void breakout_serve(Breakout *b) {
    b->speed = SLOWEST;
    b->hits = 0;
    b->width = PADDLE_WIDTH;
    b->paddle = (COURT_WIDTH - PADDLE_WIDTH) / 2;
    b->x = (COURT_WIDTH - BALL) / 2;
    b->y = BALL_START;
    breakout_send(b, SLOWEST, (2.0 * random_uniform(&b->env.random) - 1.0) * 0.7853981633974483, 1);
}

static void breakout_build_wall(Breakout *b) {
    float *bricks = (float *)b->env.observations + STATE;
    for (int i = 0; i < BRICKS; i++) bricks[i] = 1.0f;
    for (int row = 0; row < ROWS; row++) b->wall[row] = (1u << COLUMNS) - 1;
    b->standing = BRICKS;
}

static void breakout_reset(Breakout *b) {
    b->lost = b->walls = b->score = b->tick = 0;
    breakout_build_wall(b);
    breakout_serve(b);
    breakout_observe(b);
}

static void breakout_destroy(Breakout *b, int32_t row, int32_t column) {
    static const int8_t points[ROWS] = {7, 7, 4, 4, 1, 1};
    b->wall[row] &= ~(1u << column);
    ((float *)b->env.observations)[STATE + row * COLUMNS + column] = 0.0f;
    b->standing -= 1;
    b->walls += b->standing == 0;
    b->score += points[row];
    b->env.rewards[0] += (float)points[row];
    if (row < ROWS / 2) b->speed = FASTEST;
}

/* Destroys the brick that a ball with its corner at (x, y) overlaps: the nearest to its middle, the first of two as
 * near. A ball overlaps no brick before it moves, so all it overlaps now stand in one line across its way. */
static inline int breakout_hit(Breakout *b, int32_t x, int32_t y) {
    if (y >= WALL_BOTTOM || y + BALL <= WALL_TOP) return 0;
    int32_t above = y - WALL_TOP, first = above > 0 ? above / BRICK_HEIGHT : 0;
    int32_t last = (above + BALL - 1) / BRICK_HEIGHT, left = x / BRICK_WIDTH, right = (x + BALL - 1) / BRICK_WIDTH;
    if (last >= ROWS) last = ROWS - 1;
    uint32_t columns = (2u << right) - (1u << left);
    int32_t hit_row = -1, hit_column = 0, nearest = INT32_MAX;
    for (int32_t row = first; row <= last; row++) {
        for (uint32_t bits = b->wall[row] & columns; bits; bits &= bits - 1) {
            int32_t column = __builtin_ctz(bits);
            int32_t distance = abs(column * BRICK_WIDTH + BRICK_WIDTH / 2 - (x + BALL / 2)) +
                               abs(row * BRICK_HEIGHT + BRICK_HEIGHT / 2 - (above + BALL / 2));
            if (distance < nearest) nearest = distance, hit_row = row, hit_column = column;
        }
    }
    if (hit_row < 0) return 0;
    breakout_destroy(b, hit_row, hit_column);
    return 1;
}

static void breakout_return(Breakout *b) {
    double off = (b->x + BALL / 2 - b->paddle - b->width / 2) / (double)b->width; /* 0.5 at the paddle's end */
    b->hits += 1;
    if (b->hits % 4 == 0 && b->speed < FASTEST) b->speed += FASTER;
    breakout_send(b, b->speed, fmin(fmax(off, -0.75), 0.75) * 1.5707963267948966, 0);
    if (b->standing == 0) breakout_build_wall(b);
}

/* One frame; returns 1 where the ball is lost. */
static inline int breakout_frame(Breakout *b, int32_t direction) {
    int32_t paddle = b->paddle + PADDLE_SPEED * direction, furthest = COURT_WIDTH - b->width;
    b->paddle = paddle < 0 ? 0 : paddle > furthest ? furthest : paddle;

    int32_t x = b->x + b->vx;
    if ((uint32_t)x > BALL_RIGHT) {
        x = x < 0 ? -x : 2 * BALL_RIGHT - x;
        b->vx = -b->vx;
    }
    if (breakout_hit(b, x, b->y))
        b->vx = -b->vx;
    else
        b->x = x;

    int32_t y = b->y + b->vy;
    if (y < 0) {
        y = -y;
        b->vy = -b->vy;
        if (b->width == PADDLE_WIDTH) {
            b->width = PADDLE_WIDTH / 2;
            b->paddle += PADDLE_WIDTH / 4;
        }
    }
    if (breakout_hit(b, b->x, y)) {
        b->vy = -b->vy;
        return 0;
    }
    int reaches = b->y + BALL <= PADDLE_Y && y + BALL > PADDLE_Y;
    if (reaches && b->x + BALL > b->paddle && b->x < b->paddle + b->width) {
        b->y = PADDLE_Y - BALL;
        breakout_return(b);
        return 0;
    }
    b->y = y;
    return y >= PADDLE_Y + PADDLE_HEIGHT;
}

static void breakout_log_game(Breakout *b) {
    env_log(&b->env, LOG_SCORE, b->score);
    env_log(&b->env, LOG_PERF, (double)b->score / POINTS);
    env_log(&b->env, LOG_RETURN, b->score);
    env_log(&b->env, LOG_LENGTH, b->tick);
    env_log(&b->env, LOG_BALLS, b->lost);
    env_log_episode(&b->env);
}

static inline void breakout_step(Breakout *b) {
    static const int8_t directions[4] = {0, -1, 1, 0};
    uint32_t action = *(const uint32_t *)b->env.actions;
    int32_t direction = directions[action < 3 ? action : 3], lost = 0;
    for (int32_t frame = 0; frame < b->frameskip && !lost; frame++) lost = breakout_frame(b, direction);
    b->tick += 1;
    b->lost += lost;
    int over = (b->lost == b->balls) | (b->walls == WALLS);
    if (lost && !over) breakout_serve(b);
    breakout_observe(b);
    if (over | (b->tick == b->horizon)) {
        breakout_log_game(b);
        if (over)
            env_terminate(&b->env);
        else
            env_truncate(&b->env);
    }
}

static void breakout_box(Scene *scene, int32_t x, int32_t y, int32_t width, int32_t height, uint32_t rgba) {
    double unit = 1.0 / PIXEL, centre[3] = {(x + 0.5 * width) * unit, (COURT_HEIGHT - y - 0.5 * height) * unit, 0};
    double edges[3] = {width * unit - 1, height * unit - 1, 10};
    scene_box(scene, centre, edges, rgba);
}

static void breakout_draw(Breakout *b, Scene *scene) {
    static const uint32_t colours[ROWS] = {0xC84848FF, 0xC66C3AFF, 0xB47A30FF, 0xA2A22AFF, 0x48A048FF, 0x4248C8FF};
    double court[3] = {288, 165, -10}, edges[3] = {576, 330, 2};
    scene_box(scene, court, edges, 0x202830FF);
    for (int32_t row = 0; row < ROWS; row++)
        for (int32_t column = 0; column < COLUMNS; column++)
            if (b->wall[row] >> column & 1)
                breakout_box(scene, column * BRICK_WIDTH, WALL_TOP + row * BRICK_HEIGHT, BRICK_WIDTH, BRICK_HEIGHT,
                             colours[row]);
    breakout_box(scene, b->paddle, PADDLE_Y, b->width, PADDLE_HEIGHT, 0x30C0E0FF);
    breakout_box(scene, b->x, b->y, BALL, BALL, 0xF0F0F0FF);
    char points[64];
    snprintf(points, sizeof points, "%d", b->score);
    scene_text(scene, 288, 310, 1, 20, 0xF0F0F0FF, points);
}

static void breakout_serialize(Breakout *b, Archive *archive) {
    enum { VELOCITY = FASTEST * PIXEL / 60 + 1 };
    int32_t over = b->env.finished;
    archive_integer(archive, &b->paddle, 0, COURT_WIDTH);
    archive_integer(archive, &b->width, PADDLE_WIDTH / 2, PADDLE_WIDTH);
    archive_integer(archive, &b->x, 0, BALL_RIGHT);
    archive_integer(archive, &b->y, 0, COURT_HEIGHT);
    archive_integer(archive, &b->vx, -VELOCITY, VELOCITY);
    archive_integer(archive, &b->vy, -VELOCITY, VELOCITY);
    archive_integer(archive, &b->speed, SLOWEST, FASTEST);
    archive_integer(archive, &b->tick, 0, b->horizon - 1 + over);
    archive_integer(archive, &b->hits, 0, b->tick * b->frameskip);
    archive_integer(archive, &b->lost, 0, b->balls - 1 + over);
    archive_integer(archive, &b->walls, 0, WALLS - 1 + over);
    archive_integer(archive, &b->score, 0, POINTS);
    ARCHIVE(archive, b->wall);
    b->standing = 0;
    for (int row = 0; row < ROWS; row++) {
        archive_require(archive, b->wall[row] < 1u << COLUMNS);
        b->standing += __builtin_popcount(b->wall[row]);
    }
}

static void breakout_close(Breakout *b) { (void)b; }

ENVIRONMENT(breakout, Breakout, "Breakout from its state")
