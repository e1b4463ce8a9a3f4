/* band.h: some rows of pixels of a picture in work, from what is seen at each sample to its colour. */
#ifndef MATDESIGN_BAND_H
#define MATDESIGN_BAND_H

#include "picture.h"

enum { MOST_SAMPLES = 64 };

typedef struct {
    const Picture *picture;
    Strip strip;               /* the band's samples and a border of `border` samples on each side of them */
    Strip over;                /* the same, scratch of a shape one can see through; empty */
    int border, rows, columns; /* of the samples without the border */
    float *colours;            /* [rows][columns][4], blended over the background; what is covered comes last */
    uint8_t *dark;             /* [rows][columns], whether an outline lies there */
    int across[MOST_SAMPLES], down[MOST_SAMPLES]; /* column and row in its pixel of each of a pixel's samples */
    int seen_at[MOST_SAMPLES], colour_at[MOST_SAMPLES]; /* and how far it is from the first one in strip and colours */
    Points points;             /* gathered, not yet lit */
    int32_t surfaces[BATCH];   /* of each point */
    int32_t pixels[BATCH];     /* row * columns + column of its pixel's first sample */
    uint64_t covers[BATCH];    /* bits of the samples of its pixel that see it */
} Band;

/* Fills the tables of samples; picture, strip and columns are set. */
void band_samples(Band *band);

/* A sample is dark where, an outline's width from it, another surface stands farther back, or nothing does. */
void band_outline(Band *band);

/* Colours all that the band's strip holds. */
void band_light(Band *band);

/* A line of constant width, in front of what is behind it; row is one of the scene's. */
void band_line(Band *band, const float *row);

/* Shapes one can see through, from the farthest to the nearest; -1 where memory ran out. */
int band_clear_shapes(Band *band);

#endif
