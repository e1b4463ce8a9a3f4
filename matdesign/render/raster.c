#include "raster.h"

#include <math.h>
#include <stddef.h>

#include "vectors.h"

void turn_to_view(const View *view, const float *direction, float seen[3]) {
    for (int axis = 0; axis < 3; axis++)
        seen[axis] = view->axes[axis][0] * direction[0] + view->axes[axis][1] * direction[1] +
                     view->axes[axis][2] * direction[2];
}

void to_view(const View *view, const float *point, float seen[3]) {
    const float from[3] = {point[0] - view->origin[0], point[1] - view->origin[1], point[2] - view->origin[2]};
    turn_to_view(view, from, seen);
}

static float dot(const float a[3], const float b[3]) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

int32_t cylinder_surface(const Shapes *shapes, int32_t index) { return shapes->sphere_count + 2 * index; }

int32_t box_surface(const Shapes *shapes, int32_t index) {
    return cylinder_surface(shapes, shapes->cylinder_count) + FACES * index;
}

int32_t surface_count(const Shapes *shapes) { return box_surface(shapes, shapes->box_count); }

void strip_clear(Strip *strip) {
    size_t count = (size_t)strip->rows * (size_t)strip->columns;
    for (size_t i = 0; i < count; i++) strip->depth[i] = EMPTY, strip->surface[i] = NOTHING;
}

static int clamped(float value, int low, int high) {
    if (value <= (float)low) return low;
    return value >= (float)high ? high : (int)value;
}

/* From extents on the plane z = 0. */
static Window window(const View *view, const Strip *strip, float left, float right, float bottom, float top) {
    const float middle = 0.5f * (float)view->width - (float)strip->first_column;
    const float centre = 0.5f * (float)view->height - (float)strip->first_row;
    return (Window){clamped(floorf(middle + left * view->scale), 0, strip->columns),
                    clamped(ceilf(middle + right * view->scale) + 1, 0, strip->columns),
                    clamped(floorf(centre - top * view->scale), 0, strip->rows),
                    clamped(ceilf(centre - bottom * view->scale) + 1, 0, strip->rows)};
}

Window window_of(const View *view, const Strip *strip, const float (*points)[3], int count, float reach) {
    float low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    for (int i = 0; i < count; i++)
        for (int axis = 0; axis < 2; axis++) {
            float seen = points[i][axis] / (1.0f - view->inverse_eye * points[i][2]);
            low[axis] = fminf(low[axis], seen - reach / view->scale);
            high[axis] = fmaxf(high[axis], seen + reach / view->scale);
        }
    return window(view, strip, low[0], high[0], low[1], high[1]);
}

/* Where the tangents from the eye to a disc of `radius` about (across, z) meet the plane z = 0. */
static void tangents(const View *view, float across, float z, float radius, float *low, float *high) {
    const float k = view->inverse_eye, away = 1.0f - k * z;
    const float length = sqrtf(fmaxf(k * k * across * across + away * away - k * k * radius * radius, 0.0f));
    *low = (across * length - away * radius) / (away * length + k * k * across * radius);
    *high = (across * length + away * radius) / (away * length - k * k * across * radius);
}

/* X of a column and Y of a row on the plane z = 0. */
static float plane_x(const View *view, const Strip *strip, int column) {
    return ((float)(strip->first_column + column) + 0.5f - 0.5f * (float)view->width) / view->scale;
}

static float plane_y(const View *view, const Strip *strip, int row) {
    return (0.5f * (float)view->height - (float)(strip->first_row + row) - 0.5f) / view->scale;
}

VECTORS Window draw_sphere(const Shapes *shapes, int32_t index, const View *view, Strip *strip) {
    const float *row = shapes->spheres + SPHERE_COLUMNS * index;
    const float radius = row[3], k = view->inverse_eye;
    float centre[3], left, right, bottom, top;
    to_view(view, row, centre);
    tangents(view, centre[0], centre[2], radius, &left, &right);
    tangents(view, centre[1], centre[2], radius, &bottom, &top);
    const Window seen = window(view, strip, left, right, bottom, top);
    const float away = 1.0f - k * centre[2], step = 1.0f / view->scale, z = centre[2], r2 = radius * radius;
    for (int line = seen.low_row; line < seen.high_row; line++) {
        /* The ray's point at the centre's z, relative to the centre: small numbers, no cancellation. */
        const float y = plane_y(view, strip, line), down = y * away - centre[1];
        const float start = plane_x(view, strip, seen.low_column);
        const size_t first = (size_t)line * (size_t)strip->columns + (size_t)seen.low_column;
        float *restrict depth = strip->depth + first;
        int32_t *restrict surface = strip->surface + first;
        const int count = seen.high_column - seen.low_column;
        if (k == 0.0f) {
            const float rest = r2 - down * down;
            for (int i = 0; i < count; i++) {
                const float across = start + (float)i * step - centre[0], square = rest - across * across;
                const float hit = z + sqrtf(square > 0.0f ? square : 0.0f);
                const int nearer = (square > 0.0f) & (hit > depth[i]);
                depth[i] = nearer ? hit : depth[i];
                surface[i] = nearer ? index : surface[i];
            }
            continue;
        }
        for (int i = 0; i < count; i++) {
            const float x = start + (float)i * step, across = x * away - centre[0];
            const float a = 1.0f + k * k * (x * x + y * y), b = k * (across * x + down * y);
            const float square = b * b - a * (across * across + down * down - r2);
            const float hit = z + (b + sqrtf(square > 0.0f ? square : 0.0f)) / a;
            const int nearer = (square > 0.0f) & (hit > depth[i]);
            depth[i] = nearer ? hit : depth[i];
            surface[i] = nearer ? index : surface[i];
        }
    }
    return seen;
}

