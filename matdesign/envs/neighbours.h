/* neighbours.h: the k nearest neighbours of every atom, by minimum image. */
#ifndef MATDESIGN_NEIGHBOURS_H
#define MATDESIGN_NEIGHBOURS_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    int32_t atom;      /* -1: there is no further neighbour within the cutoff */
    float vector[3];   /* from the atom to its neighbour */
    float distance;
} Neighbour;

typedef struct Neighbours Neighbours;

/* For up to `atoms` atoms and `count` neighbours of each. NULL for lack of memory. */
Neighbours *neighbours_open(int atoms, int count);

/* Fills list [atoms][count], nearest first. Rows of `cell` are the edge vectors, lower triangular; a direction that is
 * not periodic has none. Each pair counts once, at its minimum image (exact up to half the cell's height). */
void neighbours_find(Neighbours *neighbours, const double *x, int atoms, const double cell[3][3],
                     const int periodic[3], double cutoff, Neighbour *list);

void neighbours_close(Neighbours *neighbours);

#endif
