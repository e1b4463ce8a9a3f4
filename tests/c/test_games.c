/* test_games.c: snake, boids, Breakout, Pong, CartPole and drones under settings and actions that nobody should give; and
 * the same run whatever the number of threads, from a saved state too. */
#include "damage.h"

extern const Environment environment_snake, environment_boids, environment_breakout, environment_pong,
    environment_cartpole, environment_drone_swarm;

enum { MOST = 6 };

typedef struct {
    const Environment *environment;
    int64_t envs;
    const char *names[MOST];
    double numbers[MOST];
} Case;

static const Case cases[] = {
    {&environment_squared, 5, {"size"}, {5}},
    {&environment_pong, 5, {"frameskip"}, {1}},
    {&environment_pong, 5, {"horizon", "opponent_speed"}, {7, 0}},
    {&environment_breakout, 5, {"frameskip"}, {1}},
    {&environment_breakout, 5, {"frameskip", "balls", "horizon"}, {64, 1, 9}},
    {&environment_cartpole, 5, {NULL}, {0}},
    {&environment_cartpole, 5, {"horizon"}, {1}},
    {&environment_cartpole, 5, {"velocities"}, {0}},
    {&environment_snake, 5, {NULL}, {0}},
    {&environment_snake, 3, {"snakes", "width", "height", "food", "vision"}, {2, 4, 4, 2, 2}},
    {&environment_snake, 3, {"snakes", "width", "height", "food", "vision"}, {12, 9, 9, 4, 7}},
    {&environment_snake, 2, {"snakes", "width", "height", "food", "corpses", "vision"}, {1, 4, 5, 5, 0, 63}},
    {&environment_boids, 4, {"birds"}, {1}},
    {&environment_boids, 3, {"birds", "crowd", "horizon"}, {7, 100, 13}},
    {&environment_boids, 3, {"birds", "crowd"}, {18, 6}},
    {&environment_boids, 3, {"birds", "crowd", "rules"}, {100, 11, 1}},
    {&environment_boids, 1, {"birds", "crowd"}, {300, 0.01}},
    {&environment_drone_swarm, 3, {"drones", "neighbours"}, {1, 8}},
    {&environment_drone_swarm, 3, {"drones", "horizon"}, {17, 9}},
    {&environment_drone_swarm, 2, {"mass_spread", "thrust_spread", "drag_spread", "timestep"}, {0.9, 0.9, 0.9, 0.1}},
    {&environment_drone_swarm, 1, {"drones", "neighbours", "horizon"}, {1024, 0, 70}},
};

/* Anything for discrete actions; infinities and NaN too for continuous ones. */
static void act(Fixture *f, Random *random) {
    static const int32_t odd[] = {INT32_MIN, -1, 3, 4, 5, 8, 1 << 20, INT32_MAX};
    static const float odder[] = {INFINITY, -INFINITY, NAN, -NAN, 1e38f, -1e38f, 0.0f, 1e-40f};
    for (int64_t i = 0; i < f->rows * f->spaces.action_dims; i++) {
        uint32_t pick = random_integer(random, 32);
        if (f->spaces.choices)
            ((int32_t *)f->actions)[i] = pick < 8 ? odd[pick] : (int32_t)(pick % (uint32_t)f->spaces.choices);
        else
            ((float *)f->actions)[i] = pick < 8 ? odder[pick] : (float)(2.0 * random_uniform(random) - 1.0);
    }
}

static void play(const Case *c) {
    SettingValue values[MOST];
    int64_t count = 0;
    for (; count < MOST && c->names[count]; count++)
        values[count] = (SettingValue){.name = c->names[count], .numbers = &c->numbers[count], .count = 1};
    Fixture one, two;
    CHECK(fixture_open(&one, c->environment, values, count, c->envs, 1) == 0);
    CHECK(fixture_open(&two, c->environment, values, count, c->envs, 2) == 0);
    vector_reset(one.vector, 5), vector_reset(two.vector, 5);
    Random random = {9}, same = {9};
    Scene scene = {0};
    for (int step = 0; step < 600; step++) {
        act(&one, &random), act(&two, &same);
        vector_step(one.vector), vector_step(two.vector);
        CHECK(memcmp(one.observations, two.observations, fixture_observation_bytes(&one)) == 0);
        CHECK(memcmp(one.rewards, two.rewards, (size_t)one.rows * sizeof(float)) == 0);
        CHECK(memcmp(one.masks, two.masks, (size_t)one.rows) == 0);
        for (int64_t i = 0; i < one.rows; i++) CHECK(isfinite(one.rewards[i]));
        if (step % 50 == 0) vector_draw(one.vector, step / 50 % c->envs, &scene);
    }
    go_on_and_damage(&one, &two, act, one.rows > 500 ? 16 : 200, 20);
    float means[64];
    CHECK(vector_log(one.vector, 0, c->envs, means) > 0 || c->environment == &environment_pong);
    for (int64_t i = 0; !one.spaces.bytes && i < one.rows * one.spaces.features; i++)
        CHECK(isfinite(((float *)one.observations)[i]));
    scene_free(&scene);
    fixture_close(&one), fixture_close(&two);
}

int main(void) {
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) play(&cases[i]);
    puts("games: ok");
}
