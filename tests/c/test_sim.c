/* test_sim.c: coroutines and the LAMMPS shim, with LAMMPS' own errors thrown through them. */
#include <pthread.h>

#include "../../matdesign/sim/simulation.h"
#include "lammps.h"

/* ---------------------------------------------------------------------------------------------------- coroutines */

typedef struct {
    Coroutine *coroutine;
    int at, stop;
} Counter;

static int deep(int depth) {
    volatile char frame[512];
    frame[depth % 512] = (char)depth;
    return depth ? deep(depth - 1) + frame[depth % 512] : 0;
}

static void count(void *argument) {
    Counter *counter = argument;
    double kept = 0.5; /* lives in the coroutine's stack across yields */
    for (counter->at = 0; counter->at < counter->stop; counter->at++) {
        deep(200);
        coroutine_yield(counter->coroutine);
        kept += 1.0;
    }
    CHECK(kept == counter->stop + 0.5);
}

static void *resume_elsewhere(void *coroutine) {
    coroutine_resume(coroutine);
    return NULL;
}

static void coroutines(void) {
    Counter counters[3];
    for (int i = 0; i < 3; i++) {
        counters[i] = (Counter){coroutine_open(1 << 18), -1, 5 + i};
        CHECK(!coroutine_active(counters[i].coroutine));
    }
    for (int round = 0; round < 3; round++) { /* one coroutine can be started again and again */
        for (int i = 0; i < 3; i++) coroutine_start(counters[i].coroutine, count, &counters[i]);
        for (int step = 0; step < 8; step++)
            for (int i = 0; i < 3; i++) {
                if (!coroutine_active(counters[i].coroutine)) continue;
                if (step % 2) {
                    pthread_t thread;
                    CHECK(pthread_create(&thread, NULL, resume_elsewhere, counters[i].coroutine) == 0);
                    pthread_join(thread, NULL);
                } else {
                    coroutine_resume(counters[i].coroutine);
                }
                CHECK(counters[i].at == (step < counters[i].stop ? step : counters[i].stop));
            }
        for (int i = 0; i < 3; i++) CHECK(!coroutine_active(counters[i].coroutine));
    }
    coroutine_start(counters[0].coroutine, count, &counters[0]);
    coroutine_resume(counters[0].coroutine);
    for (int i = 0; i < 3; i++) coroutine_close(counters[i].coroutine); /* one of them in the middle */
    coroutine_close(NULL);
}

/* ----------------------------------------------------------------------------------------------------- the shim */

enum { ATOMS = 32 };

static Simulation *open_crystal(void) {
    char error[256];
    double x[3 * ATOMS];
    int types[ATOMS];
    crystal(x, types, ATOMS);
    Simulation *s = simulation_open(crystal_commands, CRYSTAL_COMMANDS, ATOMS, types, x, error, sizeof error);
    if (!s) fprintf(stderr, "%s\n", error);
    CHECK(s);
    return s;
}

static void binding(const char *library, const char *serial) {
    char error[300], packages[20];
    CHECK(lammps_bound() == NULL && lammps_describe(packages, sizeof packages, error, sizeof error) == -1);
    CHECK(simulation_open(NULL, 0, 1, NULL, NULL, error, sizeof error) == NULL && strstr(error, "no LAMMPS"));
    CHECK(lammps_bind("/nowhere/liblammps.so", serial, 0, error, sizeof error) == -1 && strstr(error, "/nowhere"));
    CHECK(lammps_bind(serial, serial, 0, error, sizeof error) == -1 && strstr(error, "has no function lammps_"));
    CHECK(lammps_bind(library, "/nowhere.so", 1, error, sizeof error) == -1 && strstr(error, "stand-in"));
    static char long_path[5000];
    memset(long_path, 'x', sizeof long_path - 1);
    CHECK(lammps_bind(long_path, serial, 0, error, sizeof error) == -1 && strstr(error, "longer than"));
    if (lammps_bind(library, serial, 1, error, sizeof error)) fprintf(stderr, "%s\n", error);
    CHECK(lammps_bound() && lammps_mpi_is_serial());
    CHECK(lammps_bind(library, serial, 1, error, sizeof error) == 0);
    CHECK(lammps_bind("other.so", serial, 1, error, sizeof error) == -1 && strstr(error, "already uses"));
    CHECK(lammps_describe(packages, sizeof packages, error, sizeof error) >= LAMMPS_OLDEST);
    CHECK(strlen(packages) < sizeof packages); /* what does not fit is left out */
}

static void openings_that_fail(void) {
    const char *wrong[] = {"units lj", "pair_style nothing 1.0"};
    double x[6] = {0, 0, 0, 1.2, 0, 0};
    int types[2] = {1, 1};
    char error[400], tiny[8];
    for (int i = 0; i < 5; i++) {
        CHECK(!simulation_open(wrong, 2, 2, types, x, error, sizeof error));
        CHECK(strstr(error, "ERROR") && strstr(error, "command: pair_style nothing 1.0"));
        CHECK(!simulation_open(wrong, 2, 2, types, x, tiny, sizeof tiny) && strlen(tiny) == 7);
        CHECK(!simulation_open(crystal_commands, CRYSTAL_COMMANDS, 0, types, x, error, sizeof error));
    }
}

