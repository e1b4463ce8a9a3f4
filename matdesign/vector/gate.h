/* gate.h: where a process and a worker process that steps environments for it meet: a few words of memory that both map.
 *
 * Each lane is a kind of work that can be under way once. Work is announced by counting up `sent`, and its end by counting
 * up `done`; everything that either side wrote before is then visible to the other. Both spin for a moment and then sleep
 * in the kernel (futex), so waiting costs no core. */
#ifndef MATDESIGN_GATE_H
#define MATDESIGN_GATE_H

#include <stdint.h>

#include "vector.h"

enum { GATE_LANES = 3, GATE_LINE = 64 };

typedef struct {
    /* Written by the one who sends. */
    _Alignas(GATE_LINE) _Atomic uint32_t sent[GATE_LANES];
    _Atomic uint32_t bell; /* counts what was sent on any lane: the futex that the worker sleeps on */
    _Atomic uint32_t waiting;
    int32_t spins; /* looks before either side goes to sleep */
    /* Written by the worker. */
    _Alignas(GATE_LINE) _Atomic uint32_t done[GATE_LANES];
    _Atomic uint32_t answer; /* counts what was done on any lane */
    _Atomic uint32_t sleeping;
} Gate;

/* `count` contiguous gates with nothing under way. Spinning pays where every process has a core of its own. */
EXPORT void gates_open(Gate *gates, int count, int spins);

/* Announces work on `lane` of each gate. */
EXPORT void gates_send(Gate *gates, int count, int lane);

/* Waits until what was sent on `lane` of every gate is done: -1, or after `ms` milliseconds the first gate where it is
 * not. */
EXPORT int gates_wait(Gate *gates, int count, int lane, int ms);

/* The worker's side: waits for work and returns its lane. */
EXPORT int gate_next(Gate *gate);

EXPORT void gate_done(Gate *gate, int lane);

/* Ends this process as soon as the other end of pipe `fd` is closed, as the kernel does when its owner dies; whatever
 * this process is doing then, and whoever holds the interpreter's lock. Returns 0, or -1 without a thread for it. */
EXPORT int worker_tie(int fd);

#endif
