/* raster.h: which surface of a scene is seen at every sample of a strip of a picture, and how near it is.
 *
 * In a view's frame x points right, y up and z to the eye. A sample sees what lies on its ray
 * (X (1 - k z), Y (1 - k z), z), where X, Y is its place on the plane z = 0 and k the inverse distance of the eye from
 * that plane: 0 in an orthographic view. The eye is in front of everything. */
#ifndef MATDESIGN_RASTER_H
#define MATDESIGN_RASTER_H

#include <stdint.h>

enum { SPHERE_COLUMNS = 8, CYLINDER_COLUMNS = 11, LINE_COLUMNS = 10, BOX_COLUMNS = 10, FACES = 6, NOTHING = -1 };

#define EMPTY (-3e38f) /* depth where nothing is seen */

/* Rows of a scene as matdesign/scene.py has them; finite, radii positive. */
typedef struct {
    const float *spheres, *cylinders, *boxes, *lines;
    int32_t sphere_count, cylinder_count, box_count, line_count;
} Shapes;

typedef struct {
    float axes[3][3]; /* rows: right, up, to the eye */
    float origin[3];  /* of the frame, in the scene's coordinates */
    float inverse_eye, scale; /* k; samples per length on the plane z = 0 */
    int32_t width, height; /* samples */
} View;

/* Rows first_row .. first_row + rows - 1 of the samples, columns first_column ...: z of what is seen and its surface.
 * A surface is a smooth piece: sphere i is i, then two for each cylinder (side, ends), six for each box. */
typedef struct {
    int first_row, rows, first_column, columns;
    float *depth;
    int32_t *surface;
} Strip;

/* A rectangle of samples in a strip's own rows and columns, the ends not included; empty where high <= low. */
typedef struct {
    int low_column, high_column, low_row, high_row;
} Window;

int32_t cylinder_surface(const Shapes *shapes, int32_t index);
int32_t box_surface(const Shapes *shapes, int32_t index);
int32_t surface_count(const Shapes *shapes);

void strip_clear(Strip *strip);

/* Each draws one shape where it is nearer than what is there, and returns where it may have. */
Window draw_sphere(const Shapes *shapes, int32_t index, const View *view, Strip *strip);
Window draw_cylinder(const Shapes *shapes, int32_t index, const View *view, Strip *strip);
Window draw_box(const Shapes *shapes, int32_t index, const View *view, Strip *strip);
Window draw_surface(const Shapes *shapes, int32_t surface, const View *view, Strip *strip);

/* Everything opaque but the lines. */
void draw_solids(const Shapes *shapes, const View *view, Strip *strip);

/* Red, green, blue, opacity of a surface as the scene has them. */
const float *surface_colour(const Shapes *shapes, int32_t surface);

/* The normal, of length one and in the view's frame, at a point of a surface. */
void surface_normal(const Shapes *shapes, int32_t surface, const View *view, const float point[3], float normal[3]);

void to_view(const View *view, const float *point, float seen[3]);
void turn_to_view(const View *view, const float *direction, float seen[3]);

/* The smallest rectangle of samples that holds these points [count][3] of the frame, grown by `reach` samples. */
Window window_of(const View *view, const Strip *strip, const float (*points)[3], int count, float reach);

#endif
