/* clones.h: one copy of a function for each instruction set, chosen when the library is loaded. */
#ifndef MATDESIGN_CLONES_H
#define MATDESIGN_CLONES_H

/* The choice is made before a sanitizer has set itself up. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#if defined(__x86_64__) && defined(__GNUC__) && !defined(SANITIZED) && defined(__linux__)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif

#endif
