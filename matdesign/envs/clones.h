/* clones.h: one copy of a function for each instruction set, chosen when the library is loaded. */
#ifndef MATDESIGN_CLONES_H
#define MATDESIGN_CLONES_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__SANITIZE_ADDRESS__) && defined(__linux__)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif

#endif
