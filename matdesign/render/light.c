#include "light.h"

#include <math.h>
#include <stddef.h>

#include "vectors.h"

enum { SHARPNESS = 6 }; /* of highlights: cos^(2^6) */
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
    return light->maps + ((size_t)lamp << 2 * light->map_bits);
}

static float map_scale(const Light *light) { return 0.5f * (float)(1 << light->map_bits) / light->radius; }

void light_draw_map(const Light *light, int32_t lamp, const Shapes *shapes, const View *view, float *depth,
                    int32_t *surfaces) {
    const int size = 1 << light->map_bits;
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

/* What a lamp gives the eye off a mirror-like coat (Blinn 1977), from the direction halfway between the two. */
static float shine(const float lamp[3], const float place[3], const float normal[3], float inverse_eye) {
    const float eye[3] = {-inverse_eye * place[0], -inverse_eye * place[1], 1.0f - inverse_eye * place[2]};
    const float away = 1.0f / sqrtf(eye[0] * eye[0] + eye[1] * eye[1] + eye[2] * eye[2]);
    float square = 0.0f, along = 0.0f;
    for (int axis = 0; axis < 3; axis++) {
        const float half = eye[axis] * away + lamp[axis];
        square += half * half;
        along += half * normal[axis];
    }
    float light = along > 0.0f ? along / sqrtf(square) : 0.0f;
    for (int power = 0; power < SHARPNESS; power++) light *= light;
    return light;
}

VECTORS static void add_lamp(const Light *light, int32_t lamp, Points *points, float inverse_eye) {
    const float *row = light->lamps + LAMP_COLUMNS * lamp;
    const uint16_t *map = map_of(light, lamp);
    const float scale = map_scale(light), middle = light->radius * scale;
    const float unit = 0.5f * LAST / light->radius, inverse_softness = 1.0f / (light->softness * unit);
    float axes[3][3], start[3], facing[BATCH], level[BATCH], seen[BATCH];
    int32_t texel[BATCH];
    lamp_axes(row, axes);
    for (int axis = 0; axis < 3; axis++)
        start[axis] = axes[axis][0] * light->centre[0] + axes[axis][1] * light->centre[1] +
                      axes[axis][2] * light->centre[2];
    /* From a texel or so above the surface, so that it does not hide from itself between the map's samples. */
    const float offset = 1.5f / scale;
    const int count = points->count;
    const int32_t bits = light->map_bits, last = (1 << bits) - 1;
    const float reach = light->radius, to[3] = {row[0], row[1], row[2]};
    for (int i = 0; i < count; i++) {
        const float nx = points->normal[0][i], ny = points->normal[1][i], nz = points->normal[2][i];
        const float x = points->place[0][i] + offset * nx, y = points->place[1][i] + offset * ny;
        const float z = points->place[2][i] + offset * nz;
        const float right = middle + scale * (axes[0][0] * x + axes[0][1] * y + axes[0][2] * z - start[0]);
        const float down = middle - scale * (axes[1][0] * x + axes[1][1] * y + axes[1][2] * z - start[1]);
        const float near = axes[2][0] * x + axes[2][1] * y + axes[2][2] * z - start[2];
        const int32_t column = (int32_t)right, line = (int32_t)down;
        const int32_t across = column < 0 ? 0 : column, below = line < 0 ? 0 : line;
        texel[i] = ((below > last ? last : below) << bits) + (across > last ? last : across);
        level[i] = (near + reach) * unit;
        facing[i] = nx * to[0] + ny * to[1] + nz * to[2];
    }
    for (int i = 0; i < count; i++) seen[i] = (float)map[texel[i]];
    const float strength = row[3];
    for (int i = 0; i < count; i++) {
        const float above = (seen[i] - level[i]) * inverse_softness;
        const float lit = above < 0.0f ? 1.0f : above > 1.0f ? 0.0f : 1.0f - above;
        seen[i] = facing[i] > 0.0f ? lit : 0.0f;
        points->diffuse[i] += strength * facing[i] * seen[i];
    }
    for (int i = 0; row[4] > 0.0f && i < count; i++) {
        if (seen[i] == 0.0f) continue;
        const float place[3] = {points->place[0][i], points->place[1][i], points->place[2][i]};
        const float normal[3] = {points->normal[0][i], points->normal[1][i], points->normal[2][i]};
        points->highlight[i] += row[4] * seen[i] * shine(row, place, normal, inverse_eye);
    }
}

void light_points(const Light *light, const View *view, Points *points) {
    for (int i = 0; i < points->count; i++) points->diffuse[i] = points->highlight[i] = 0.0f;
    for (int32_t lamp = 0; lamp < light->count; lamp++) add_lamp(light, lamp, points, view->inverse_eye);
}
