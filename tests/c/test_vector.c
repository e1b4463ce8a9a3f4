/* test_vector.c: the vectorizer, with buffers that end where they should. */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "../../matdesign/vector/gate.h"
#include "../../matdesign/vector/pool.h"
#include "check.h"

static void refuse(const Environment *environment, SettingValue value, const char *part) {
    Fixture f;
    CHECK(fixture_open(&f, environment, &value, 1, 2, 1) == -1);
    if (!strstr(f.error, part)) fprintf(stderr, "got: %s\n", f.error);
    CHECK(strstr(f.error, part));
    fixture_close(&f);
}

static void settings_are_checked(void) {
    double bad[] = {0, NAN, INFINITY, -INFINITY, 1e9}, two[] = {1, 2};
    for (int i = 0; i < 5; i++)
        refuse(&environment_walkers, (SettingValue){.name = "agents", .numbers = &bad[i], .count = 1}, "from 1 to 1000");
    refuse(&environment_walkers, (SettingValue){.name = "agents", .numbers = two, .count = 2}, "takes one number");
    refuse(&environment_walkers, (SettingValue){.name = "agents", .numbers = two, .count = 0}, "takes one number");
    refuse(&environment_walkers, (SettingValue){.name = "agents", .text = "2"}, "takes one number");
    refuse(&environment_walkers, (SettingValue){.name = "label", .numbers = two, .count = 1}, "takes text");
    refuse(&environment_walkers, (SettingValue){.name = "starts", .text = "1"}, "takes a list of numbers");
    refuse(&environment_walkers, (SettingValue){.name = "starts", .numbers = two, .count = 2}, "one for each");
    refuse(&environment_walkers, (SettingValue){.name = "agent", .numbers = two, .count = 1}, "agents, horizon, bound");
    /* A long table of names in a short buffer. */
    char error[40];
    Spaces spaces;
    SettingValue unknown = {.name = "agent", .numbers = two, .count = 1};
    CHECK(environment_spaces(&environment_walkers, &unknown, 1, &spaces, error, sizeof error) == -1);
    CHECK(strlen(error) == sizeof error - 1);
}

static void failed_init_closes_all(void) {
    double capacity = 5;
    SettingValue value = {.name = "capacity", .numbers = &capacity, .count = 1};
    Fixture f;
    for (int i = 0; i < 3; i++) {
        CHECK(fixture_open(&f, &environment_walkers, &value, 1, 6, 2) == -1);
        CHECK(strstr(f.error, "all places are taken"));
        fixture_close(&f);
    }
    CHECK(fixture_open(&f, &environment_walkers, &value, 1, 5, 2) == 0);
    fixture_close(&f);
}

static void ends_and_masks(void) {
    double horizon = 3;
    SettingValue value = {.name = "horizon", .numbers = &horizon, .count = 1};
    Fixture f;
    CHECK(fixture_open(&f, &environment_walkers, &value, 1, 4, 1) == 0);
    vector_reset(f.vector, 1);
    for (int step = 1; step <= 40; step++) {
        vector_step(f.vector);
        int tick = step % 4; /* three steps, then the reset */
        for (int64_t row = 0; row < f.rows; row++) {
            CHECK(((float *)f.observations)[4 * row + 2] == (float)tick);
            CHECK(f.masks[row] == (tick != 0) && f.truncations[row] == (tick == 3) && f.terminals[row] == 0);
            CHECK((f.rewards[row] == 0.0f) == (tick == 0));
        }
    }
    float means[3];
    CHECK(vector_log(f.vector, 0, f.count, means) == 40 && means[1] == 1.0f && means[2] == 3.0f);
    CHECK(vector_log(f.vector, 0, f.count, means) == 0);
    fixture_close(&f);
}

