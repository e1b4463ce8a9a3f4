#include "gate.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "pause.h"

static void futex_wait(_Atomic uint32_t *word, uint32_t seen, int ms) {
    struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
    syscall(SYS_futex, word, FUTEX_WAIT, seen, ms < 0 ? NULL : &time, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0); }

static int is_done(Gate *gate, int lane) { return atomic_load(&gate->done[lane]) == atomic_load(&gate->sent[lane]); }

static int pending(Gate *gate) {
    for (int lane = 0; lane < GATE_LANES; lane++)
        if (!is_done(gate, lane)) return lane;
    return -1;
}

void gates_open(Gate *gates, int count, int spins) {
    for (int i = 0; i < count; i++) gates[i] = (Gate){.spins = spins};
}

void gates_send(Gate *gates, int count, int lane) {
    for (Gate *gate = gates; gate < gates + count; gate++) {
        atomic_fetch_add(&gate->sent[lane], 1);
        atomic_fetch_add(&gate->bell, 1);
        if (atomic_load(&gate->sleeping)) futex_wake(&gate->bell);
    }
}

static int64_t milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int wait_for(Gate *gate, int lane, int64_t until) {
    for (int i = 0; i < gate->spins; i++) {
        if (is_done(gate, lane)) return 1;
        pause_briefly();
    }
    /* Announced before the last look, which the worker's count comes before its own look at it. */
    atomic_store(&gate->waiting, 1);
    for (;;) {
        uint32_t seen = atomic_load(&gate->answer);
        int64_t left = until - milliseconds();
        int done = is_done(gate, lane);
        if (done || left <= 0) {
            atomic_store(&gate->waiting, 0);
            return done;
        }
        futex_wait(&gate->answer, seen, (int)left);
    }
}

int gates_wait(Gate *gates, int count, int lane, int ms) {
    int64_t until = milliseconds() + ms;
    for (int i = 0; i < count; i++)
        if (!is_done(&gates[i], lane) && !wait_for(&gates[i], lane, until)) return i;
    return -1;
}

int gate_next(Gate *gate) {
    int lane = pending(gate);
    for (int i = 0; i < gate->spins && lane < 0; i++) {
        pause_briefly();
        lane = pending(gate);
    }
    if (lane >= 0) return lane;
    atomic_store(&gate->sleeping, 1);
    for (;;) {
        uint32_t seen = atomic_load(&gate->bell);
        if ((lane = pending(gate)) >= 0) break;
        futex_wait(&gate->bell, seen, -1);
    }
    atomic_store(&gate->sleeping, 0);
    return lane;
}

void gate_done(Gate *gate, int lane) {
    atomic_fetch_add(&gate->done[lane], 1);
    atomic_fetch_add(&gate->answer, 1);
    if (atomic_load(&gate->waiting)) futex_wake(&gate->answer);
}

static void *end_with_the_other(void *argument) {
    int fd = (int)(intptr_t)argument;
    char byte;
    ssize_t got;
    do got = read(fd, &byte, 1);
    while (got > 0 || (got < 0 && errno == EINTR));
    _exit(1);
}

int worker_tie(int fd) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, end_with_the_other, (void *)(intptr_t)fd) != 0) return -1;
    return pthread_detach(thread);
}
