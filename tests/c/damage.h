/* damage.h: states saved, loaded, and loaded after they were damaged. */
#ifndef DAMAGE_H
#define DAMAGE_H

#include "check.h"

typedef void (*Act)(Fixture *f, Random *random);

/* `to` goes on from the state of `from` as `from` itself does; then from damaged ones, `times` of them, for some steps
 * each: it refuses them, or it flies on within its memory. Whatever it was, a reset makes it sound again. */
static inline void go_on_and_damage(Fixture *from, Fixture *to, Act act, int times, int steps) {
    int64_t *sizes = malloc(sizeof(int64_t) * (size_t)from->count), refused = 0;
    int64_t size = vector_state_sizes(from->vector, sizes);
    CHECK(size > 0);
    uint8_t *saved = malloc((size_t)size), *bytes = malloc((size_t)size);
    CHECK(vector_save(from->vector, saved, size) == 0);
    CHECK(vector_save(from->vector, bytes, size - 1) == -1);
    CHECK(vector_save(from->vector, saved, size) == 0);
    CHECK(vector_load(to->vector, saved, sizes) == 0);
    memcpy(to->observations, from->observations, fixture_observation_bytes(from));
    Random random = {7}, same = {7};
    Scene scene = {0};
    for (int step = 0; step < steps; step++) {
        act(from, &random), act(to, &same);
        vector_step(from->vector), vector_step(to->vector);
        CHECK(memcmp(from->observations, to->observations, fixture_observation_bytes(from)) == 0);
        CHECK(memcmp(from->rewards, to->rewards, (size_t)from->rows * sizeof(float)) == 0);
        CHECK(memcmp(from->masks, to->masks, (size_t)from->rows) == 0);
    }
    for (int time = 0; time < times; time++) {
        memcpy(bytes, saved, (size_t)size);
        for (uint32_t k = random_integer(&random, 3) + 1; k > 0; k--) {
            uint8_t *byte = bytes + random_integer(&random, (uint32_t)size);
            *byte = time % 2 ? (uint8_t)random_integer(&random, 256) : *byte ^ (uint8_t)(1u << random_integer(&random, 8));
        }
        sizes[0] -= time % 16 == 0;
        int loaded = vector_load(to->vector, bytes, sizes) == 0;
        sizes[0] += time % 16 == 0;
        CHECK(!loaded || time % 16);
        refused += !loaded;
        if (!loaded) vector_reset(to->vector, (uint64_t)time);
        for (int step = 0; step < steps; step++) act(to, &random), vector_step(to->vector);
        vector_draw(to->vector, time % to->count, &scene);
        if (loaded) CHECK(vector_state_sizes(to->vector, sizes) <= 2 * size);
        CHECK(vector_state_sizes(from->vector, sizes) > 0);
    }
    CHECK(refused >= times / 16);
    scene_free(&scene);
    free(sizes), free(saved), free(bytes);
}

#endif
