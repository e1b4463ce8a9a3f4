/* test_render.c: pictures of small scenes: every kind of shape, clear ones, every edge, one thread and several. */
#include <math.h>
#include <string.h>

#include "../../matdesign/render/picture.h"
#include "check.h"

enum { WIDTH = 61, HEIGHT = 45, LAMPS = 3 };

static const float lamps[LAMPS * LAMP_COLUMNS] = {
    0, 0, 1, 0.6f, 0, /* */ 0.6f, 0, 0.8f, 0.4f, 0.2f, /* */ 0, 1, 0, 0.3f, 0,
};
static const float spheres[] = {
    0, 0, 0, 3, 1, 0, 0, 1, /* */ 30, 0, 0, 8, 0, 1, 0, 1, /* beyond the right edge */
    2, 2, 4, 2, 0, 0, 1, 0.5f,
};
static const float cylinders[] = {
    -8, -6, 0, -8, 6, 2, 1, 1, 1, 0, 1, /* */ -3, -8, 0, 3, -8, 0, 1, 0, 1, 1, 0.3f, /* clear */
    0, 8, -2, 0, 8, 2, 1, 1, 0, 1, 1,   /* seen along its axis */
    5, 5, 0, 5, 5, 0, 0.5f, 1, 1, 1, 1, /* without length */
};
static const float boxes[] = {8, -3, 0, 4, 4, 4, 0.5f, 0.5f, 0.5f, 1, /* */ 8, 6, 3, 3, 3, 1, 1, 1, 0, 0.4f};
static const float lines[] = {
    -40, 1, 0, 40, 1, 0, 0, 0, 0, 1, /* */ -5, -5, 5, 5, 5, 5, 0, 0, 0, 0.5f, /* */ 1, 1, 1, 1, 1, 1, 0, 0, 0, 1,
};

static Picture scene(float inverse_eye, int samples, int threads) {
    return (Picture){
        .shapes = {spheres, cylinders, boxes, lines, 3, 4, 2, 3},
        .view = {.axes = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
                 .inverse_eye = inverse_eye,
                 .scale = 2.0f * (float)samples,
                 .width = WIDTH * samples,
                 .height = HEIGHT * samples},
        .light = {.lamps = lamps, .count = LAMPS, .map_bits = 6, .radius = 40, .softness = 0.5f},
        .width = WIDTH,
        .height = HEIGHT,
        .samples = samples,
        .threads = threads,
        .background = {1, 1, 1},
        .transparent = 1,
        .near = 10,
        .far = -10,
        .depth_cue = 0.1f,
        .outline = samples,
        .outline_step = 0.5f,
        .outline_light = 0.05f,
        .line_width = 1.5f * (float)samples,
    };
}

static uint8_t *drawn(Picture picture) {
    uint8_t *pixels = malloc(4 * WIDTH * HEIGHT);
    CHECK(pixels && picture_draw(&picture, pixels) == 0);
    return pixels;
}

static const uint8_t *at(const uint8_t *pixels, double x, double y) {
    return pixels + 4 * ((int)(HEIGHT / 2.0 - 2 * y) * WIDTH + (int)(WIDTH / 2.0 + 2 * x));
}

static void every_shape_is_where_it_is(void) {
    uint8_t *pixels = drawn(scene(0, 3, 1));
    const uint8_t *red = at(pixels, -0.5, -2), *yellow = at(pixels, -8, -3), *grey = at(pixels, 8, -3);
    CHECK(red[0] > 2 * red[1] && red[3] == 255);
    CHECK(yellow[0] > 100 && yellow[1] > 100 && 2 * yellow[2] < yellow[0] && yellow[3] == 255);
    CHECK(abs(grey[0] - grey[1]) < 3 && grey[3] == 255);
    CHECK(abs(at(pixels, 0, -8)[3] - 77) < 3);   /* clear cylinder: 0.3 */
    CHECK(abs(at(pixels, 8, 6)[3] - 102) < 3);   /* clear box: 0.4 */
    CHECK(at(pixels, 3.6, 2)[2] > at(pixels, 3.6, 2)[0]); /* clear blue ball alone */
    CHECK(at(pixels, -12, 8)[3] == 0);
    CHECK(at(pixels, -12, 1)[3] > 200 && at(pixels, -12, 1)[0] < 80); /* the line */
    CHECK(at(pixels, 0, 1)[0] > 100);                                 /* which the ball hides */
    free(pixels);
}

