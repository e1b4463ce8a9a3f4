/* drone_neighbours.c: who is near whom, by a grid.
 *
 * Each axis is cut into bands of half the SENSING_RANGE, and each band has one bit for every drone: set for those in it
 * and in the two bands on either side. What three bands, one an axis, have in common is who is in the cells around
 * the place where they cross; 64 drones take one word.
 */
#include "drone_swarm.h"

#define BAND (0.5f * SENSING_RANGE)

/* A space of MOST_DRONES has an edge of 70.5 m (see bound in drone_swarm.c); two empty bands lie beyond either end. */
enum { REACH = 2, MOST_BANDS = 79 + 2 * REACH, MOST_WORDS = MOST_DRONES / 64 };

typedef struct {
    float x[3][MOST_DRONES];
    int32_t band[3][MOST_DRONES];
    uint64_t bits[3][MOST_BANDS * MOST_WORDS]; /* [axis][band, word] */
    int words;
} Grid;

CLONES static void grid_fill(Grid *g, const Swarm *s) {
    uint64_t own[MOST_BANDS * MOST_WORDS];
    int n = s->env.agents, words = g->words = (n + 63) / 64, bands = (int)(2.0f * s->bound / BAND) + 1;
    for (int axis = 0; axis < 3; axis++) {
        for (int k = 0; k < drone_blocks(s); k++) {
            const Block *b = &s->blocks[k];
            Lanes x = axis == 0 ? b->x : axis == 1 ? b->y : b->z, band = (x + s->bound) * (1.0f / BAND);
            const Lanes last = (Lanes){0} + (float)(bands - 1); /* those who have just left are in the outer bands */
            band = SELECT(band > 0.0f, band, (Lanes){0});
            band = SELECT(band < last, band, last);
            IntLanes cell = __builtin_convertvector(band, IntLanes) + REACH;
            memcpy(g->x[axis] + k * LANES, &x, sizeof x);
            memcpy(g->band[axis] + k * LANES, &cell, sizeof cell);
        }
        memset(own, 0, sizeof(uint64_t) * (size_t)((bands + 2 * REACH) * words));
        for (int i = 0; i < n; i++) own[g->band[axis][i] * words + i / 64] |= (uint64_t)1 << (i % 64);
        uint64_t *bits = g->bits[axis];
        for (int w = REACH * words; w < (bands + REACH) * words; w++)
            bits[w] = own[w - 2 * words] | own[w - words] | own[w] | own[w + words] | own[w + 2 * words];
    }
}

typedef struct {
    float square[MOST_NEIGHBOURS]; /* of the distance, ascending */
    int16_t *drone;
    int count, most;
} Nearest;

static inline void keep(Nearest *list, int drone, float square) {
    if (list->count == list->most && (list->most == 0 || square >= list->square[list->most - 1])) return;
    int place = list->count < list->most ? list->count++ : list->count - 1;
    for (; place > 0 && list->square[place - 1] > square; place--)
        list->square[place] = list->square[place - 1], list->drone[place] = list->drone[place - 1];
    list->square[place] = square, list->drone[place] = (int16_t)drone;
}

void drones_sense(const Swarm *s, int count, int16_t *near, uint8_t *collides) {
    Grid g;
    grid_fill(&g, s);
    for (int i = 0; i < s->env.agents; i++) {
        const uint64_t *bits[3];
        for (int axis = 0; axis < 3; axis++) bits[axis] = g.bits[axis] + g.band[axis][i] * g.words;
        Nearest list = {.drone = near + count * i, .most = count};
        float nearest = INFINITY, x = g.x[0][i], y = g.x[1][i], z = g.x[2][i];
        for (int word = 0; word < g.words; word++) {
            uint64_t around = bits[0][word] & bits[1][word] & bits[2][word];
            if (word == i / 64) around &= ~((uint64_t)1 << (i % 64));
            for (; around; around &= around - 1) {
                int other = 64 * word + __builtin_ctzll(around);
                float dx = g.x[0][other] - x, dy = g.x[1][other] - y, dz = g.x[2][other] - z;
                float square = dx * dx + dy * dy + dz * dz;
                if (square >= SENSING_RANGE * SENSING_RANGE) continue;
                nearest = square < nearest ? square : nearest;
                keep(&list, other, square);
            }
        }
        for (int k = list.count; k < count; k++) list.drone[k] = -1;
        collides[i] = nearest < COLLISION_DISTANCE * COLLISION_DISTANCE;
    }
}
