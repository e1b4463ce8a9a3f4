/* test_sim_atoms.c: the atoms environment under actions and settings that break its simulations. */
#include "../../matdesign/rewards/property.h"
#include "../../matdesign/sim/lammps_api.h"
#include "damage.h"
#include "lammps.h"

extern const Environment environment_atoms;

enum { ATOMS = 32 };

typedef struct {
    const char *control, *reward, *credit;
    double strength, md_steps;
    int periodic, threads, fails; /* -1: now and then */
} Case;

/* Mean x, to be large, with the noise of two samples; one answer in fifty fails. */
static int measure(Measured *m) {
    double sum = 0.0;
    for (int i = 0; i < m->atoms; i++) {
        if (m->first) m->start[i] = m->x[3 * i];
        m->own[i] = m->x[3 * i];
        m->difference[i] = m->x[3 * i] - m->start[i];
        sum += m->x[3 * i];
    }
    m->value = m->potential = sum / m->atoms;
    for (int s = 0; s < m->samples; s++) m->replicas[s] = m->potential + 1e-3 * (double)((m->seed >> s) % 7);
    m->evaluations = 3;
    return (int)(fabs(m->potential * 1e6)) % 50 != 7 && isfinite(m->potential);
}

static void act(Fixture *f, Random *random) {
    for (int64_t i = 0; i < f->rows * f->spaces.action_dims; i++) ((float *)f->actions)[i] = (float)random_normal(random);
}

static void fly(const Case *c) {
    double x[3 * ATOMS], types[ATOMS], horizon = 6, neighbours = 12, reference = -100, relax = 20, one = 1, kt = 0.2;
    int type[ATOMS];
    crystal(x, type, ATOMS);
    for (int i = 0; i < ATOMS; i++) types[i] = type[i];
    double friction = strcmp(c->control, "kick") == 0 || strcmp(c->control, "force") == 0;
    double bath = friction > 0.0 ? kt : 0.0;
    double measurer = (double)(uintptr_t)measure, parts = 1, samples = 2, penalty = 3, free_steps = 7;
    double goals[4] = {0.1, 0.3, 0.6, 0.8}, melt = 3.0, melt_steps = strcmp(c->reward, "order") ? 0 : 60;
    char commands[2048] = "";
    for (int i = 0; i < CRYSTAL_COMMANDS; i++) {
        const char *line = crystal_commands[i];
        if (!c->periodic && strncmp(line, "boundary", 8) == 0) line = "boundary s s s";
        strcat(strcat(commands, line), "\n");
    }
    SettingValue values[] = {
        {.name = "commands", .text = commands},
        {.name = "types", .numbers = types, .count = ATOMS},
        {.name = "positions", .numbers = x, .count = 3 * ATOMS},
        {.name = "starts", .numbers = x, .count = c->periodic ? 3 * ATOMS : 0},
        {.name = "control", .text = c->control},
        {.name = "reward", .text = c->reward},
        {.name = "strength", .numbers = &c->strength, .count = 1},
        {.name = "md_steps", .numbers = &c->md_steps, .count = 1},
        {.name = "horizon", .numbers = &horizon, .count = 1},
        {.name = "neighbours", .numbers = &neighbours, .count = 1},
        {.name = "reference", .numbers = &reference, .count = 1},
        {.name = "relax_evaluations", .numbers = &relax, .count = 1},
        {.name = "remove_drift", .numbers = &one, .count = 1},
        {.name = "start_kt", .numbers = &kt, .count = 1},
        {.name = "kt", .numbers = &bath, .count = 1},
        {.name = "friction", .numbers = &friction, .count = 1},
        {.name = "measurer", .numbers = &measurer, .count = 1},
        {.name = "parts", .numbers = &parts, .count = 1},
        {.name = "samples", .numbers = &samples, .count = 1},
        {.name = "distance_penalty", .numbers = &penalty, .count = 1},
        {.name = "free_steps", .numbers = &free_steps, .count = 1},
        {.name = "credit", .text = c->credit},
        {.name = "goal", .numbers = goals, .count = 4},
        {.name = "melt_kt", .numbers = &melt, .count = 1},
        {.name = "melt_steps", .numbers = &melt_steps, .count = 1},
    };
    Fixture f;
    if (fixture_open(&f, &environment_atoms, values, sizeof values / sizeof *values, 3, c->threads))
        fprintf(stderr, "%s\n", f.error);
    CHECK(f.vector && f.spaces.agents == ATOMS && f.spaces.action_dims == 3);
    vector_reset(f.vector, 1);
    Random random = {3};
    Scene scene = {0};
    float *actions = f.actions, *observations = f.observations;
    for (int step = 0; step < 25; step++) {
        for (int64_t i = 0; i < 3 * f.rows; i++)
            actions[i] = step % 5 == 4 ? NAN : (float)(random_normal(&random) * (step % 3 == 2 ? 1e30 : 1.0));
        vector_step(f.vector);
        for (int64_t i = 0; i < f.rows * f.spaces.features; i++) CHECK(fabsf(observations[i]) <= 10.0f);
        for (int64_t i = 0; i < f.rows; i++) CHECK(isfinite(f.rewards[i]));
        vector_draw(f.vector, step % 3, &scene);
        CHECK(scene.spheres.count >= ATOMS);
    }
    float means[16];
    int64_t episodes = vector_log(f.vector, 0, f.count, means);
    CHECK(episodes >= 6);
    int failures = -1;
    for (int i = 0; environment_atoms.log_names[i]; i++)
        if (strcmp(environment_atoms.log_names[i], "failures") == 0) failures = i;
    CHECK(failures >= 0 && (c->fails < 0 || (means[failures] > 0.0f) == c->fails));
    scene_free(&scene);
    Fixture other;
    CHECK(fixture_open(&other, &environment_atoms, values, sizeof values / sizeof *values, 3, 1) == 0);
    go_on_and_damage(&f, &other, act, 40, 5);
    fixture_close(&other);
    fixture_close(&f);
}