static void threads_do_not_matter(void) {
    for (int samples = 1; samples <= 8; samples += samples == 1 ? 1 : 6)
        for (int perspective = 0; perspective < 2; perspective++) {
            const float k = perspective ? 1.0f / 60.0f : 0.0f;
            uint8_t *one = drawn(scene(k, samples, 1)), *four = drawn(scene(k, samples, 4));
            CHECK(memcmp(one, four, 4 * WIDTH * HEIGHT) == 0);
            free(one), free(four);
        }
}

/* Depth and normal of what is seen, against the equations of sphere, cylinder and box. */
static void surfaces_are_exact(void) {
    enum { SIZE = 64 };
    static float depth[SIZE * SIZE];
    static int32_t surface[SIZE * SIZE];
    for (int perspective = 0; perspective < 2; perspective++) {
        Picture picture = scene(perspective ? 1.0f / 50.0f : 0.0f, 1, 1);
        picture.view.width = picture.view.height = SIZE;
        Strip strip = {.rows = SIZE, .columns = SIZE, .depth = depth, .surface = surface};
        strip_clear(&strip);
        draw_solids(&picture.shapes, &picture.view, &strip);
        int seen[3] = {0, 0, 0};
        for (int i = 0; i < SIZE * SIZE; i++) {
            if (surface[i] == NOTHING) continue;
            const float away = (1.0f - picture.view.inverse_eye * depth[i]) / picture.view.scale;
            const float p[3] = {away * ((float)(i % SIZE) + 0.5f - SIZE / 2),
                                away * (SIZE / 2 - (float)(i / SIZE) - 0.5f), depth[i]};
            float n[3];
            surface_normal(&picture.shapes, surface[i], &picture.view, p, n);
            CHECK(fabsf(n[0] * n[0] + n[1] * n[1] + n[2] * n[2] - 1.0f) < 1e-4f);
            if (surface[i] == 0) {
                CHECK(fabsf(sqrtf(p[0] * p[0] + p[1] * p[1] + p[2] * p[2]) - 3.0f) < 1e-3f);
                CHECK(fabsf(n[0] - p[0] / 3) < 1e-3f && fabsf(n[2] - p[2] / 3) < 1e-3f);
                seen[0]++;
            } else if (surface[i] == cylinder_surface(&picture.shapes, 0)) {
                const float s = ((p[1] + 6) * 12 + p[2] * 2) / 148; /* along the axis (0, 12, 2) from (-8, -6, 0) */
                const float x = p[0] + 8, y = p[1] + 6 - 12 * s, z = p[2] - 2 * s;
                CHECK(s > -1e-3f && s < 1.001f && fabsf(sqrtf(x * x + y * y + z * z) - 1.0f) < 2e-3f);
                seen[1]++;
            } else if (surface[i] >= box_surface(&picture.shapes, 0)) {
                const float out[3] = {fabsf(p[0] - 8), fabsf(p[1] + 3), fabsf(p[2])};
                const float far = fmaxf(out[0], fmaxf(out[1], out[2]));
                CHECK(fabsf(far - 2.0f) < 2e-3f);
                seen[2]++;
            }
        }
        CHECK(seen[0] > 80 && seen[1] > 60 && seen[2] > 40);
    }
}

int main(void) {
    every_shape_is_where_it_is();
    threads_do_not_matter();
    surfaces_are_exact();
    puts("render: ok");
    return 0;
}
