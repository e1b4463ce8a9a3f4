/* coroutine.h: a function on a stack of its own that can hand control back in the middle and be continued. */
#ifndef MATDESIGN_COROUTINE_H
#define MATDESIGN_COROUTINE_H

#include <stddef.h>

typedef struct Coroutine Coroutine;

/* A coroutine with a stack of its own (bytes; a page that faults lies below it). NULL for lack of memory. */
Coroutine *coroutine_open(size_t stack_bytes);

/* Makes `body(argument)` what the next resume starts. The coroutine must not be suspended. */
void coroutine_start(Coroutine *coroutine, void (*body)(void *), void *argument);

/* Runs the coroutine until it yields or its body returns. Any thread may resume, one at a time. */
void coroutine_resume(Coroutine *coroutine);

/* Inside the body: hands control back to the caller of resume. */
void coroutine_yield(Coroutine *coroutine);

/* 1 while the body has started and not returned. */
int coroutine_active(const Coroutine *coroutine);

void coroutine_close(Coroutine *coroutine);

#endif