static void settings_that_fail(void) {
    double x[6] = {0, 0, 0, 1.2, 0, 0}, types[2] = {1, 1}, wrong[2] = {1, 2};
    SettingValue values[] = {
        {.name = "commands", .text = "units lj\npair_style nothing"},
        {.name = "types", .numbers = types, .count = 2},
        {.name = "positions", .numbers = x, .count = 6},
    };
    Fixture f;
    for (int i = 0; i < 3; i++) {
        CHECK(fixture_open(&f, &environment_atoms, values, 3, 2, 1) == -1 && strstr(f.error, "pair_style nothing"));
        fixture_close(&f);
        values[1].numbers = wrong;
        CHECK(fixture_open(&f, &environment_atoms, values, 3, 2, 1) == -1 && strstr(f.error, "type 2"));
        fixture_close(&f);
        values[1].numbers = types;
        values[2].count = 5;
        CHECK(fixture_open(&f, &environment_atoms, values, 3, 2, 1) == -1 && strstr(f.error, "5 coordinates"));
        fixture_close(&f);
        values[2].count = 6;
    }
}

int main(int argc, char **argv) {
    CHECK(argc == 3);
    char error[512];
    if (lammps_bind(argv[1], argv[2], 1, error, sizeof error)) fprintf(stderr, "%s\n", error);
    CHECK(lammps_bound());
    settings_that_fail();
    const Case cases[] = {
        {"kick", "energy", "mix", 0.2, 5, 1, 1, 0},         {"velocity", "goal", "own", 1.0, 5, 0, 2, 0},
        {"force", "energy", "mix", 5.0, 5, 0, 3, 0},        {"displacement", "goal", "own", 0.01, 1, 1, 2, 0},
        {"displacement", "energy", "mix", 0.01, 3, 0, 1, 0}, {"velocity", "energy", "mix", 1000.0, 20, 1, 2, 1},
        {"kick", "goal", "own", 1000.0, 20, 1, 3, 1},       {"displacement", "energy", "mix", 1000.0, 2, 1, 1, 1},
        {"kick", "property", "difference", 0.2, 5, 1, 2, -1}, {"displacement", "property", "own", 0.01, 1, 0, 1, -1},
        {"force", "property", "team", 1000.0, 20, 1, 2, 1},
        {"kick", "order", "mix", 0.2, 5, 1, 2, 0},          {"displacement", "order", "difference", 0.01, 1, 0, 1, 0},
        {"force", "order", "own", 1000.0, 20, 1, 3, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) fly(&cases[i]);
    puts("atoms: ok");
}
