#include "pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "pause.h"

/* Looks at the counter before a thread goes to sleep: about 20-50 us, longer than the pause between two step calls of
 * a tight loop, shorter than anyone's time slice. */
enum { SPINS = 1000, CACHE_LINE = 64 };

struct Pool {
    /* The first item nobody has taken. A thread owns what it takes off here by compare-and-swap; that holds even for
     * one that wakes up a run late, so no thread has to be waited for but those at work. */
    _Alignas(CACHE_LINE) _Atomic int64_t next;
    _Alignas(CACHE_LINE) _Atomic int64_t done;
    _Alignas(CACHE_LINE) _Atomic int sleeping; /* workers in or near pthread_cond_wait */
    _Atomic int waiting;                       /* so is the caller */
    _Atomic int closing;
    /* Written only while every item is done, read only by owners of an item. */
    PoolWork work;
    void *context;
    int64_t count;
    int threads, started;
    pthread_mutex_t mutex;
    pthread_cond_t wake, finished;
    pthread_t *workers;
};

static int has_work(Pool *pool) { return atomic_load(&pool->next) < pool->count || atomic_load(&pool->closing); }

static int is_done(Pool *pool) { return atomic_load(&pool->done) == pool->count; }

static int spin_until(int (*condition)(Pool *), Pool *pool) {
    for (int i = 0; i < SPINS; i++) {
        if (condition(pool)) return 1;
        pause_briefly();
    }
    return 0;
}

/* Takes pieces until none is left: half of an even share of the rest each time. */
static void take_part(Pool *pool) {
    int64_t begin = atomic_load(&pool->next);
    while (begin < pool->count) {
        int64_t size = (pool->count - begin) / (2 * pool->threads);
        if (size < 1) size = 1;
        if (!atomic_compare_exchange_weak(&pool->next, &begin, begin + size)) continue;
        pool->work(pool->context, begin, begin + size);
        if (atomic_fetch_add(&pool->done, size) + size == pool->count && atomic_load(&pool->waiting)) {
            pthread_mutex_lock(&pool->mutex);
            pthread_cond_signal(&pool->finished);
            pthread_mutex_unlock(&pool->mutex);
        }
        begin = atomic_load(&pool->next);
    }
}

static void *worker(void *argument) {
    Pool *pool = argument;
    while (!atomic_load(&pool->closing)) {
        if (!spin_until(has_work, pool)) {
            /* Announced before the last look at the counter, which pool_start sets before it looks for sleepers. */
            pthread_mutex_lock(&pool->mutex);
            atomic_fetch_add(&pool->sleeping, 1);
            while (!has_work(pool)) pthread_cond_wait(&pool->wake, &pool->mutex);
            atomic_fetch_sub(&pool->sleeping, 1);
            pthread_mutex_unlock(&pool->mutex);
        }
        take_part(pool);
    }
    return NULL;
}

static void wake_sleepers(Pool *pool) {
    if (!atomic_load(&pool->sleeping)) return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
}

void pool_start(Pool *pool, PoolWork work, void *context) {
    pool->work = work;
    pool->context = context;
    atomic_store(&pool->done, 0);
    atomic_store(&pool->next, 0);
    wake_sleepers(pool);
}

void pool_finish(Pool *pool) {
    take_part(pool);
    if (spin_until(is_done, pool)) return;
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->waiting, 1);
    while (!is_done(pool)) pthread_cond_wait(&pool->finished, &pool->mutex);
    atomic_store(&pool->waiting, 0);
    pthread_mutex_unlock(&pool->mutex);
}

Pool *pool_open(int threads, int64_t count) {
    Pool *pool = aligned_alloc(CACHE_LINE, sizeof(Pool));
    if (!pool) return NULL;
    *pool = (Pool){.next = count, .done = count, .count = count, .threads = threads};
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->finished, NULL);
    pool->workers = calloc((size_t)threads, sizeof(pthread_t));
    /* Signals from outside (Ctrl-C, SIGTERM) belong to the program's own threads; faults stay with who caused them. */
    sigset_t blocked, before;
    const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) sigdelset(&blocked, faults[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    while (pool->workers && pool->started < threads - 1 &&
           pthread_create(&pool->workers[pool->started], NULL, worker, pool) == 0)
        pool->started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pool->started == threads - 1) return pool;
    pool_close(pool);
    return NULL;
}

void pool_close(Pool *pool) {
    if (!pool) return;
    atomic_store(&pool->closing, 1);
    wake_sleepers(pool);
    for (int i = 0; i < pool->started; i++) pthread_join(pool->workers[i], NULL);
    pthread_cond_destroy(&pool->finished);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->workers);
    free(pool);
}
