/* products.h: products of small matrices, for functions with CLONES. */
#ifndef MATDESIGN_PRODUCTS_H
#define MATDESIGN_PRODUCTS_H

#include "functions.h"

/* Rows that are taken through everything before the next ones. */
enum { BLOCK = 64, LANES = 16 };

typedef float Lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef float HalfLanes __attribute__((vector_size(2 * LANES), aligned(4), may_alias));
typedef float QuarterLanes __attribute__((vector_size(LANES), aligned(4), may_alias));

/* No function takes or gives Lanes: without the instructions for them there is no register to pass them in. */
#define LANES_AT(place) (*(Lanes *)(place))
#define CONST_LANES_AT(place) (*(const Lanes *)(place))

/* A matrix read with any strides: element (i, k) is at[i * row + k * column]. */
typedef struct {
    const float *at;
    int64_t row, column;
} Matrix;

/* A `height` x `width` * LANES tile of c += a b, held in registers; both are constants where this is called. */
INLINE void tile(int height, int width, int64_t depth, Matrix a, const float *b, int64_t b_row, float *c, int64_t c_row) {
    Lanes sums[8][4];
    for (int i = 0; i < height; i++)
        for (int j = 0; j < width; j++) sums[i][j] = CONST_LANES_AT(c + i * c_row + j * LANES);
    for (int64_t k = 0; k < depth; k++) {
        Lanes line[4];
        for (int j = 0; j < width; j++) line[j] = CONST_LANES_AT(b + k * b_row + j * LANES);
        for (int i = 0; i < height; i++) {
            float factor = a.at[i * a.row + k * a.column];
            for (int j = 0; j < width; j++) sums[i][j] += factor * line[j];
        }
    }
    for (int i = 0; i < height; i++)
        for (int j = 0; j < width; j++) LANES_AT(c + i * c_row + j * LANES) = sums[i][j];
}

/* Columns j .. of c [rows, columns] += a [rows, depth] b [depth, columns], `width` * LANES of them. */
INLINE void strip(int width, int64_t rows, int64_t depth, Matrix a, const float *b, int64_t b_row, float *c,
                  int64_t c_row) {
    int64_t i = 0;
    for (; i + 4 <= rows; i += 4, a.at += 4 * a.row) tile(4, width, depth, a, b, b_row, c + i * c_row, c_row);
    for (; i < rows; i++, a.at += a.row) tile(1, width, depth, a, b, b_row, c + i * c_row, c_row);
}

/* c [rows, columns] += a [rows, depth] b [depth, columns]. The columns of b that are read together may lie together, in
 * `panels`: in rows at a distance of a power of two they would drive each other from the cache. */
INLINE void add_product(int64_t rows, int64_t columns, int64_t depth, Matrix a, const float *b, int panels, float *c,
                        int64_t c_row) {
    int64_t j = 0, apart = panels ? depth : 1;
    for (; j + 4 * LANES <= columns; j += 4 * LANES)
        strip(4, rows, depth, a, b + j * apart, panels ? 4 * LANES : columns, c + j, c_row);
    for (; j + LANES <= columns; j += LANES)
        strip(1, rows, depth, a, b + j * apart, panels ? LANES : columns, c + j, c_row);
    int64_t b_row = panels ? columns - j : columns;
    b += j * apart - j;
    for (int64_t i = 0; j < columns && i < rows; i++) {
        for (int64_t k = 0; k < depth; k++) {
            float factor = a.at[i * a.row + k * a.column];
            for (int64_t column = j; column < columns; column++) c[i * c_row + column] += factor * b[k * b_row + column];
        }
    }
}

INLINE void transpose(int64_t rows, int64_t columns, const float *from, float *to) {
    for (int64_t i = 0; i < rows; i += LANES) /* by lines of the cache */
        for (int64_t j = 0; j < columns; j++)
            for (int64_t k = i; k < rows && k < i + LANES; k++) to[j * rows + k] = from[k * columns + j];
}

/* Columns of the panel of add_product that begins at column `at` of `columns`. */
INLINE int64_t panel(int64_t columns, int64_t at) {
    return columns - at >= 4 * LANES ? 4 * LANES : columns - at >= LANES ? LANES : columns - at;
}

/* The transposed of `from` [rows, columns] in panels. */
INLINE void transpose_to_panels(int64_t rows, int64_t columns, const float *from, float *to) {
    for (int64_t i = 0, width; i < rows; i += width) {
        width = panel(rows, i);
        transpose(width, columns, from + i * columns, to + i * columns);
    }
}

/* `from` [rows, columns] in panels. */
INLINE void copy_to_panels(int64_t rows, int64_t columns, const float *from, float *to) {
    for (int64_t j = 0, width; j < columns; j += width) {
        width = panel(columns, j);
        for (int64_t i = 0; i < rows; i++)
            for (int64_t k = 0; k < width; k++) *to++ = from[i * columns + j + k];
    }
}

#endif
