#include "picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../vector/pool.h"

#ifdef MATDESIGN_BUILTIN
#define EXPORT __attribute__((visibility("default")))
#else
#define EXPORT
#endif

enum { STRIP_PIXELS = 16, GAMMA_STEPS = 1 << 15 };

typedef struct {
    Picture *picture;
    uint8_t *rgba;
    const uint8_t *gamma;
    _Atomic int failed;
} Job;

/* One strip of the picture in work: all of it has a border of `outline` samples but the colours. */
typedef struct {
    const Picture *picture;
    Strip strip;
    int border, rows, columns; /* the strip's samples without the border */
    float *colours;            /* [rows][columns][4], premultiplied by coverage, which comes last */
    uint8_t *dark;             /* [rows][columns] */
    Strip over;                /* scratch of a clear shape */
    Points points;
    int32_t surfaces[BATCH]; /* of each point */
    int32_t pixels[BATCH];   /* its place: first sample's row * columns + column */
    uint64_t covers[BATCH];  /* bits of the samples of its pixel */
} Desk;

static float haze(const Picture *picture, float z) {
    const float part = (picture->near - z) / (picture->near - picture->far + 1e-9f);
    return picture->depth_cue * fminf(fmaxf(part, 0.0f), 1.0f);
}

static size_t sample_index(const Desk *desk, int row, int column) {
    return (size_t)(row + desk->border) * (size_t)desk->strip.columns + (size_t)(column + desk->border);
}

static void blend(float *to, const float colour[3], float alpha) {
    for (int c = 0; c < 3; c++) to[c] += alpha * (colour[c] - to[c]);
    to[3] += alpha * (1.0f - to[3]);
}

/* Lights the points gathered so far and writes the colours of their samples, of opacity `alpha`. */
static void finish_points(Desk *desk) {
    const Picture *picture = desk->picture;
    Points *points = &desk->points;
    const int samples = picture->samples;
    light_points(&picture->light, &picture->view, points);
    for (int i = 0; i < points->count; i++) {
        const float *own = surface_colour(&picture->shapes, desk->surfaces[i]);
        const float fade = haze(picture, points->place[2][i]), alpha = fminf(own[3], 1.0f);
        float colour[2][3];
        for (int c = 0; c < 3; c++) {
            const float lit = own[c] * points->diffuse[i] + points->highlight[i];
            colour[0][c] = lit + fade * (picture->background[c] - lit);
            const float drawn = lit * picture->outline_light;
            colour[1][c] = drawn + fade * (picture->background[c] - drawn);
        }
        for (int bit = 0; bit < samples * samples; bit++)
            if (desk->covers[i] >> bit & 1) {
                const size_t at = (size_t)desk->pixels[i] + (size_t)(bit / samples * desk->columns + bit % samples);
                blend(desk->colours + 4 * at, colour[alpha >= 1.0f && desk->dark[at]], alpha);
            }
    }
    points->count = 0;
}

/* A new point: the mean place of these samples of a pixel, which see the same surface. */
static void add_point(Desk *desk, const Strip *seen, int row, int column, int32_t surface, uint64_t cover) {
    const Picture *picture = desk->picture;
    const View *view = &picture->view;
    if (desk->points.count == BATCH) finish_points(desk);
    const int i = desk->points.count++, samples = picture->samples;
    float place[3] = {0, 0, 0}, normal[3], count = 0.0f;
    for (int bit = 0; bit < samples * samples; bit++) {
        if (!(cover >> bit & 1)) continue;
        const int line = row + bit / samples, across = column + bit % samples;
        const float z = seen->depth[sample_index(desk, line, across)], away = 1.0f - view->inverse_eye * z;
        const int first = desk->strip.first_row + desk->border;
        place[0] += away * ((float)across + 0.5f - 0.5f * (float)view->width) / view->scale;
        place[1] += away * (0.5f * (float)view->height - (float)(first + line) - 0.5f) / view->scale;
        place[2] += z;
        count += 1.0f;
    }
    for (int axis = 0; axis < 3; axis++) place[axis] /= count;
    surface_normal(&picture->shapes, surface, view, place, normal);
    for (int axis = 0; axis < 3; axis++)
        desk->points.place[axis][i] = place[axis], desk->points.normal[axis][i] = normal[axis];
    desk->surfaces[i] = surface;
    desk->pixels[i] = row * desk->columns + column;
    desk->covers[i] = cover;
}

