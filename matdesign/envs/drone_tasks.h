/* drone_tasks.h: targets. */
#ifndef MATDESIGN_DRONE_TASKS_H
#define MATDESIGN_DRONE_TASKS_H

#include "drone_swarm.h"

/* Random places are this far apart: straight and simultaneous flights between two sets of places whose pairs are
 * exchanged until no exchange shortens the sum of squares keep 1 / sqrt(2) of the smallest distance (Turpin, Michael,
 * Kumar 2014, doi:10.1177/0278364913515307), which is more than COLLISION_DISTANCE. */
#define FREE_DISTANCE 1.3f
#define GATE_RADIUS 0.6f /* race: closer to its place in a gate, a drone has passed it */
#define PAR_SPEED 2.0f   /* race: as many gates as this speed, m/s, would pass are perf 1 */
enum { GATES = 6 };

/* Draws a task and gives every drone its target and colour; in idle, where it starts is the target. */
void drone_task_begin(Swarm *s);

/* Targets and their velocities at the present tick, as far as they move. */
void drone_task_move(Swarm *s);

/* Race: drone i goes on to its lane in the next gate. */
void drone_pass_gate(Swarm *s, int i);

/* Race: gates passed by a drone on average over those at PAR_SPEED, at most 1. */
float drone_race_progress(const Swarm *s);

#endif