/* One end, direction of length one to the other, and length, in the view's frame. */
static float cylinder_axis(const float *row, const View *view, float end[3], float along[3]) {
    const float direction[3] = {row[3] - row[0], row[4] - row[1], row[5] - row[2]};
    const float length = sqrtf(dot(direction, direction));
    to_view(view, row, end);
    turn_to_view(view, direction, along);
    for (int axis = 0; axis < 3; axis++) along[axis] = length > 0.0f ? along[axis] / length : (float)(axis == 2);
    return length;
}

VECTORS Window draw_cylinder(const Shapes *shapes, int32_t index, const View *view, Strip *strip) {
    const float *row = shapes->cylinders + CYLINDER_COLUMNS * index;
    const float radius = row[6], k = view->inverse_eye;
    float end[3], u[3], left[2], right[2], bottom[2], top[2];
    const float length = cylinder_axis(row, view, end, u);
    for (int side = 0; side < 2; side++) {
        const float s = side ? length : 0.0f;
        tangents(view, end[0] + s * u[0], end[2] + s * u[2], radius, &left[side], &right[side]);
        tangents(view, end[1] + s * u[1], end[2] + s * u[2], radius, &bottom[side], &top[side]);
    }
    const Window seen = window(view, strip, fminf(left[0], left[1]), fmaxf(right[0], right[1]),
                               fminf(bottom[0], bottom[1]), fmaxf(top[0], top[1]));
    const int32_t side = cylinder_surface(shapes, index);
    const float z = end[2] + 0.5f * length * u[2], away = 1.0f - k * z, step = 1.0f / view->scale;
    for (int line = seen.low_row; line < seen.high_row; line++) {
        const float y = plane_y(view, strip, line), start = plane_x(view, strip, seen.low_column);
        const float oy = y * away - end[1], oz = z - end[2];
        const size_t first = (size_t)line * (size_t)strip->columns + (size_t)seen.low_column;
        float *restrict depth = strip->depth + first;
        int32_t *restrict surface = strip->surface + first;
        for (int i = 0; i < seen.high_column - seen.low_column; i++) {
            /* The ray is (x, y, z) = o + t d from one end; it is inside between the discs and inside the side. */
            const float x = start + (float)i * step, ox = x * away - end[0], dx = -k * x, dy = -k * y;
            const float du = dx * u[0] + dy * u[1] + u[2], ou = ox * u[0] + oy * u[1] + oz * u[2];
            const float ex = dx - du * u[0], ey = dy - du * u[1], ez = 1.0f - du * u[2];
            const float px = ox - ou * u[0], py = oy - ou * u[1], pz = oz - ou * u[2];
            const float a = ex * ex + ey * ey + ez * ez + 1e-12f, b = ex * px + ey * py + ez * pz;
            const float square = b * b - a * (px * px + py * py + pz * pz - radius * radius);
            const float root = sqrtf(square > 0.0f ? square : 0.0f);
            const float slope = du > -1e-9f && du < 1e-9f ? 1e-9f : du;
            const float disc0 = -ou / slope, disc1 = (length - ou) / slope;
            const float near_disc = disc0 > disc1 ? disc0 : disc1, far_disc = disc0 > disc1 ? disc1 : disc0;
            const float near_side = (root - b) / a, far_side = (-root - b) / a;
            const int ends = near_disc < near_side;
            const float t = ends ? near_disc : near_side, far = far_disc > far_side ? far_disc : far_side;
            const int nearer = (square > 0.0f) & (t > far) & (z + t > depth[i]);
            depth[i] = nearer ? z + t : depth[i];
            surface[i] = nearer ? side + ends : surface[i];
        }
    }
    return seen;
}