/* Lights everything `seen` holds in a window of pixels: once for each surface in each pixel. */
static void light_window(Desk *desk, const Strip *seen, Window window) {
    const int samples = desk->picture->samples, all = samples * samples;
    for (int row = window.low_row; row < window.high_row; row += samples)
        for (int column = window.low_column; column < window.high_column; column += samples) {
            uint64_t left = all == 64 ? ~0ULL : (1ULL << all) - 1;
            while (left) {
                const int first = __builtin_ctzll(left);
                const int32_t surface =
                    seen->surface[sample_index(desk, row + first / samples, column + first % samples)];
                uint64_t cover = 0;
                for (int bit = first; bit < all; bit++) {
                    const size_t at = sample_index(desk, row + bit / samples, column + bit % samples);
                    cover |= (uint64_t)(seen->surface[at] == surface) << bit;
                }
                cover &= left;
                left &= ~cover;
                if (surface != NOTHING) add_point(desk, seen, row, column, surface, cover);
            }
        }
    finish_points(desk);
}

/* A sample is dark where, an outline's width from it, another surface stands farther back, or nothing does. */
static void find_outlines(Desk *desk) {
    const int width = desk->picture->outline, diagonal = (7 * width + 5) / 10, columns = desk->strip.columns;
    const float step = desk->picture->outline_step;
    memset(desk->dark, 0, (size_t)desk->rows * (size_t)desk->columns);
    if (width == 0) return;
    const int shifts[8] = {width,     -width,    width * columns,          -width * columns,
                           diagonal * (columns + 1), -diagonal * (columns + 1), diagonal * (columns - 1),
                           -diagonal * (columns - 1)};
    for (int row = 0; row < desk->rows; row++) {
        const float *depth = desk->strip.depth + sample_index(desk, row, 0);
        const int32_t *surface = desk->strip.surface + sample_index(desk, row, 0);
        uint8_t *dark = desk->dark + (size_t)row * (size_t)desk->columns;
        for (int shift = 0; shift < 8; shift++) {
            const float *other = depth + shifts[shift];
            const int32_t *beside = surface + shifts[shift];
            for (int i = 0; i < desk->columns; i++)
                dark[i] |= (uint8_t)((beside[i] != surface[i]) & (other[i] < depth[i] - step));
        }
    }
}

/* A line of constant width, in front of what is behind it. */
static void draw_line(Desk *desk, const float *row) {
    const Picture *picture = desk->picture;
    const View *view = &picture->view;
    const float half = 0.5f * picture->line_width, k = view->inverse_eye;
    float ends[2][3], at[2][2], colour[3];
    for (int end = 0; end < 2; end++) {
        to_view(view, row + 3 * end, ends[end]);
        const float away = 1.0f - k * ends[end][2];
        at[end][0] = 0.5f * (float)view->width + ends[end][0] / away * view->scale;
        at[end][1] = 0.5f * (float)view->height - ends[end][1] / away * view->scale;
    }
    const Strip *strip = &desk->strip;
    const Window window = window_of(view, strip, (const float(*)[3])ends, 2, half + 1.0f);
    const float dx = at[1][0] - at[0][0], dy = at[1][1] - at[0][1], square = dx * dx + dy * dy + 1e-12f;
    const float away0 = 1.0f - k * ends[0][2], away1 = 1.0f - k * ends[1][2];
    const int border = desk->border;
    for (int c = 0; c < 3; c++) colour[c] = row[6 + c];
    for (int line = window.low_row; line < window.high_row; line++) {
        if (line < border || line >= border + desk->rows) continue;
        const float y = (float)(strip->first_row + line) + 0.5f - at[0][1];
        for (int column = window.low_column; column < window.high_column; column++) {
            if (column < border || column >= border + desk->columns) continue;
            const float x = (float)(strip->first_column + column) + 0.5f - at[0][0];
            const float t = fminf(fmaxf((x * dx + y * dy) / square, 0.0f), 1.0f);
            const float ox = x - t * dx, oy = y - t * dy;
            if (ox * ox + oy * oy > half * half) continue;
            /* What is linear in the picture is z of an orthographic view and z over the distance in perspective. */
            const float part = t * away0 / (t * away0 + (1.0f - t) * away1);
            const float z = ends[0][2] + part * (ends[1][2] - ends[0][2]);
            const size_t sample = (size_t)line * (size_t)strip->columns + (size_t)column;
            if (z <= strip->depth[sample]) continue;
            const float fade = haze(picture, z), alpha = fminf(row[9], 1.0f);
            float seen[3];
            for (int c = 0; c < 3; c++) seen[c] = colour[c] + fade * (picture->background[c] - colour[c]);
            const size_t place = (size_t)(line - border) * (size_t)desk->columns + (size_t)(column - border);
            blend(desk->colours + 4 * place, seen, alpha);
            if (alpha >= 1.0f) strip->depth[sample] = z;
        }
    }
}

