/* picture.h: a scene as a picture. */
#ifndef MATDESIGN_PICTURE_H
#define MATDESIGN_PICTURE_H

#include "light.h"

/* Widths and softness are what they are; colours are linear light. */
typedef struct {
    Shapes shapes;
    View view; /* in samples: `samples` along each edge of a pixel */
    Light light;
    int32_t width, height, samples, threads; /* pixels */
    float background[3];
    int32_t transparent;
    float near, far, depth_cue; /* z where things begin to fade and end to; what part of them is gone there */
    int32_t outline;            /* samples: how far from a surface's border it is dark; 0: nowhere */
    float outline_step;         /* how much farther what is beside it must be, in the scene's length */
    float outline_light;        /* factor of the colour there */
    float line_width;           /* samples */
} Picture;

/* Fills pixels [height][width][3], gamma encoded, or [4] with the opacity where the background is transparent. 0, or -1
 * where memory or threads ran out. The picture does not depend on the number of threads. */
int picture_draw(Picture *picture, uint8_t *pixels);

#endif
