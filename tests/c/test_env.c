/* test_env.c: the helpers of env.h that stand on their own. */
#include "check.h"

static void random_numbers(void) {
    Random random = {1234567};
    /* First outputs for this seed in the generator's public reference. */
    CHECK(random_bits(&random) == 6457827717110365317ULL);
    CHECK(random_bits(&random) == 3203168211198807973ULL);
    CHECK(random_bits(&random) == 9817491932198370423ULL);
    double sum = 0, squares = 0;
    int counts[5] = {0};
    for (int i = 0; i < 100000; i++) {
        double u = random_uniform(&random), x = random_normal(&random);
        CHECK(u >= 0.0 && u < 1.0);
        sum += x, squares += x * x;
        counts[random_integer(&random, 5)]++;
    }
    CHECK(fabs(sum / 1e5) < 0.015 && fabs(squares / 1e5 - 1.0) < 0.02);
    for (int i = 0; i < 5; i++) CHECK(abs(counts[i] - 20000) < 700);
    CHECK(random_integer(&random, 1) == 0);
}

static void settings(void) {
    double number = 4, array[] = {1, 2, 3};
    SettingValue values[] = {{.name = "agents", .numbers = &number, .count = 1},
                             {.name = "starts", .numbers = array, .count = 3},
                             {.name = "label", .text = "hello"}};
    Settings s = {environment_walkers.settings, values, 3};
    int64_t count;
    CHECK(setting_number(&s, "agents") == 4);
    CHECK(setting_number(&s, "horizon") == 10);
    CHECK(isnan(setting_number(&s, "nothing")));
    CHECK(setting_array(&s, "starts", &count) == array && count == 3);
    CHECK(setting_array(&s, "label", &count) == NULL && count == 0);
    CHECK(strcmp(setting_text(&s, "label"), "hello") == 0);
    CHECK(strcmp(setting_text(&s, "starts"), "") == 0);
}

static void scenes(void) {
    Scene scene = {0};
    double a[3] = {0, 0, 0}, b[3] = {1, 2, 3};
    char long_text[80] = {0}, *volatile label = long_text; /* volatile: or gcc warns of the cut that is tested */
    memset(long_text, 'x', sizeof long_text - 1);
    for (int i = 0; i < 1000; i++) {
        scene_sphere(&scene, i, 0, 0, 0.5, 0x11223344);
        scene_line(&scene, a, b, 0xFFFFFFFF);
        scene_box(&scene, a, b, 0xFF000000);
        scene_text(&scene, 0, 0, 0, 1, 0, label);
    }
    CHECK(scene.spheres.count == 1000 && scene.lines.count == 1000 && scene.boxes.count == 1000);
    CHECK(scene.spheres.rows[999 * SCENE_SPHERE_COLUMNS] == 999.0f);
    CHECK(scene.spheres.rows[4] == 0x11 / 255.0f && scene.spheres.rows[7] == 0x44 / 255.0f);
    CHECK(scene.text_count == 1000 && strlen(scene.texts[999].text) == 63);
    scene_free(&scene);
    CHECK(scene.spheres.rows == NULL);
}

int main(void) {
    random_numbers();
    settings();
    scenes();
    puts("env.h: ok");
}
