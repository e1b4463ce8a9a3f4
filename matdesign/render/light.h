/* light.h: what points of surfaces send to the eye. Many far lamps make up a bright one and the sky. Each has a map of
 * what it sees first, so that whatever stands between a point and a part of the sky darkens it, near or far, sphere or
 * box: ambient occlusion and soft shadows are the same sum. */
#ifndef MATDESIGN_LIGHT_H
#define MATDESIGN_LIGHT_H

#include "raster.h"

enum { LAMP_COLUMNS = 5 }; /* direction to it in the view's frame, of length one; strength; strength of its highlight */

typedef struct {
    const float *lamps;
    int32_t count, map_bits; /* lamps; 2^map_bits texels along an edge of a map */
    float centre[3], radius; /* of a ball around what is lit, in the view's frame */
    float softness;          /* how far below what the lamp sees first a point is in the dark */
    uint16_t *maps; /* for each lamp, how near the lamp it is: 0 at -radius to 65535; light_draw_map */
} Light;

enum { BATCH = 512 }; /* points lit together, few enough for the fastest memory */

/* Points of surfaces and what the lamps give them. */
typedef struct {
    int count;
    float place[3][BATCH], normal[3][BATCH], diffuse[BATCH], highlight[BATCH];
} Points;

/* Fills the map of one lamp; depth and surfaces are scratch, of as many texels as the map. */
void light_draw_map(const Light *light, int32_t lamp, const Shapes *shapes, const View *view, float *depth,
                    int32_t *surfaces);

/* Sets diffuse and highlight of all points. */
void light_points(const Light *light, const View *view, Points *points);

#endif