static void threads_change_nothing(const Environment *environment, int64_t count, int threads, int steps) {
    Fixture serial, threaded;
    CHECK(fixture_open(&serial, environment, NULL, 0, count, 1) == 0);
    CHECK(fixture_open(&threaded, environment, NULL, 0, count, threads) == 0);
    vector_reset(serial.vector, 7);
    vector_reset(threaded.vector, 7);
    size_t columns = (size_t)(serial.rows * serial.spaces.action_dims);
    Random random = {3};
    for (int step = 0; step < steps; step++) {
        for (size_t i = 0; i < columns; i++) {
            uint64_t bits = random_bits(&random);
            int32_t choice = (int32_t)(bits % 5);
            float continuous = (float)(bits % 2001) / 1000.0f - 1.0f;
            memcpy((char *)serial.actions + 4 * i, serial.spaces.choices ? (void *)&choice : (void *)&continuous, 4);
        }
        memcpy(threaded.actions, serial.actions, 4 * columns);
        vector_step(serial.vector);
        vector_step(threaded.vector);
        CHECK(memcmp(serial.observations, threaded.observations, fixture_observation_bytes(&serial)) == 0);
        CHECK(memcmp(serial.rewards, threaded.rewards, 4 * (size_t)serial.rows) == 0);
        CHECK(memcmp(serial.terminals, threaded.terminals, (size_t)serial.rows) == 0);
        CHECK(memcmp(serial.truncations, threaded.truncations, (size_t)serial.rows) == 0);
        CHECK(memcmp(serial.masks, threaded.masks, (size_t)serial.rows) == 0);
    }
    float a[8], b[8];
    CHECK(vector_log(serial.vector, 0, count, a) == vector_log(threaded.vector, 0, count, b));
    CHECK(memcmp(a, b, 3 * sizeof(float)) == 0);
    fixture_close(&serial);
    fixture_close(&threaded);
}

/* Halves sent and received in turns, as a policy that acts for one while the other steps. */
static void parts_change_nothing(int threads) {
    Fixture whole, halves;
    CHECK(fixture_open(&whole, &environment_walkers, NULL, 0, 34, 1) == 0);
    CHECK(fixture_open_parts(&halves, &environment_walkers, NULL, 0, 34, 2, threads) == 0);
    vector_number_from(whole.vector, 5);
    vector_number_from(halves.vector, 5);
    vector_reset(whole.vector, 11);
    vector_reset(halves.vector, 11);
    size_t columns = (size_t)(whole.rows * whole.spaces.action_dims);
    Random random = {3};
    for (int step = 0; step < 100; step++) {
        for (size_t i = 0; i < columns; i++) ((float *)whole.actions)[i] = (float)(random_uniform(&random) - 0.5);
        for (int part = 0; part < 2; part++) {
            if (step) vector_recv(halves.vector, part);
            memcpy((char *)halves.actions + 2 * (size_t)part * columns, (char *)whole.actions + 2 * (size_t)part * columns,
                   2 * columns);
            vector_send(halves.vector, part);
        }
        vector_step(whole.vector);
        vector_recv(halves.vector, 0);
        vector_recv(halves.vector, 1);
        CHECK(memcmp(whole.observations, halves.observations, fixture_observation_bytes(&whole)) == 0);
        CHECK(memcmp(whole.rewards, halves.rewards, 4 * (size_t)whole.rows) == 0);
        CHECK(memcmp(whole.masks, halves.masks, (size_t)whole.rows) == 0);
    }
    vector_send(halves.vector, 1); /* closing waits for it */
    fixture_close(&whole);
    fixture_close(&halves);
}

static void sleep_ms(long ms) {
    struct timespec time = {0, ms * 1000000};
    nanosleep(&time, NULL);
}

/* A worker behind a gate, here a thread, that answers each lane by adding up what it finds. */
typedef struct {
    Gate gate;
    int64_t given[GATE_LANES], sums[GATE_LANES];
} Desk;

static void *clerk(void *argument) {
    Desk *desk = argument;
    for (;;) {
        int lane = gate_next(&desk->gate);
        desk->sums[lane] += desk->given[lane];
        gate_done(&desk->gate, lane);
        if (lane == GATE_LANES - 1) return NULL;
    }
}

