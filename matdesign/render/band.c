#include "band.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "vectors.h"

static float haze(const Picture *picture, float z) {
    const float part = (picture->near - z) / (picture->near - picture->far + 1e-9f);
    return picture->depth_cue * fminf(fmaxf(part, 0.0f), 1.0f);
}

static size_t sample_index(const Band *band, int row, int column) {
    return (size_t)(row + band->border) * (size_t)band->strip.columns + (size_t)(column + band->border);
}

static void blend(float *to, const float colour[3], float alpha) {
    for (int c = 0; c < 3; c++) to[c] += alpha * (colour[c] - to[c]);
    to[3] += alpha * (1.0f - to[3]);
}

/* Lights the points gathered so far and writes the colours of their samples, of opacity `alpha`. */
static void finish_points(Band *band) {
    const Picture *picture = band->picture;
    Points *points = &band->points;
    light_points(&picture->light, &picture->view, points);
    for (int i = 0; i < points->count; i++) {
        const float *own = surface_colour(&picture->shapes, band->surfaces[i]);
        const float fade = haze(picture, points->place[2][i]), alpha = fminf(own[3], 1.0f);
        float colour[2][3];
        for (int c = 0; c < 3; c++) {
            const float lit = own[c] * points->diffuse[i] + points->highlight[i];
            colour[0][c] = lit + fade * (picture->background[c] - lit);
            const float drawn = lit * picture->outline_light;
            colour[1][c] = drawn + fade * (picture->background[c] - drawn);
        }
        for (uint64_t left = band->covers[i]; left; left &= left - 1) {
            const size_t at = (size_t)(band->pixels[i] + band->colour_at[__builtin_ctzll(left)]);
            blend(band->colours + 4 * at, colour[alpha >= 1.0f && band->dark[at]], alpha);
        }
    }
    points->count = 0;
}

/* A new point: the mean place of these samples of a pixel, which see the same surface. */
static void add_point(Band *band, const float *depth, int row, int column, int32_t surface, uint64_t cover) {
    const View *view = &band->picture->view;
    if (band->points.count == BATCH) finish_points(band);
    const int i = band->points.count++;
    const float left = (float)column + 0.5f - 0.5f * (float)view->width;
    const float top = 0.5f * (float)view->height - (float)(band->strip.first_row + band->border + row) - 0.5f;
    float place[3] = {0, 0, 0}, normal[3];
    for (uint64_t rest = cover; rest; rest &= rest - 1) {
        const int sample = __builtin_ctzll(rest);
        const float z = depth[band->seen_at[sample]], away = (1.0f - view->inverse_eye * z) / view->scale;
        place[0] += away * (left + (float)band->across[sample]);
        place[1] += away * (top - (float)band->down[sample]);
        place[2] += z;
    }
    const float share = 1.0f / (float)__builtin_popcountll(cover);
    for (int axis = 0; axis < 3; axis++) place[axis] *= share;
    surface_normal(&band->picture->shapes, surface, view, place, normal);
    for (int axis = 0; axis < 3; axis++)
        band->points.place[axis][i] = place[axis], band->points.normal[axis][i] = normal[axis];
    band->surfaces[i] = surface;
    band->pixels[i] = row * band->columns + column;
    band->covers[i] = cover;
}

/* Lights everything `seen` holds in a window of pixels: once for each surface in each pixel. */
static void light_window(Band *band, const Strip *seen, Window window) {
    const int samples = band->picture->samples, all = samples * samples;
    for (int row = window.low_row; row < window.high_row; row += samples)
        for (int column = window.low_column; column < window.high_column; column += samples) {
            const int32_t *surfaces = seen->surface + sample_index(band, row, column);
            const float *depth = seen->depth + sample_index(band, row, column);
            for (uint64_t left = ~0ULL >> (MOST_SAMPLES - all); left;) {
                const int32_t surface = surfaces[band->seen_at[__builtin_ctzll(left)]];
                uint64_t cover = 0;
                for (int sample = 0; sample < all; sample++)
                    cover |= (uint64_t)(surfaces[band->seen_at[sample]] == surface) << sample;
                left &= ~cover;
                if (surface != NOTHING) add_point(band, depth, row, column, surface, cover);
            }
        }
    finish_points(band);
}

void band_samples(Band *band) {
    const int samples = band->picture->samples;
    for (int sample = 0; sample < samples * samples; sample++) {
        band->across[sample] = sample % samples, band->down[sample] = sample / samples;
        band->seen_at[sample] = band->down[sample] * band->strip.columns + band->across[sample];
        band->colour_at[sample] = band->down[sample] * band->columns + band->across[sample];
    }
}

void band_light(Band *band) { light_window(band, &band->strip, (Window){0, band->columns, 0, band->rows}); }

