/* cartpole.c: a pole on a cart, kept upright by pushing the cart left or right.
 *
 * The problem and its constants are those of Barto, Sutton & Anderson 1983 (doi:10.1109/TSMC.1983.6313077), without
 * friction, stepped and ended as Gymnasium's CartPole-v1 does, so that returns compare. Angles are in rad from the upright,
 * positive to the right; M is the mass of both, m that of the pole, l half its length, F the push:
 *
 *     q       = (F + m l theta'^2 sin(theta)) / M
 *     theta'' = (g sin(theta) - q cos(theta)) / (l (4/3 - m cos(theta)^2 / M))
 *     x''     = q - m l theta'' cos(theta) / M
 *
 * followed by one explicit Euler step of 0.02 s: positions move with the old velocities. Action 1 pushes right, any other
 * value left, with 10 N. Every step gives reward 1. The episode ends when the cart is more than 2.4 m off the middle or
 * the pole more than 12 degrees off the upright, and is cut off after `horizon` steps. It starts with each of the four
 * numbers uniform in [-0.05, 0.05).
 *
 * Observation: x (m), x' (m/s), theta (rad), theta' (rad/s); without `velocities` x and theta alone, and what is needed
 * to balance must be remembered. perf is the length of the episode in horizons.
 */
#include "env.h"

#define GRAVITY 9.8f         /* m/s^2 */
#define CART_MASS 1.0f       /* kg */
#define POLE_MASS 0.1f       /* kg */
#define HALF_LENGTH 0.5f     /* of the pole, m */
#define PUSH 10.0f           /* N */
#define TIMESTEP 0.02f       /* s */
#define FARTHEST 2.4f        /* m */
#define STEEPEST 0.20943951f /* rad: 12 degrees */
#define FASTEST 12.0f        /* m/s and rad/s: more than cart and pole can reach within these limits */

enum { NUMBERS = 4, LINKS = 24 };
enum { LOG_SCORE, LOG_PERF, LOG_RETURN, LOG_LENGTH };

typedef struct {
    Env env;
    int32_t horizon, velocities, tick;
    float x, speed, angle, spin; /* m, m/s, rad, rad/s */
} Cartpole;

static const char *const cartpole_log_names[] = {"score", "perf", "episode_return", "episode_length", NULL};

static const Setting cartpole_settings[] = {
    {.name = "horizon", .value = 500, .low = 1, .high = 1e6, .help = "steps after which an episode is cut off",
     .count = SETTING_INTEGER},
    {.name = "velocities", .value = 1, .low = 0, .high = 1, .help = "1: velocities are observed, 0: positions alone",
     .count = SETTING_INTEGER},
    {0},
};

static int cartpole_spaces(const Settings *settings, Spaces *spaces, char *error, size_t error_bytes) {
    (void)error, (void)error_bytes;
    int features = setting_number(settings, "velocities") != 0 ? NUMBERS : NUMBERS / 2;
    *spaces = (Spaces){.agents = 1, .features = features, .action_dims = 1, .choices = 2, .low = -FASTEST,
                       .high = FASTEST};
    return 0;
}

static int cartpole_init(Cartpole *c, const Settings *settings, char *error, size_t error_bytes) {
    (void)error, (void)error_bytes;
    c->horizon = (int32_t)setting_number(settings, "horizon");
    c->velocities = (int32_t)setting_number(settings, "velocities");
    return 0;
}

static inline void cartpole_observe(Cartpole *c) {
    float *row = c->env.observations;
    *row++ = c->x;
    if (c->velocities) *row++ = c->speed;
    *row++ = c->angle;
    if (c->velocities) *row = c->spin;
}

static void cartpole_reset(Cartpole *c) {
    float start[NUMBERS];
    for (int i = 0; i < NUMBERS; i++) start[i] = (float)(0.1 * random_uniform(&c->env.random) - 0.05);
    c->x = start[0];
    c->speed = start[1];
    c->angle = start[2];
    c->spin = start[3];
    c->tick = 0;
    cartpole_observe(c);
}

static inline void cartpole_move(Cartpole *c, float push) {
    float mass = CART_MASS + POLE_MASS, sine = sinf(c->angle), cosine = cosf(c->angle);
    float pushed = (push + POLE_MASS * HALF_LENGTH * c->spin * c->spin * sine) / mass;
    float inertia = HALF_LENGTH * (4.0f / 3.0f - POLE_MASS * cosine * cosine / mass);
    float turning = (GRAVITY * sine - cosine * pushed) / inertia;
    float acceleration = pushed - POLE_MASS * HALF_LENGTH * turning * cosine / mass;
    c->x += TIMESTEP * c->speed;
    c->speed += TIMESTEP * acceleration;
    c->angle += TIMESTEP * c->spin;
    c->spin += TIMESTEP * turning;
}

static inline void cartpole_step(Cartpole *c) {
    cartpole_move(c, *(const int32_t *)c->env.actions == 1 ? PUSH : -PUSH);
    cartpole_observe(c);
    c->env.rewards[0] = 1.0f;
    c->tick += 1;
    int fallen = (fabsf(c->x) > FARTHEST) | (fabsf(c->angle) > STEEPEST);
    if (!fallen && c->tick < c->horizon) return;
    env_log(&c->env, LOG_SCORE, c->tick);
    env_log(&c->env, LOG_PERF, (double)c->tick / c->horizon);
    env_log(&c->env, LOG_RETURN, c->tick);
    env_log(&c->env, LOG_LENGTH, c->tick);
    env_log_episode(&c->env);
    if (fallen)
        env_terminate(&c->env);
    else
        env_truncate(&c->env);
}

static void cartpole_draw(Cartpole *c, Scene *scene) {
    double track[3] = {0, 0, -0.3}, track_edges[3] = {2 * FARTHEST + 0.8, 0.5, 0.05};
    double cart[3] = {c->x, 0, -0.12}, cart_edges[3] = {0.6, 0.3, 0.24};
    scene_box(scene, track, track_edges, 0x202830FF);
    scene_box(scene, cart, cart_edges, 0x30C0E0FF);
    for (int i = 0; i <= LINKS; i++) { /* boxes stand straight, so the pole is a row of balls */
        double along = 2.0 * HALF_LENGTH * i / LINKS;
        scene_sphere(scene, c->x + along * sin(c->angle), 0, along * cos(c->angle), 0.045, 0xE0A050FF);
    }
}

static void cartpole_serialize(Cartpole *c, Archive *archive) {
    archive_integer(archive, &c->tick, 0, c->horizon);
    ARCHIVE(archive, c->x);
    ARCHIVE(archive, c->speed);
    ARCHIVE(archive, c->angle);
    ARCHIVE(archive, c->spin);
}

static void cartpole_close(Cartpole *c) { (void)c; }

ENVIRONMENT(cartpole, Cartpole, "a cart keeps a pole upright: Gymnasium's CartPole-v1, in C")
