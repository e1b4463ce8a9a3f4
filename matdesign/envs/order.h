/* order.h: how alike the surroundings of bonded atoms are, and its gradient. */
#ifndef MATDESIGN_ORDER_H
#define MATDESIGN_ORDER_H

#include "neighbours.h"

typedef struct Order Order;

/* For up to `atoms` atoms; NULL for lack of memory. */
Order *order_open(int atoms);

/* Order s of every atom [atoms], and the gradient [atoms][3] of their sum, per length unit of x:
 *
 *     s_i = 1/max(n_i, 8) sum_j w(r_ij) q_i . q_j / (|q_i| |q_j|),   q_i = sum_j w(r_ij) Y_6(r_ij),   n_i = sum_j w(r_ij)
 *
 * Y_6 are the 13 real spherical harmonics of degree 6; w falls from 1 at 1.2 `length` to 0 at 1.5 as
 * 1 - t^3 (10 - 15 t + 6 t^2). Without the lower bound of n_i two atoms alone would be perfectly ordered. s_i is between
 * -1 and 1. (ten Wolde, Ruiz-Montero and Frenkel, J. Chem. Phys. 104, 9932 (1996), doi:10.1063/1.471721, for the product
 * of bond orders.) The cell is as for neighbours_find. */
void order_find(Order *order, const double *x, int atoms, const double cell[3][3], const int periodic[3], double length,
                double *s, double *gradient);

void order_close(Order *order);

#endif