typedef struct {
    float z;
    int32_t surface;
} Clear;

static int farther_first(const void *a, const void *b) {
    const Clear *one = a, *other = b;
    if (one->z != other->z) return one->z < other->z ? -1 : 1;
    return one->surface < other->surface ? -1 : 1;
}

/* Shapes one can see through, from the farthest to the nearest; -1 where memory ran out. */
static int draw_clear(Desk *desk) {
    const Picture *picture = desk->picture;
    const Shapes *shapes = &picture->shapes;
    Clear *clear = NULL;
    int64_t count = 0, room = 0;
    for (int32_t surface = 0; surface < surface_count(shapes); surface++) {
        const int box = surface >= box_surface(shapes, 0), ball = surface < cylinder_surface(shapes, 0);
        const int faces = ball ? 1 : box ? FACES : 2;
        if (surface_colour(shapes, surface)[3] < 1.0f) {
            if (count == room) {
                room = room ? 2 * room : 64;
                Clear *grown = realloc(clear, (size_t)room * sizeof(Clear));
                if (!grown) return free(clear), -1;
                clear = grown;
            }
            float seen[3];
            const float *row = box ? shapes->boxes + BOX_COLUMNS * ((surface - box_surface(shapes, 0)) / FACES)
                               : ball ? shapes->spheres + SPHERE_COLUMNS * surface
                                      : shapes->cylinders + CYLINDER_COLUMNS * ((surface - cylinder_surface(shapes, 0)) / 2);
            to_view(&picture->view, row, seen);
            clear[count++] = (Clear){seen[2], surface};
        }
        surface += faces - 1;
    }
    if (count) qsort(clear, (size_t)count, sizeof(Clear), farther_first);
    for (int64_t i = 0; i < count; i++) {
        Strip *over = &desk->over;
        const Window all = draw_surface(shapes, clear[i].surface, &picture->view, over);
        Window inner = {all.low_column - desk->border, all.high_column - desk->border, all.low_row - desk->border,
                        all.high_row - desk->border};
        const int samples = picture->samples;
        inner.low_column = inner.low_column < 0 ? 0 : inner.low_column / samples * samples;
        inner.low_row = inner.low_row < 0 ? 0 : inner.low_row / samples * samples;
        inner.high_column = inner.high_column > desk->columns ? desk->columns : inner.high_column;
        inner.high_row = inner.high_row > desk->rows ? desk->rows : inner.high_row;
        /* What is in front of it hides it. */
        for (int row = all.low_row; row < all.high_row; row++)
            for (int column = all.low_column; column < all.high_column; column++) {
                const size_t at = (size_t)row * (size_t)over->columns + (size_t)column;
                if (over->depth[at] <= desk->strip.depth[at]) over->surface[at] = NOTHING;
            }
        light_window(desk, over, inner);
        for (int row = all.low_row; row < all.high_row; row++)
            for (int column = all.low_column; column < all.high_column; column++) {
                const size_t at = (size_t)row * (size_t)over->columns + (size_t)column;
                over->depth[at] = EMPTY, over->surface[at] = NOTHING;
            }
    }
    free(clear);
    return 0;
}

static void write_pixels(const Desk *desk, const Job *job, int first_pixel_row) {
    const Picture *picture = desk->picture;
    const int samples = picture->samples;
    const float share = 1.0f / (float)(samples * samples);
    for (int row = 0; row < desk->rows / samples; row++)
        for (int column = 0; column < picture->width; column++) {
            float sum[4] = {0, 0, 0, 0};
            for (int line = 0; line < samples; line++) {
                const float *from =
                    desk->colours + 4 * ((size_t)(row * samples + line) * (size_t)desk->columns + (size_t)(column * samples));
                for (int i = 0; i < 4 * samples; i++) sum[i % 4] += from[i];
            }
            uint8_t *to = job->rgba + 4 * ((size_t)(first_pixel_row + row) * (size_t)picture->width + (size_t)column);
            const float alpha = sum[3] * share;
            for (int c = 0; c < 3; c++) {
                /* Behind what covers a pixel in part lies the background, which a transparent picture leaves out. */
                const float whole = sum[c] * share;
                float value = whole;
                if (picture->transparent) value = (whole - (1.0f - alpha) * picture->background[c]) / fmaxf(alpha, 1e-3f);
                to[c] = job->gamma[(int)(fminf(fmaxf(value, 0.0f), 1.0f) * (GAMMA_STEPS - 1) + 0.5f)];
            }
            to[3] = picture->transparent ? (uint8_t)(alpha * 255.0f + 0.5f) : 255;
        }
}