static void gates_pass_work(int spins) {
    enum { DESKS = 2, ROUNDS = 3000 };
    static Desk desks[DESKS];
    for (int i = 0; i < DESKS; i++) {
        desks[i] = (Desk){0};
        gates_open(&desks[i].gate, 1, spins);
        gates_send(&desks[i].gate, 1, 0); /* nobody is there yet */
        CHECK(gates_wait(&desks[i].gate, 1, 0, 1) == 0);
        CHECK(gates_wait(&desks[i].gate, 1, 1, 0) == -1);
    }
    pthread_t threads[DESKS];
    for (int i = 0; i < DESKS; i++) CHECK(pthread_create(&threads[i], NULL, clerk, &desks[i]) == 0);
    for (int i = 0; i < DESKS; i++) CHECK(gates_wait(&desks[i].gate, 1, 0, 10000) == -1);
    for (int round = 1; round <= ROUNDS; round++) {
        for (int lane = 0; lane < 2; lane++)
            for (int i = 0; i < DESKS; i++) {
                if (round > 1) CHECK(gates_wait(&desks[i].gate, 1, lane, 10000) == -1);
                desks[i].given[lane] = round;
                gates_send(&desks[i].gate, 1, lane);
            }
        if (round % 1000 == 0) sleep_ms(5);
    }
    for (int i = 0; i < DESKS; i++) {
        CHECK(gates_wait(&desks[i].gate, 1, 0, 10000) == -1 && gates_wait(&desks[i].gate, 1, 1, 10000) == -1);
        gates_send(&desks[i].gate, 1, 2);
        pthread_join(threads[i], NULL);
        CHECK(desks[i].sums[0] == ROUNDS * (ROUNDS + 1) / 2 && desks[i].sums[1] == desks[i].sums[0]);
    }
}

/* Returns once all three items are in hand, which takes three threads, or after ten seconds. */
static void meet(void *context, int64_t begin, int64_t end) {
    _Atomic int *here = context;
    atomic_fetch_add(here, (int)(end - begin));
    int ms = 0;
    while (ms < 10000 && atomic_load(here) < 3) sleep_ms(1), ms++;
    CHECK(ms < 10000);
}

static void sleeping_threads_wake_up(void) {
    Pool *pool = pool_open(3, 3);
    CHECK(pool);
    for (int i = 0; i < 5; i++) {
        _Atomic int here = 0;
        pool_start(pool, meet, &here);
        pool_finish(pool);
        sleep_ms(i % 2 ? 20 : 0); /* long enough to fall asleep, or not */
    }
    pool_close(pool);
}

static void draws(void) {
    Fixture f;
    Scene scene = {0};
    SettingValue value = {.name = "label", .text = "a label"};
    CHECK(fixture_open(&f, &environment_walkers, &value, 1, 3, 1) == 0);
    vector_reset(f.vector, 1);
    for (int i = 0; i < 3; i++) vector_draw(f.vector, i, &scene);
    CHECK(scene.spheres.count == 3 && scene.lines.count == 3 && scene.boxes.count == 0 && scene.text_count == 1);
    CHECK(strcmp(scene.texts[0].text, "a label") == 0);
    scene_free(&scene);
    fixture_close(&f);
}

static void open_and_close(void) {
    for (int i = 0; i < 100; i++) {
        Fixture f;
        CHECK(fixture_open(&f, &environment_squared, NULL, 0, 8, 4) == 0);
        if (i % 2) vector_reset(f.vector, 1);
        if (i % 4 == 1) vector_step(f.vector);
        fixture_close(&f);
    }
    vector_close(NULL);
}

int main(void) {
    settings_are_checked();
    failed_init_closes_all();
    ends_and_masks();
    for (int threads = 2; threads <= 5; threads++) {
        threads_change_nothing(&environment_squared, 1, threads, 100);
        threads_change_nothing(&environment_squared, 7, threads, 300);
        threads_change_nothing(&environment_squared, 300, threads, 200);
        threads_change_nothing(&environment_walkers, 33, threads, 100);
    }
    for (int threads = 1; threads <= 3; threads++) parts_change_nothing(threads);
    gates_pass_work(0);
    gates_pass_work(1000);
    sleeping_threads_wake_up();
    draws();
    open_and_close();
    puts("vector: ok");
}
