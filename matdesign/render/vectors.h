/* vectors.h: wider vectors for loops over samples. */
#ifndef MATDESIGN_VECTORS_H
#define MATDESIGN_VECTORS_H

/* A function compiled for wider vectors too, and the processor chooses; not for fused multiply-adds, so that every
 * processor draws the same picture. The sanitizers' start-up does not bear it. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define VECTORS __attribute__((target_clones("avx2", "default")))
#else
#define VECTORS
#endif

#endif
