#include "coroutine.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#endif
#endif
#ifdef ADDRESS_SANITIZER
#include <sanitizer/common_interface_defs.h>
#endif

/* On x86-64 a switch is a dozen instructions of our own; swapcontext makes two system calls for the signal mask
 * each time, which a step of thirty atoms would feel. Elsewhere swapcontext does it. */
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

struct Coroutine {
    void (*body)(void *);
    void *argument;
    int active;
    char *memory;
    size_t memory_bytes, guard_bytes;
#if defined(__x86_64__)
    void *inside, *outside; /* stack pointers of the side that waits */
#else
    ucontext_t inside, outside;
#endif
#ifdef ADDRESS_SANITIZER
    const void *outside_bottom;
    size_t outside_bytes;
    void *inside_fake;
#endif
};

#if defined(__x86_64__)
/* Saves what the System V ABI says a call preserves, stores the stack pointer in *save, continues at `to`. */
void matdesign_switch_stack(void **save, void *to);
__asm__(
    ".text\n"
    ".globl matdesign_switch_stack\n"
    ".hidden matdesign_switch_stack\n"
    ".type matdesign_switch_stack,@function\n"
    "matdesign_switch_stack:\n"
    "    pushq %rbp\n"
    "    pushq %rbx\n"
    "    pushq %r12\n"
    "    pushq %r13\n"
    "    pushq %r14\n"
    "    pushq %r15\n"
    "    subq $8, %rsp\n"
    "    stmxcsr (%rsp)\n"
    "    fnstcw 4(%rsp)\n"
    "    movq %rsp, (%rdi)\n"
    "    movq %rsi, %rsp\n"
    "    ldmxcsr (%rsp)\n"
    "    fldcw 4(%rsp)\n"
    "    addq $8, %rsp\n"
    "    popq %r15\n"
    "    popq %r14\n"
    "    popq %r13\n"
    "    popq %r12\n"
    "    popq %rbx\n"
    "    popq %rbp\n"
    "    ret\n"
    ".size matdesign_switch_stack,.-matdesign_switch_stack\n"
    ".section .note.GNU-stack,\"\",@progbits\n"
    ".text\n");
#endif

static void switch_in(Coroutine *c) {
#if defined(__x86_64__)
    matdesign_switch_stack(&c->outside, c->inside);
#else
    swapcontext(&c->outside, &c->inside);
#endif
}

static void switch_out(Coroutine *c) {
#if defined(__x86_64__)
    matdesign_switch_stack(&c->inside, c->outside);
#else
    swapcontext(&c->inside, &c->outside);
#endif
}

/* The first function on the coroutine's stack; never returns, since nothing lies below it. */
static void enter(Coroutine *c) {
#ifdef ADDRESS_SANITIZER
    __sanitizer_finish_switch_fiber(NULL, &c->outside_bottom, &c->outside_bytes);
#endif
    c->body(c->argument);
    c->active = 0;
#ifdef ADDRESS_SANITIZER
    __sanitizer_start_switch_fiber(NULL, c->outside_bottom, c->outside_bytes);
#endif
    switch_out(c);
    abort();
}

#if defined(__x86_64__)
/* A switch arrives here with the coroutine in r12, as if returning; the stack is aligned as a call leaves it. */
void matdesign_enter(Coroutine *c);
void matdesign_enter(Coroutine *c) { enter(c); }
void matdesign_trampoline(void);
__asm__(
    ".text\n"
    ".globl matdesign_trampoline\n"
    ".hidden matdesign_trampoline\n"
    ".type matdesign_trampoline,@function\n"
    "matdesign_trampoline:\n"
    "    .cfi_startproc\n"
    "    .cfi_undefined rip\n" /* stack walks end here */
    "    movq %r12, %rdi\n"
    "    call matdesign_enter\n"
    "    ud2\n"
    "    .cfi_endproc\n"
    ".size matdesign_trampoline,.-matdesign_trampoline\n");
#else
static void enter_split(unsigned int high, unsigned int low) {
    enter((Coroutine *)(((uintptr_t)high << 32) | low));
}
#endif

Coroutine *coroutine_open(size_t stack_bytes) {
    Coroutine *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    c->guard_bytes = page;
    c->memory_bytes = (stack_bytes + page - 1) / page * page + page;
    void *memory = mmap(NULL, c->memory_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, page, PROT_NONE)) {
        if (memory != MAP_FAILED) munmap(memory, c->memory_bytes);
        free(c);
        return NULL;
    }
    c->memory = memory;
    return c;
}

void coroutine_start(Coroutine *c, void (*body)(void *), void *argument) {
    c->body = body;
    c->argument = argument;
#if defined(__x86_64__)
    void **top = (void **)(c->memory + c->memory_bytes);
    *--top = (void *)matdesign_trampoline;  /* where the first switch returns to; the stack is then aligned for a call */
    *--top = NULL;                          /* rbp */
    *--top = NULL;                          /* rbx */
    *--top = c;                             /* r12 */
    *--top = NULL;                          /* r13 */
    *--top = NULL;                          /* r14 */
    *--top = NULL;                          /* r15 */
    --top;
    uint32_t mxcsr = 0;
    uint16_t x87 = 0;
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(x87));
    ((uint32_t *)top)[0] = mxcsr;
    ((uint32_t *)top)[1] = x87;
    c->inside = top;
#else
    getcontext(&c->inside);
    c->inside.uc_stack.ss_sp = c->memory + c->guard_bytes;
    c->inside.uc_stack.ss_size = c->memory_bytes - c->guard_bytes;
    c->inside.uc_link = NULL;
    uintptr_t address = (uintptr_t)c;
    makecontext(&c->inside, (void (*)(void))enter_split, 2, (unsigned int)(address >> 32), (unsigned int)address);
#endif
    c->active = 1;
}

void coroutine_resume(Coroutine *c) {
#ifdef ADDRESS_SANITIZER
    void *fake;
    __sanitizer_start_switch_fiber(&fake, c->memory + c->guard_bytes, c->memory_bytes - c->guard_bytes);
#endif
    switch_in(c);
#ifdef ADDRESS_SANITIZER
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
}

void coroutine_yield(Coroutine *c) {
#ifdef ADDRESS_SANITIZER
    __sanitizer_start_switch_fiber(&c->inside_fake, c->outside_bottom, c->outside_bytes);
#endif
    switch_out(c);
#ifdef ADDRESS_SANITIZER
    __sanitizer_finish_switch_fiber(c->inside_fake, &c->outside_bottom, &c->outside_bytes);
#endif
}

int coroutine_active(const Coroutine *c) { return c->active; }

void coroutine_close(Coroutine *c) {
    if (!c) return;
    munmap(c->memory, c->memory_bytes);
    free(c);
}
