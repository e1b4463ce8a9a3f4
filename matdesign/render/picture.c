#include "band.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../vector/pool.h"

#ifdef MATDESIGN_BUILTIN
#define EXPORT __attribute__((visibility("default")))
#else
#define EXPORT
#endif

enum { BAND_PIXELS = 16, GAMMA_STEPS = 1 << 15 };

typedef struct {
    Picture *picture;
    uint8_t *pixels;
    const uint8_t *gamma;
    _Atomic int failed;
} Job;

/* The mean over the samples of each pixel. */
static void write_pixels(const Band *band, const Job *job, int first_row) {
    const Picture *picture = band->picture;
    const int samples = picture->samples, channels = picture->transparent ? 4 : 3;
    const float share = 1.0f / (float)(samples * samples);
    for (int row = 0; row < band->rows / samples; row++) {
        uint8_t *to = job->pixels + (size_t)channels * (size_t)(first_row + row) * (size_t)picture->width;
        for (int column = 0; column < picture->width; column++, to += channels) {
            float mean[4] = {0, 0, 0, 0};
            const float *from = band->colours + 4 * samples * ((size_t)row * (size_t)band->columns + (size_t)column);
            for (int line = 0; line < samples; line++, from += 4 * (size_t)band->columns)
                for (int i = 0; i < samples; i++)
                    for (int c = 0; c < 4; c++) mean[c] += from[4 * i + c];
            for (int c = 0; c < 4; c++) mean[c] *= share;
            if (picture->transparent) {
                /* Behind what covers a pixel in part lies the background, which is left out. */
                const float covered = mean[3] > 1e-3f ? mean[3] : 1e-3f;
                const float rest = 1.0f - mean[3];
                for (int c = 0; c < 3; c++) mean[c] = (mean[c] - rest * picture->background[c]) / covered;
                to[3] = (uint8_t)(mean[3] * 255.0f + 0.5f);
            }
            for (int c = 0; c < 3; c++) {
                const float level = mean[c] < 0.0f ? 0.0f : mean[c] > 1.0f ? 1.0f : mean[c];
                to[c] = job->gamma[(int)(level * (GAMMA_STEPS - 1) + 0.5f)];
            }
        }
    }
}

static int draw_band(Band *band, Job *job, int64_t index) {
    const Picture *picture = band->picture;
    const int samples = picture->samples, first = (int)index * BAND_PIXELS;
    const int rows = picture->height - first < BAND_PIXELS ? picture->height - first : BAND_PIXELS;
    band->rows = rows * samples;
    band->strip.rows = band->over.rows = band->rows + 2 * band->border;
    band->strip.first_row = band->over.first_row = first * samples - band->border;
    strip_clear(&band->strip);
    strip_clear(&band->over);
    for (size_t i = 0; i < (size_t)band->rows * (size_t)band->columns; i++) {
        memcpy(band->colours + 4 * i, picture->background, 3 * sizeof(float));
        band->colours[4 * i + 3] = 0.0f;
    }
    draw_solids(&picture->shapes, &picture->view, &band->strip);
    band_outline(band);
    band_light(band);
    for (int32_t i = 0; i < picture->shapes.line_count; i++) band_line(band, picture->shapes.lines + LINE_COLUMNS * i);
    if (band_clear_shapes(band) != 0) return -1;
    write_pixels(band, job, first);
    return 0;
}

static void draw_bands(void *context, int64_t begin, int64_t end) {
    Job *job = context;
    const Picture *picture = job->picture;
    const int border = picture->outline;
    const int columns = picture->width * picture->samples, wide = columns + 2 * border;
    const size_t rows = (size_t)(BAND_PIXELS * picture->samples), all = (rows + 2 * (size_t)border) * (size_t)wide;
    Band *band = malloc(sizeof(Band));
    float *floats = malloc((2 * all + 4 * rows * (size_t)columns) * sizeof(float));
    int32_t *surfaces = malloc(2 * all * sizeof(int32_t));
    uint8_t *dark = malloc(rows * (size_t)columns);
    if (band && floats && surfaces && dark) {
        band->picture = picture;
        band->border = border, band->columns = columns;
        band->strip = (Strip){.first_column = -border, .columns = wide, .depth = floats, .surface = surfaces};
        band->over = band->strip;
        band->over.depth = floats + all, band->over.surface = surfaces + all;
        band->colours = floats + 2 * all, band->dark = dark;
        band->points.count = 0;
        band_samples(band);
        for (int64_t index = begin; index < end; index++)
            if (draw_band(band, job, index) != 0) job->failed = 1;
    } else {
        job->failed = 1;
    }
    free(band);
    free(floats);
    free(surfaces);
    free(dark);
}

static void draw_maps(void *context, int64_t begin, int64_t end) {
    Job *job = context;
    const Light *light = &job->picture->light;
    const size_t texels = (size_t)1 << 2 * light->map_bits;
    float *depth = malloc(texels * sizeof(float));
    int32_t *surfaces = malloc(texels * sizeof(int32_t));
    if (!depth || !surfaces) job->failed = 1;
    for (int64_t lamp = begin; depth && surfaces && lamp < end; lamp++)
        light_draw_map(light, (int32_t)lamp, &job->picture->shapes, &job->picture->view, depth, surfaces);
    free(depth);
    free(surfaces);
}

/* Does `count` items of work on all threads. */
static void share(Job *job, PoolWork work, int64_t count) {
    Pool *pool = pool_open(job->picture->threads, count);
    if (!pool) {
        job->failed = 1;
        return;
    }
    pool_start(pool, work, job);
    pool_finish(pool);
    pool_close(pool);
}

EXPORT int picture_draw(Picture *picture, uint8_t *pixels) {
    Light *light = &picture->light;
    const size_t texels = (size_t)1 << 2 * light->map_bits;
    uint8_t *gamma = malloc(GAMMA_STEPS);
    light->maps = malloc(texels * (size_t)light->count * sizeof(uint16_t));
    Job job = {.picture = picture, .pixels = pixels, .gamma = gamma};
    if (gamma && light->maps) {
        for (int i = 0; i < GAMMA_STEPS; i++)
            gamma[i] = (uint8_t)(255.0f * powf((float)i / (GAMMA_STEPS - 1), 1.0f / 2.2f) + 0.5f);
        share(&job, draw_maps, light->count);
        if (!job.failed) share(&job, draw_bands, (picture->height + BAND_PIXELS - 1) / BAND_PIXELS);
    } else {
        job.failed = 1;
    }
    free(gamma);
    free(light->maps);
    return job.failed ? -1 : 0;
}
