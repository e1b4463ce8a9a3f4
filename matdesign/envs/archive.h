/* archive.h: the state of an environment as bytes.
 *
 * One function of the environment, NAME_serialize(environment, archive), hands over everything that changes while it
 * runs, in a fixed order, and makes no difference between saving and loading: the calls below copy to the archive or
 * from it, or only count. What follows from the settings alone is not state, and neither are pointers: what they point
 * to is handed over with archive_bytes.
 *
 * An archive may come from a damaged file. Whatever the environment indexes, divides or counts by must therefore be
 * required to be within its bounds; floats may be infinite or NaN. After a refusal nothing else is read, and the
 * environment is reset before anything else is asked of it.
 */
#ifndef MATDESIGN_ARCHIVE_H
#define MATDESIGN_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    uint8_t *to;         /* where bytes are saved; NULL: they are not */
    const uint8_t *from; /* where they are loaded from; NULL: they are not; both NULL: they are counted */
    size_t size, used;   /* bytes there are, and those done */
    int refused;         /* what was to be loaded makes no sense, or what was to be saved cannot be */
} Archive;

/* The next `bytes` of the state. */
static inline void archive_bytes(Archive *archive, void *data, size_t bytes) {
    archive->refused |= bytes > archive->size - archive->used;
    if (archive->refused) return;
    if (archive->to) memcpy(archive->to + archive->used, data, bytes);
    if (archive->from) memcpy(data, archive->from + archive->used, bytes);
    archive->used += bytes;
}

/* The same for a variable, or an array of known length, that is no pointer. */
#define ARCHIVE(archive, variable) archive_bytes(archive, &(variable), sizeof(variable))

/* Refuses a state of which `condition` is not true. Returns 1 where all is well so far. */
static inline int archive_require(Archive *archive, int condition) {
    archive->refused |= !condition;
    return !archive->refused;
}

/* The same for a whole number from `low` to `high`; one that is not keeps its old value. */
static inline void archive_integer(Archive *archive, int32_t *value, int32_t low, int32_t high) {
    int32_t kept = *value;
    ARCHIVE(archive, *value);
    if (!archive_require(archive, *value >= low && *value <= high)) *value = kept;
}

#endif
