/* test_sim_bridge.c: the heat bridge under actions and settings that break its simulations. */
#include "../../matdesign/envs/bridge.h"
#include "../../matdesign/sim/lammps_api.h"
#include "damage.h"
#include "lammps.h"

extern const Environment environment_bridge;

enum { ATOMS = 32, FREE = 8 };

/* The crystal's layers along x become free atoms, hot slab, cold slab and wall, in that order, with a gap. */
static void layers(double *x, double *roles) {
    static const double at[4] = {2.8, 0.8, 4.8, 0.0};
    static const int role[4] = {BRIDGE_FREE, BRIDGE_HOT, BRIDGE_COLD, BRIDGE_WALL};
    double site[3 * ATOMS];
    int types[ATOMS];
    crystal(site, types, ATOMS);
    for (int l = 0, n = 0; l < 4; l++)
        for (int i = 0; i < ATOMS; i++) {
            if (lround((site[3 * i] - 0.01) / 0.8) != l) continue;
            memcpy(x + 3 * n, site + 3 * i, 3 * sizeof(double));
            x[3 * n] = at[l];
            roles[n++] = role[l];
        }
}

static void act(Fixture *f, Random *random) {
    for (int64_t i = 0; i < f->rows * f->spaces.action_dims; i++) ((float *)f->actions)[i] = (float)random_normal(random);
}

static void fly(double strength, double goal, int with_starts, int threads) {
    double x[3 * ATOMS], roles[ATOMS], types[ATOMS], low = 0.8, high = 4.8, horizon = 4, steps = 20, relax = 50;
    layers(x, roles);
    for (int i = 0; i < ATOMS; i++) types[i] = 1;
    char commands[2048] = "";
    for (int i = 0; i < CRYSTAL_COMMANDS; i++) {
        const char *line = crystal_commands[i];
        if (strncmp(line, "boundary", 8) == 0) line = "boundary m p p";
        if (strncmp(line, "region", 6) == 0) line = "region box block -1 6 0 3.2 0 3.2 units box";
        strcat(strcat(commands, line), "\n");
    }
    SettingValue values[] = {
        {.name = "commands", .text = commands},
        {.name = "types", .numbers = types, .count = ATOMS},
        {.name = "positions", .numbers = x, .count = 3 * ATOMS},
        {.name = "roles", .numbers = roles, .count = ATOMS},
        {.name = "starts", .numbers = x, .count = with_starts ? 3 * FREE : 0},
        {.name = "low", .numbers = &low, .count = 1},
        {.name = "high", .numbers = &high, .count = 1},
        {.name = "strength", .numbers = &strength, .count = 1},
        {.name = "horizon", .numbers = &horizon, .count = 1},
        {.name = "heat_steps", .numbers = &steps, .count = 1},
        {.name = "relax_evaluations", .numbers = &relax, .count = 1},
        {.name = "goal_high", .numbers = &goal, .count = 1},
    };
    Fixture f;
    if (fixture_open(&f, &environment_bridge, values, sizeof values / sizeof *values, 3, threads))
        fprintf(stderr, "%s\n", f.error);
    CHECK(f.vector && f.spaces.agents == FREE && f.spaces.action_dims == BRIDGE_ACTIONS);
    vector_reset(f.vector, 1);
    Random random = {3};
    Scene scene = {0};
    float *actions = f.actions, *observations = f.observations;
    for (int step = 0; step < 25; step++) {
        for (int64_t i = 0; i < f.rows * BRIDGE_ACTIONS; i++)
            actions[i] = step % 5 == 4 ? NAN : (float)(random_normal(&random) * (step % 3 == 2 ? 1e30 : 1.0));
        vector_step(f.vector);
        for (int64_t i = 0; i < f.rows * f.spaces.features; i++) CHECK(fabsf(observations[i]) <= 10.0f);
        for (int64_t i = 0; i < f.rows; i++) CHECK(isfinite(f.rewards[i]));
        vector_draw(f.vector, step % 3, &scene);
        CHECK(scene.spheres.count >= ATOMS);
    }
    float means[16];
    CHECK(vector_log(f.vector, 0, f.count, means) >= 12);
    CHECK((means[BRIDGE_FAILURES] > 0.0f) == (strength > 100.0));
    scene_free(&scene);
    Fixture other;
    CHECK(fixture_open(&other, &environment_bridge, values, sizeof values / sizeof *values, 3, 1) == 0);
    go_on_and_damage(&f, &other, act, 40, 5);
    fixture_close(&other);
    fixture_close(&f);
}

static void settings_that_fail(void) {
    double x[9] = {0, 0, 0, 1.2, 0, 0, 2.4, 0, 0}, types[3] = {1, 1, 1}, roles[3] = {0, 1, 2}, wrong[3] = {1, 0, 2};
    SettingValue values[] = {
        {.name = "commands", .text = "units lj\npair_style nothing"},
        {.name = "types", .numbers = types, .count = 3},
        {.name = "positions", .numbers = x, .count = 9},
        {.name = "roles", .numbers = wrong, .count = 3},
    };
    Fixture f;
    CHECK(fixture_open(&f, &environment_bridge, values, 4, 2, 1) == -1 && strstr(f.error, "free atoms must come first"));
    fixture_close(&f);
    values[3].count = 2;
    CHECK(fixture_open(&f, &environment_bridge, values, 4, 2, 1) == -1 && strstr(f.error, "are needed for each atom"));
    fixture_close(&f);
    values[3] = (SettingValue){.name = "roles", .numbers = roles, .count = 3};
    CHECK(fixture_open(&f, &environment_bridge, values, 4, 2, 1) == -1 && strstr(f.error, "pair_style nothing"));
    fixture_close(&f);
}

int main(int argc, char **argv) {
    CHECK(argc == 3);
    char error[512];
    if (lammps_bind(argv[1], argv[2], 1, error, sizeof error)) fprintf(stderr, "%s\n", error);
    CHECK(lammps_bound());
    settings_that_fail();
    fly(1.0, 0.0, 0, 1);
    fly(1.0, 0.1, 1, 3);
    fly(1000.0, 0.0, 0, 2);
    puts("bridge: ok");
}
