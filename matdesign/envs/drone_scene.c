/* drone_scene.c: a swarm as a Scene: bodies and rotors, targets, gates. */
#include "drone_tasks.h"

static void draw_gates(const Swarm *s, Scene *scene) {
    double half = (double)s->arena, inner = 1e9, outer = 0.0;
    for (int i = 0; i < s->env.agents; i++) {
        double x = (double)LANE(s, bx, i), y = (double)LANE(s, by, i), radius = sqrt(x * x + y * y);
        inner = radius < inner ? radius : inner, outer = radius > outer ? radius : outer;
    }
    inner -= (double)GATE_RADIUS, outer += (double)GATE_RADIUS;
    double start = atan2((double)LANE(s, by, 0), (double)LANE(s, bx, 0));
    for (int gate = 0; gate < GATES; gate++) {
        double angle = start + 6.283185307179586 * gate / GATES, c = cos(angle), sn = sin(angle);
        double corner[4][3] = {{inner * c, inner * sn, -half}, {outer * c, outer * sn, -half},
                               {outer * c, outer * sn, half}, {inner * c, inner * sn, half}};
        for (int edge = 0; edge < 4; edge++) scene_line(scene, corner[edge], corner[(edge + 1) % 4], 0xF0D040FF);
    }
}

static void draw_drone(const Swarm *s, int i, Scene *scene) {
    double w = (double)LANE(s, qw, i), x = (double)LANE(s, qx, i), y = (double)LANE(s, qy, i);
    double z = (double)LANE(s, qz, i);
    double along[2][3] = {{1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)},
                          {2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)}};
    double centre[3] = {(double)LANE(s, x, i), (double)LANE(s, y, i), (double)LANE(s, z, i)};
    scene_sphere(scene, centre[0], centre[1], centre[2], 0.5 * (double)BODY_RADIUS, LANE(s, colour, i));
    for (int arm = 0; arm < 2; arm++) {
        double ends[2][3];
        for (int end = 0; end < 2; end++) {
            for (int d = 0; d < 3; d++) ends[end][d] = centre[d] + (end ? 1 : -1) * (double)BODY_RADIUS * along[arm][d];
            scene_sphere(scene, ends[end][0], ends[end][1], ends[end][2], 0.5 * (double)ROTOR_RADIUS, 0x404850FF);
        }
        scene_line(scene, ends[0], ends[1], 0x808890FF);
    }
}

void drone_swarm_draw(Swarm *s, Scene *scene) {
    double top = -1e9;
    for (int i = 0; i < s->env.agents; i++) {
        draw_drone(s, i, scene);
        top = (double)LANE(s, tz, i) > top ? (double)LANE(s, tz, i) : top;
        scene_sphere(scene, (double)LANE(s, tx, i), (double)LANE(s, ty, i), (double)LANE(s, tz, i), 0.08,
                     (LANE(s, colour, i) & 0xFFFFFF00u) | 0x90u);
    }
    if (s->task == RACE) draw_gates(s, scene);
    scene_text(scene, 0.0, 0.0, top + 2.0, 1.0, 0x808890FF, drone_task_names[s->task]);
}