static int draw_strip(Desk *desk, Job *job, int64_t index) {
    const Picture *picture = desk->picture;
    const int samples = picture->samples, first = (int)index * STRIP_PIXELS;
    const int pixels = picture->height - first < STRIP_PIXELS ? picture->height - first : STRIP_PIXELS;
    desk->rows = pixels * samples;
    desk->strip.rows = desk->over.rows = desk->rows + 2 * desk->border;
    desk->strip.first_row = desk->over.first_row = first * samples - desk->border;
    strip_clear(&desk->strip);
    strip_clear(&desk->over);
    for (size_t i = 0; i < (size_t)desk->rows * (size_t)desk->columns; i++) {
        memcpy(desk->colours + 4 * i, picture->background, 3 * sizeof(float));
        desk->colours[4 * i + 3] = 0.0f;
    }
    draw_solids(&picture->shapes, &picture->view, &desk->strip);
    find_outlines(desk);
    light_window(desk, &desk->strip, (Window){0, desk->columns, 0, desk->rows});
    for (int32_t i = 0; i < picture->shapes.line_count; i++) draw_line(desk, picture->shapes.lines + LINE_COLUMNS * i);
    if (draw_clear(desk) != 0) return -1;
    write_pixels(desk, job, first);
    return 0;
}

static void draw_strips(void *context, int64_t begin, int64_t end) {
    Job *job = context;
    const Picture *picture = job->picture;
    const int border = picture->outline;
    const int columns = picture->width * picture->samples, wide = columns + 2 * border;
    const size_t rows = (size_t)(STRIP_PIXELS * picture->samples), all = (rows + 2 * (size_t)border) * (size_t)wide;
    Desk *desk = malloc(sizeof(Desk));
    float *floats = malloc((2 * all + 4 * rows * (size_t)columns) * sizeof(float));
    int32_t *surfaces = malloc(2 * all * sizeof(int32_t));
    uint8_t *dark = malloc(rows * (size_t)columns);
    if (desk && floats && surfaces && dark) {
        desk->picture = picture;
        desk->border = border, desk->columns = columns;
        desk->strip = (Strip){.first_column = -border, .columns = wide, .depth = floats, .surface = surfaces};
        desk->over = (Strip){.first_column = -border, .columns = wide, .depth = floats + all, .surface = surfaces + all};
        desk->colours = floats + 2 * all, desk->dark = dark;
        desk->points.count = 0;
        for (int64_t index = begin; index < end; index++)
            if (draw_strip(desk, job, index) != 0) job->failed = 1;
    } else {
        job->failed = 1;
    }
    free(desk);
    free(floats);
    free(surfaces);
    free(dark);
}

static void draw_maps(void *context, int64_t begin, int64_t end) {
    Job *job = context;
    const Light *light = &job->picture->light;
    const size_t texels = (size_t)light->map_size * (size_t)light->map_size;
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

EXPORT int picture_draw(Picture *picture, uint8_t *rgba) {
    Light *light = &picture->light;
    const size_t texels = (size_t)light->map_size * (size_t)light->map_size;
    uint8_t *gamma = malloc(GAMMA_STEPS);
    light->maps = malloc(texels * (size_t)light->count * sizeof(uint16_t));
    Job job = {.picture = picture, .rgba = rgba, .gamma = gamma};
    if (gamma && light->maps) {
        for (int i = 0; i < GAMMA_STEPS; i++)
            gamma[i] = (uint8_t)(255.0f * powf((float)i / (GAMMA_STEPS - 1), 1.0f / 2.2f) + 0.5f);
        share(&job, draw_maps, light->count);
        if (!job.failed) share(&job, draw_strips, (picture->height + STRIP_PIXELS - 1) / STRIP_PIXELS);
    } else {
        job.failed = 1;
    }
    free(gamma);
    free(light->maps);
    return job.failed ? -1 : 0;
}
