#include "light.h"

#include <math.h>
#include <stddef.h>

enum { SHARPNESS = 5 }; /* of highlights: cos^(2^5) */
static const float LAST = 65535.0f;

/* Right, up and towards a lamp, in the view's frame. */
static void lamp_axes(const float *lamp, float axes[3][3]) {
    const float *w = lamp;
    const int flat = fabsf(w[1]) < 0.9f;
    float u[3] = {flat ? w[2] : 0.0f, flat ? 0.0f : -w[2], flat ? -w[0] : w[1]};
    const float length = sqrtf(u[0] * u[0] + u[1] * u[1] + u[2] * u[2]);
    for (int axis = 0; axis < 3; axis++) axes[0][axis] = u[axis] / length, axes[2][axis] = w[axis];
    for (int axis = 0; axis < 3; axis++) {
        const int b = (axis + 1) % 3, c = (axis + 2) % 3;
        axes[1][axis] = w[b] * axes[0][c] - w[c] * axes[0][b];
    }
}

static uint16_t *map_of(const Light *light, int32_t lamp) {
    return light->maps + (size_t)lamp * (size_t)light->map_size * (size_t)light->map_size;
}

static float map_scale(const Light *light) { return 0.5f * (float)light->map_size / light->radius; }

void light_draw_map(const Light *light, int32_t lamp, const Shapes *shapes, const View *view, float *depth,
                    int32_t *surfaces) {
    const int size = light->map_size;
    View from = {.scale = map_scale(light), .width = size, .height = size};
    float axes[3][3];
    lamp_axes(light->lamps + LAMP_COLUMNS * lamp, axes);
    for (int d = 0; d < 3; d++) {
        from.origin[d] = view->origin[d];
        for (int axis = 0; axis < 3; axis++) {
            from.origin[d] += light->centre[axis] * view->axes[axis][d];
            for (int e = 0; e < 3; e++) from.axes[axis][d] += axes[axis][e] * view->axes[e][d];
        }
    }
    Strip strip = {.rows = size, .columns = size, .depth = depth, .surface = surfaces};
    strip_clear(&strip);
    draw_solids(shapes, &from, &strip);
    uint16_t *map = map_of(light, lamp);
    const float unit = 0.5f * LAST / light->radius;
    for (int i = 0; i < size * size; i++) {
        const float level = (depth[i] + light->radius) * unit;
        map[i] = (uint16_t)(level < 0.0f ? 0.0f : level > LAST ? LAST : level);
    }
}

static int texel(float place, int size) {
    const int index = (int)place;
    return index < 0 ? 0 : index >= size ? size - 1 : index;
}

/* One lamp's part of the sum; `half` is the direction halfway between it and the middle of the picture's eye. */
static void add_lamp(const Light *light, int32_t lamp, Points *points, float inverse_eye) {
    const float *row = light->lamps + LAMP_COLUMNS * lamp;
    const uint16_t *map = map_of(light, lamp);
    const int size = light->map_size;
    const float scale = map_scale(light), middle = 0.5f * (float)size, offset = 1.5f / scale;
    const float unit = 0.5f * LAST / light->radius, inverse_softness = 1.0f / (light->softness * unit);
    float axes[3][3];
    lamp_axes(row, axes);
    for (int i = 0; i < points->count; i++) {
        const float n[3] = {points->normal[0][i], points->normal[1][i], points->normal[2][i]};
        const float facing = n[0] * row[0] + n[1] * row[1] + n[2] * row[2];
        if (facing <= 0.0f) continue;
        /* From a texel or so above the surface, so that it does not hide from itself between the map's samples. */
        const float p[3] = {points->place[0][i], points->place[1][i], points->place[2][i]};
        float at[3];
        for (int axis = 0; axis < 3; axis++)
            at[axis] = axes[axis][0] * (p[0] + offset * n[0] - light->centre[0]) +
                       axes[axis][1] * (p[1] + offset * n[1] - light->centre[1]) +
                       axes[axis][2] * (p[2] + offset * n[2] - light->centre[2]);
        const int column = texel(middle + at[0] * scale, size), line = texel(middle - at[1] * scale, size);
        const float above = ((float)map[line * size + column] - (at[2] + light->radius) * unit) * inverse_softness;
        const float seen = above <= 0.0f ? 1.0f : above >= 1.0f ? 0.0f : 1.0f - above;
        points->diffuse[i] += row[3] * facing * seen;
        if (row[4] > 0.0f) {
            /* Blinn 1977. */
            float eye[3] = {-inverse_eye * p[0], -inverse_eye * p[1], 1.0f - inverse_eye * p[2]};
            const float away = 1.0f / sqrtf(eye[0] * eye[0] + eye[1] * eye[1] + eye[2] * eye[2]);
            float length = 0.0f, along = 0.0f;
            for (int axis = 0; axis < 3; axis++) {
                const float half = eye[axis] * away + row[axis];
                length += half * half;
                along += half * n[axis];
            }
            float shine = along > 0.0f ? along / sqrtf(length) : 0.0f;
            for (int power = 0; power < SHARPNESS; power++) shine *= shine;
            points->highlight[i] += row[4] * shine * seen;
        }
    }
}

void light_points(const Light *light, const View *view, Points *points) {
    for (int i = 0; i < points->count; i++) points->diffuse[i] = points->highlight[i] = 0.0f;
    for (int32_t lamp = 0; lamp < light->count; lamp++) add_lamp(light, lamp, points, view->inverse_eye);
}
