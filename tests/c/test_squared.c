/* test_squared.c: squared under actions and sizes that nobody should give. */
#include "check.h"

static int64_t cells_of_kind(const Fixture *f, int64_t env, uint8_t kind) {
    const uint8_t *grid = (const uint8_t *)f->observations + env * f->spaces.features;
    int64_t found = 0;
    for (int i = 0; i < f->spaces.features; i++) found += grid[i] == kind;
    return found;
}

static void wander(double size) {
    const int32_t odd[] = {INT32_MIN, -1, 5, 6, 7, 8, 1 << 20, INT32_MAX};
    SettingValue value = {.name = "size", .numbers = &size, .count = 1};
    Fixture f;
    CHECK(fixture_open(&f, &environment_squared, &value, 1, 16, 1) == 0);
    CHECK(f.spaces.features == (int)(size * size) && f.spaces.choices == 5);
    vector_reset(f.vector, 5);
    Random random = {9};
    for (int step = 0; step < 2000; step++) {
        int32_t *actions = f.actions;
        for (int64_t i = 0; i < f.rows; i++) {
            uint32_t pick = random_integer(&random, 16);
            actions[i] = pick < 8 ? odd[pick] : (int32_t)(pick % 5);
        }
        vector_step(f.vector);
        for (int64_t i = 0; i < f.rows; i++) {
            int64_t agents = cells_of_kind(&f, i, 1);
            CHECK(agents == 1 || (agents == 0 && f.rewards[i] == -1.0f)); /* it may have left the grid */
            CHECK(cells_of_kind(&f, i, 2) == 1 || f.terminals[i]);
        }
    }
    float means[4];
    CHECK(vector_log(f.vector, 0, f.count, means) > 0 && means[3] <= 3 * size + 1);
    fixture_close(&f);
}

static void odd_actions_stay(void) {
    Fixture f;
    CHECK(fixture_open(&f, &environment_squared, NULL, 0, 1, 1) == 0);
    vector_reset(f.vector, 5);
    uint8_t before[121];
    memcpy(before, f.observations, sizeof before);
    for (int step = 0; step < 33; step++) {
        *(int32_t *)f.actions = step % 2 ? INT32_MIN + step : 5 + step;
        vector_step(f.vector);
        CHECK(memcmp(before, f.observations, sizeof before) == 0 && !f.terminals[0] && f.masks[0]);
    }
    vector_step(f.vector);
    CHECK(f.terminals[0] && f.rewards[0] == -1.0f && !f.truncations[0]);
    fixture_close(&f);
}

int main(void) {
    for (int size = 2; size <= 12; size++) wander(size);
    wander(255);
    odd_actions_stay();
    puts("squared: ok");
}