VECTORS Window draw_box(const Shapes *shapes, int32_t index, const View *view, Strip *strip) {
    const float *row = shapes->boxes + BOX_COLUMNS * index;
    const float k = view->inverse_eye, step = 1.0f / view->scale;
    float centre[3], corners[8][3];
    to_view(view, row, centre);
    for (int corner = 0; corner < 8; corner++)
        for (int axis = 0; axis < 3; axis++) {
            corners[corner][axis] = centre[axis];
            for (int edge = 0; edge < 3; edge++)
                corners[corner][axis] += (corner >> edge & 1 ? 0.5f : -0.5f) * row[3 + edge] * view->axes[axis][edge];
        }
    const Window seen = window_of(view, strip, (const float(*)[3])corners, 8, 0.0f);
    const int32_t face = box_surface(shapes, index);
    const float away = 1.0f - k * centre[2];
    for (int line = seen.low_row; line < seen.high_row; line++) {
        const float y = plane_y(view, strip, line), start = plane_x(view, strip, seen.low_column);
        const size_t first = (size_t)line * (size_t)strip->columns + (size_t)seen.low_column;
        float *restrict depth = strip->depth + first;
        int32_t *restrict surface = strip->surface + first;
        for (int i = 0; i < seen.high_column - seen.low_column; i++) {
            const float x = start + (float)i * step, ox = x * away - centre[0], oy = y * away - centre[1];
            float near = 3e38f, far = -3e38f;
            int32_t hit = 0;
            for (int edge = 0; edge < 3; edge++) {
                const float ex = view->axes[0][edge], ey = view->axes[1][edge], ez = view->axes[2][edge];
                const float d = ez - k * (x * ex + y * ey), o = ox * ex + oy * ey, half = 0.5f * row[3 + edge];
                const float slope = d > -1e-9f && d < 1e-9f ? 1e-9f : d;
                const float low = (-half - o) / slope, high = (half - o) / slope;
                const float enter = low > high ? low : high, leave = low > high ? high : low;
                hit = enter < near ? 2 * edge + (high > low) : hit;
                near = enter < near ? enter : near;
                far = leave > far ? leave : far;
            }
            const int nearer = (near > far) & (centre[2] + near > depth[i]);
            depth[i] = nearer ? centre[2] + near : depth[i];
            surface[i] = nearer ? face + hit : surface[i];
        }
    }
    return seen;
}

Window draw_surface(const Shapes *shapes, int32_t surface, const View *view, Strip *strip) {
    if (surface < cylinder_surface(shapes, 0)) return draw_sphere(shapes, surface, view, strip);
    if (surface < box_surface(shapes, 0))
        return draw_cylinder(shapes, (surface - cylinder_surface(shapes, 0)) / 2, view, strip);
    return draw_box(shapes, (surface - box_surface(shapes, 0)) / FACES, view, strip);
}

const float *surface_colour(const Shapes *shapes, int32_t surface) {
    if (surface < cylinder_surface(shapes, 0)) return shapes->spheres + SPHERE_COLUMNS * surface + 4;
    if (surface < box_surface(shapes, 0))
        return shapes->cylinders + CYLINDER_COLUMNS * ((surface - cylinder_surface(shapes, 0)) / 2) + 7;
    return shapes->boxes + BOX_COLUMNS * ((surface - box_surface(shapes, 0)) / FACES) + 6;
}

void draw_solids(const Shapes *shapes, const View *view, Strip *strip) {
    for (int32_t i = 0; i < shapes->sphere_count; i++)
        if (shapes->spheres[SPHERE_COLUMNS * i + 7] >= 1.0f) draw_sphere(shapes, i, view, strip);
    for (int32_t i = 0; i < shapes->cylinder_count; i++)
        if (shapes->cylinders[CYLINDER_COLUMNS * i + 10] >= 1.0f) draw_cylinder(shapes, i, view, strip);
    for (int32_t i = 0; i < shapes->box_count; i++)
        if (shapes->boxes[BOX_COLUMNS * i + 9] >= 1.0f) draw_box(shapes, i, view, strip);
}

void surface_normal(const Shapes *shapes, int32_t surface, const View *view, const float point[3], float normal[3]) {
    if (surface >= box_surface(shapes, 0)) {
        const int face = (surface - box_surface(shapes, 0)) % FACES;
        for (int axis = 0; axis < 3; axis++)
            normal[axis] = face % 2 ? view->axes[axis][face / 2] : -view->axes[axis][face / 2];
        return;
    }
    float from[3];
    if (surface < cylinder_surface(shapes, 0)) {
        to_view(view, shapes->spheres + SPHERE_COLUMNS * surface, from);
        for (int axis = 0; axis < 3; axis++) normal[axis] = point[axis] - from[axis];
    } else {
        const int32_t index = surface - cylinder_surface(shapes, 0);
        float along[3], out[3];
        const float length = cylinder_axis(shapes->cylinders + CYLINDER_COLUMNS * (index / 2), view, from, along);
        for (int axis = 0; axis < 3; axis++) out[axis] = point[axis] - from[axis];
        const float place = dot(out, along);
        for (int axis = 0; axis < 3; axis++) {
            const float end = 2.0f * place > length ? along[axis] : -along[axis];
            normal[axis] = index % 2 ? end : out[axis] - place * along[axis];
        }
    }
    const float length = sqrtf(dot(normal, normal));
    for (int axis = 0; axis < 3; axis++) normal[axis] = length > 0.0f ? normal[axis] / length : (float)(axis == 2);
}