static void control(void) {
    Simulation *s = open_crystal(), *plain = open_crystal();
    for (int i = 0; i < ATOMS; i++) s->v[3 * i] = plain->v[3 * i] = i % 2 ? 0.5 : -0.5;
    CHECK(simulation_run(plain, 300) == 0);
    for (int step = 0; step < 300; step++) CHECK(simulation_step(s, 1, step % 7 == 0) == 0);
    CHECK(memcmp(s->x, plain->x, 3 * ATOMS * sizeof(double)) == 0);
    CHECK(memcmp(s->v, plain->v, 3 * ATOMS * sizeof(double)) == 0);
    for (int i = 0; i < ATOMS; i++) CHECK(s->id[i] == i + 1);
    CHECK(simulation_step(s, 3, 1) == 0 && s->energy);
    double sum = 0.0, x[3 * ATOMS], cell[3][3], origin[3];
    for (int i = 0; i < ATOMS; i++) sum += s->energy[i];
    CHECK(fabs(sum - simulation_thermo(s, "pe")) < 1e-9 * fabs(sum));
    int periodic[3];
    CHECK(simulation_box(s, origin, cell, periodic) == 0 && periodic[0]);
    simulation_unwrap(s, (const double(*)[3])cell, x);
    for (int i = 0; i < 3 * ATOMS; i++) x[i] += cell[i % 3][i % 3] * (i % 11 - 5);
    CHECK(simulation_place(s, x, NULL, 1) == 0);
    int64_t used;
    CHECK(simulation_relax(s, 1e-4, 70.0, 0.1, 200, &used) == 0 && used <= 200);
    for (int i = 0; i < 3 * ATOMS; i++) s->external[i] = 0.1;
    CHECK(simulation_step(s, 20, 0) == 0 && simulation_end(s) == 0 && simulation_end(s) == 0);
    CHECK(simulation_step(s, 0, 0) == 0);
    CHECK(simulation_step(s, -1, 0) == -1 && simulation_run(s, -1) == -1);
    simulation_close(s); /* in the middle of its controlled run */
    simulation_close(plain);
    simulation_close(NULL);
}

static void errors(void) {
    Simulation *s = open_crystal();
    for (int round = 0; round < 4; round++) {
        CHECK(simulation_step(s, 2, 1) == 0);
        CHECK(simulation_command(s, "fix x all nonsense") == -1 && strstr(s->error, "nonsense"));
        CHECK(simulation_step(s, 1, 0) == -1 && strstr(s->error, "rebuild"));
        CHECK(simulation_rebuild(s) == 0);

        /* Thrown on the coroutine's stack, at set-up and in the middle of the run. */
        CHECK(simulation_command(s, "variable late equal step>5") == 0);
        CHECK(simulation_command(s, "fix stop all halt 1 v_late > 0.5 error hard") == 0);
        int64_t steps = 0;
        while (simulation_step(s, 1, 1) == 0) CHECK(++steps < 20);
        CHECK(strstr(s->error, "command: run"));
        CHECK(simulation_rebuild(s) == 0);
        CHECK(simulation_command(s, "variable gone equal 1") == 0);
        CHECK(simulation_command(s, "fix stop all halt 1 v_gone > 5 error hard") == 0);
        CHECK(simulation_command(s, "variable gone delete") == 0);
        CHECK(simulation_step(s, 1, 1) == -1 && strstr(s->error, "gone"));
        CHECK(simulation_rebuild(s) == 0);

        CHECK(simulation_step(s, 2, 1) == 0);
        s->v[5] = 1e6;
        CHECK(simulation_step(s, 50, 0) == -1 && strstr(s->error, "left the cell"));
        CHECK(simulation_rebuild(s) == 0);
        s->v[5] = round % 2 ? NAN : -INFINITY;
        CHECK(simulation_step(s, 50, 1) == -1);
        CHECK(simulation_rebuild(s) == 0);
        CHECK(isnan(simulation_thermo(s, "nothing")) && strstr(s->error, "nothing"));
        CHECK(simulation_rebuild(s) == 0);
        CHECK(simulation_command(s, "unfix matdesign_control") == -1 && strstr(s->error, "matdesign_control"));
        CHECK(simulation_rebuild(s) == 0);
        double x[3 * ATOMS] = {0};
        CHECK(simulation_place(s, x, NULL, 1) == -1 && strstr(s->error, "not a number"));
        CHECK(simulation_rebuild(s) == 0 && simulation_step(s, 5, 1) == 0);
    }
    simulation_close(s);
}

static void *fly(void *result) {
    for (int i = 0; i < 6; i++) {
        Simulation *s = open_crystal();
        s->v[0] = 0.7;
        for (int step = 0; step < 40; step++) CHECK(simulation_step(s, 1, step % 3 == 0) == 0);
        CHECK(simulation_command(s, "nonsense") == -1 && simulation_rebuild(s) == 0);
        s->v[0] = 0.7;
        CHECK(simulation_step(s, 40, 0) == 0);
        *(double *)result = s->x[0];
        simulation_close(s);
    }
    return NULL;
}

static void threads(void) {
    pthread_t thread[4];
    double result[4];
    for (int i = 0; i < 4; i++) CHECK(pthread_create(&thread[i], NULL, fly, &result[i]) == 0);
    for (int i = 0; i < 4; i++) pthread_join(thread[i], NULL);
    for (int i = 1; i < 4; i++) CHECK(result[i] == result[0]);
}

int main(int argc, char **argv) {
    CHECK(argc == 3);
    coroutines();
    binding(argv[1], argv[2]);
    openings_that_fail();
    control();
    errors();
    threads();
    puts("sim: ok");
}
