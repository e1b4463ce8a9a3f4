/* drone_neighbours.c: who is near whom, by a grid of columns over the ground.
 *
 * Cells are SENSING_RANGE wide, so all that a drone senses is in its own and the eight around it; drones sorted by cell
 * make each row of three one run of memory. Heights are left to the distance: columns hold few drones.
 */
#include "drone_swarm.h"

/* The arena of MOST_DRONES has half edge 35.3 (see bound in drone_swarm.c), and there is a rim of empty cells. */
enum { MOST_CELLS = 32 * 32 };

typedef struct {
    int width; /* cells of a row, rim included */
    int16_t cell[MOST_DRONES], start[MOST_CELLS + 2];
    int16_t drone[MOST_DRONES]; /* sorted by cell, as are */
    float x[MOST_DRONES], y[MOST_DRONES], z[MOST_DRONES];
} Grid;

static inline int cell_along(float place, float bound, int width) {
    int cell = 1 + (int)((place + bound) * (1.0f / SENSING_RANGE));
    return cell < 1 ? 1 : cell > width - 2 ? width - 2 : cell; /* a drone that has just left is in the last cell */
}

static void grid_fill(Grid *g, const Swarm *s) {
    int n = s->env.agents;
    g->width = (int)(2.0f * s->bound / SENSING_RANGE) + 3;
    int cells = g->width * g->width;
    memset(g->start, 0, sizeof(int16_t) * (size_t)(cells + 2));
    for (int i = 0; i < n; i++) {
        int column = cell_along(LANE(s, x, i), s->bound, g->width), row = cell_along(LANE(s, y, i), s->bound, g->width);
        g->cell[i] = (int16_t)(row * g->width + column);
        g->start[g->cell[i] + 2]++;
    }
    /* Counts one place late, so that filling moves each cell's end to the next one's start. */
    for (int c = 2; c < cells + 2; c++) g->start[c] = (int16_t)(g->start[c] + g->start[c - 1]);
    for (int i = 0; i < n; i++) {
        int place = g->start[g->cell[i] + 1]++;
        g->drone[place] = (int16_t)i;
        g->x[place] = LANE(s, x, i), g->y[place] = LANE(s, y, i), g->z[place] = LANE(s, z, i);
    }
}

/* Those in range of the drone at `self` of the sorted order, in any order; returns their number. */
static inline int in_range(const Grid *g, int self, int16_t *restrict found, float *restrict squares) {
    float x = g->x[self], y = g->y[self], z = g->z[self];
    int count = 0, middle = g->cell[g->drone[self]];
    for (int row = middle - g->width; row <= middle + g->width; row += g->width)
        for (int j = g->start[row - 1]; j < g->start[row + 2]; j++) {
            float dx = g->x[j] - x, dy = g->y[j] - y, dz = g->z[j] - z, square = dx * dx + dy * dy + dz * dz;
            found[count] = (int16_t)j, squares[count] = square;
            count += (square < SENSING_RANGE * SENSING_RANGE) & (j != self); /* no branch to mispredict */
        }
    return count;
}

void drones_sense(const Swarm *s, int count, int16_t *near, uint8_t *collides) {
    Grid g;
    int16_t found[MOST_DRONES];
    float squares[MOST_DRONES];
    grid_fill(&g, s);
    for (int self = 0; self < s->env.agents; self++) {
        int drone = g.drone[self], many = in_range(&g, self, found, squares), kept = 0;
        int16_t *list = near + count * drone;
        float kept_squares[MOST_NEIGHBOURS], nearest = INFINITY;
        for (int f = 0; f < many; f++) {
            nearest = squares[f] < nearest ? squares[f] : nearest;
            if (count == 0 || (kept == count && squares[f] >= kept_squares[kept - 1])) continue;
            int place = kept < count ? kept++ : kept - 1;
            for (; place > 0 && kept_squares[place - 1] > squares[f]; place--)
                kept_squares[place] = kept_squares[place - 1], list[place] = list[place - 1];
            kept_squares[place] = squares[f], list[place] = g.drone[found[f]];
        }
        for (; kept < count; kept++) list[kept] = -1;
        collides[drone] = nearest < COLLISION_DISTANCE * COLLISION_DISTANCE;
    }
}
