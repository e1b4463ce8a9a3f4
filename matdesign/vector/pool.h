/* pool.h: threads that share one range of work, again and again. */
#ifndef MATDESIGN_POOL_H
#define MATDESIGN_POOL_H

#include <stdint.h>

typedef struct Pool Pool;
typedef void (*PoolWork)(void *context, int64_t begin, int64_t end);

/* `threads` - 1 threads beside the calling one, for ranges 0 .. count-1. NULL where the system gives no thread. */
Pool *pool_open(int threads, int64_t count);

/* The pool's other threads begin to call work(context, begin, end) on pieces that together cover 0 .. count-1 once.
 * Pieces are handed out on demand and shrink towards the end, so that items of uneven cost finish together. Whatever
 * was started before must be finished. */
void pool_start(Pool *pool, PoolWork work, void *context);

/* Takes part in what was started and returns when all of it is done; at once where nothing was. */
void pool_finish(Pool *pool);

void pool_close(Pool *pool);

#endif