VECTORS void band_outline(Band *band) {
    const int width = band->picture->outline, diagonal = (7 * width + 5) / 10, columns = band->columns;
    const float step = band->picture->outline_step;
    memset(band->dark, 0, (size_t)band->rows * (size_t)columns);
    if (width == 0) return;
    const int shifts[4][2] = {{0, width}, {width, 0}, {diagonal, diagonal}, {diagonal, -diagonal}};
    for (int row = 0; row < band->rows; row++) {
        const float *depth = band->strip.depth + sample_index(band, row, 0);
        const int32_t *surface = band->strip.surface + sample_index(band, row, 0);
        uint8_t *restrict dark = band->dark + (size_t)row * (size_t)columns;
        for (int side = 0; side < 8; side++) {
            const ptrdiff_t shift = shifts[side / 2][0] * (ptrdiff_t)band->strip.columns + shifts[side / 2][1];
            const float *other = depth + (side % 2 ? shift : -shift);
            const int32_t *beside = surface + (side % 2 ? shift : -shift);
            for (int i = 0; i < columns; i++)
                dark[i] |= (uint8_t)((beside[i] != surface[i]) & (other[i] < depth[i] - step));
        }
    }
}

void band_line(Band *band, const float *row) {
    const Picture *picture = band->picture;
    const View *view = &picture->view;
    const float half = 0.5f * picture->line_width, k = view->inverse_eye;
    float ends[2][3], at[2][2], colour[3];
    for (int end = 0; end < 2; end++) {
        to_view(view, row + 3 * end, ends[end]);
        const float away = 1.0f - k * ends[end][2];
        at[end][0] = 0.5f * (float)view->width + ends[end][0] / away * view->scale;
        at[end][1] = 0.5f * (float)view->height - ends[end][1] / away * view->scale;
    }
    const Strip *strip = &band->strip;
    const Window window = window_of(view, strip, (const float(*)[3])ends, 2, half + 1.0f);
    const float dx = at[1][0] - at[0][0], dy = at[1][1] - at[0][1], square = dx * dx + dy * dy + 1e-12f;
    const float away0 = 1.0f - k * ends[0][2], away1 = 1.0f - k * ends[1][2];
    const int border = band->border, last = border + band->columns;
    const int low = window.low_column > border ? window.low_column : border;
    const int high = window.high_column < last ? window.high_column : last;
    /* Within half its width of the line that it is part of; nearly level ones are looked for everywhere. */
    const float slope = fabsf(dy) > 1e-3f * fabsf(dx) ? dx / dy : 0.0f;
    const float reach = slope == 0.0f && dx != 0.0f ? 1e9f : half * sqrtf(1.0f + slope * slope) + 1.0f;
    for (int c = 0; c < 3; c++) colour[c] = row[6 + c];
    for (int line = window.low_row; line < window.high_row; line++) {
        if (line < border || line >= border + band->rows) continue;
        const float y = (float)(strip->first_row + line) + 0.5f - at[0][1];
        const float middle = at[0][0] + slope * y - (float)strip->first_column;
        const int first = (int)fminf(fmaxf(middle - reach, (float)low), (float)high);
        const int end = (int)fminf(fmaxf(middle + reach, (float)low), (float)high);
        for (int column = first; column < end; column++) {
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
            const size_t place = (size_t)(line - border) * (size_t)band->columns + (size_t)(column - border);
            blend(band->colours + 4 * place, seen, alpha);
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

int band_clear_shapes(Band *band) {
    const Picture *picture = band->picture;
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
        Strip *over = &band->over;
        const Window all = draw_surface(shapes, clear[i].surface, &picture->view, over);
        Window inner = {all.low_column - band->border, all.high_column - band->border, all.low_row - band->border,
                        all.high_row - band->border};
        const int samples = picture->samples;
        inner.low_column = inner.low_column < 0 ? 0 : inner.low_column / samples * samples;
        inner.low_row = inner.low_row < 0 ? 0 : inner.low_row / samples * samples;
        inner.high_column = inner.high_column > band->columns ? band->columns : inner.high_column;
        inner.high_row = inner.high_row > band->rows ? band->rows : inner.high_row;
        /* What is in front of it hides it. */
        for (int row = all.low_row; row < all.high_row; row++)
            for (int column = all.low_column; column < all.high_column; column++) {
                const size_t at = (size_t)row * (size_t)over->columns + (size_t)column;
                if (over->depth[at] <= band->strip.depth[at]) over->surface[at] = NOTHING;
            }
        light_window(band, over, inner);
        for (int row = all.low_row; row < all.high_row; row++)
            for (int column = all.low_column; column < all.high_column; column++) {
                const size_t at = (size_t)row * (size_t)over->columns + (size_t)column;
                over->depth[at] = EMPTY, over->surface[at] = NOTHING;
            }
    }
    free(clear);
    return 0;
}
