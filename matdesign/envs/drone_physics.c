/* drone_physics.c: a quadrotor as a rigid body.
 *
 * Rotors 0..3 sit at +x, +y, -x, -y of the body, each ARM from its centre, and push along the body's z with
 * f_i = hover thrust * (1 + THRUST_RANGE * action_i). With b = z axis of the body and R its attitude,
 *
 *     m dv/dt = sum(f) b - m g e_z - m LINEAR_DRAG v
 *     J dw/dt = (ARM (f1 - f3), ARM (f2 - f0), TORQUE_PER_THRUST (f0 - f1 + f2 - f3)) - w x J w - J ANGULAR_DRAG w
 *
 * MASS, INERTIA, ARM and TORQUE_PER_THRUST are those of Lee, Leok, McClamroch 2010 (doi:10.1109/CDC.2010.5717652), a
 * quadrotor of the size wanted here. LINEAR_DRAG is the mean of the two horizontal coefficients that Faessler, Franchi,
 * Scaramuzza 2018 (doi:10.1109/LRA.2017.2776353) identified, 0.544 and 0.386 1/s, in all directions. ANGULAR_DRAG is
 * what a rotor's thrust loses when its hub climbs: by blade element and momentum theory T/v_i * K/(K + 4 lambda) for
 * each m/s, with induced velocity v_i = 7.9 m/s, K = 0.08 and inflow lambda = 0.05; two rotors at ARM make it 0.9 1/s.
 * A change of mass changes the inertia in proportion.
 *
 * One step is the explicit midpoint rule, of second order. The attitude turns by Cayley's rational
 * approximation of the exponential map, which keeps the quaternion's length without a square root.
 */
#include "drone_swarm.h"

#define GRAVITY 9.81f
#define MASS 4.34f                /* kg */
#define INERTIA_X 0.0820f         /* kg m^2 */
#define INERTIA_Y 0.0845f
#define INERTIA_Z 0.1377f
#define ARM 0.315f                /* m */
#define TORQUE_PER_THRUST 8.004e-4f /* m */
#define LINEAR_DRAG 0.465f        /* 1/s */
#define ANGULAR_DRAG 0.9f         /* 1/s */
#define THRUST_RANGE 0.5f         /* of the hover thrust */
#define MOST_RATE 20.0f           /* rad/s; faster spins are cut, for the integrator's sake */

#define ROTOR_THRUST (0.25f * MASS * GRAVITY)

/* NaN becomes -most. */
#define LIMITED(values, most) \
    SELECT((values) > -(most), SELECT((values) < (most), values, (Lanes){0} + (most)), (Lanes){0} - (most))

CLONES static void advance_block(Block *b, const float *actions, int lanes, float h) {
    Lanes action[4] = {{0}};
    for (int i = 0; i < lanes; i++)
        for (int rotor = 0; rotor < 4; rotor++) action[rotor][i] = actions[4 * i + rotor];
    Lanes f0 = 1.0f + THRUST_RANGE * LIMITED(action[0], 1.0f), f1 = 1.0f + THRUST_RANGE * LIMITED(action[1], 1.0f);
    Lanes f2 = 1.0f + THRUST_RANGE * LIMITED(action[2], 1.0f), f3 = 1.0f + THRUST_RANGE * LIMITED(action[3], 1.0f);
    Lanes lift = b->lift, push = 0.25f * GRAVITY * lift * (f0 + f1 + f2 + f3);
    Lanes roll = ARM * ROTOR_THRUST / INERTIA_X * lift * (f1 - f3);
    Lanes pitch = ARM * ROTOR_THRUST / INERTIA_Y * lift * (f2 - f0);
    Lanes yaw = TORQUE_PER_THRUST * ROTOR_THRUST / INERTIA_Z * lift * (f0 - f1 + f2 - f3);

    /* Angular velocity: w at the start, m in the middle of the step. */
    const float gx = (INERTIA_Y - INERTIA_Z) / INERTIA_X, gy = (INERTIA_Z - INERTIA_X) / INERTIA_Y;
    const float gz = (INERTIA_X - INERTIA_Y) / INERTIA_Z;
    Lanes wx = b->wx, wy = b->wy, wz = b->wz, damping = ANGULAR_DRAG * b->drag;
    Lanes mx = wx + 0.5f * h * (roll + gx * wy * wz - damping * wx);
    Lanes my = wy + 0.5f * h * (pitch + gy * wz * wx - damping * wy);
    Lanes mz = wz + 0.5f * h * (yaw + gz * wx * wy - damping * wz);
    wx += h * (roll + gx * my * mz - damping * mx);
    wy += h * (pitch + gy * mz * mx - damping * my);
    wz += h * (yaw + gz * mx * my - damping * mz);
    b->wx = LIMITED(wx, MOST_RATE), b->wy = LIMITED(wy, MOST_RATE), b->wz = LIMITED(wz, MOST_RATE);

    /* Attitude: q (1, u) / sqrt(1 + u^2) is half a step, done twice; |m| h / 4 stands for its tangent. */
    Lanes ux = 0.25f * h * mx, uy = 0.25f * h * my, uz = 0.25f * h * mz;
    Lanes norm = 1.0f / (1.0f + ux * ux + uy * uy + uz * uz);
    Lanes qw = b->qw, qx = b->qx, qy = b->qy, qz = b->qz;
    Lanes pw = qw - qx * ux - qy * uy - qz * uz, px = qx + qw * ux + qy * uz - qz * uy;
    Lanes py = qy + qw * uy + qz * ux - qx * uz, pz = qz + qw * uz + qx * uy - qy * ux;
    Lanes ax = push * norm * 2.0f * (px * pz + pw * py), ay = push * norm * 2.0f * (py * pz - pw * px);
    Lanes az = push * norm * (pw * pw - px * px - py * py + pz * pz) - GRAVITY;
    qw = norm * (pw - px * ux - py * uy - pz * uz), qx = norm * (px + pw * ux + py * uz - pz * uy);
    qy = norm * (py + pw * uy + pz * ux - px * uz), qz = norm * (pz + pw * uz + px * uy - py * ux);
    Lanes rounding = 1.5f - 0.5f * (qw * qw + qx * qx + qy * qy + qz * qz); /* 1 / length, as it is near 1 */
    b->qw = qw * rounding, b->qx = qx * rounding, b->qy = qy * rounding, b->qz = qz * rounding;

    Lanes drag = LINEAR_DRAG * b->drag;
    Lanes kx = b->vx + 0.5f * h * (ax - drag * b->vx), ky = b->vy + 0.5f * h * (ay - drag * b->vy);
    Lanes kz = b->vz + 0.5f * h * (az - drag * b->vz);
    b->x += h * kx, b->y += h * ky, b->z += h * kz;
    b->vx += h * (ax - drag * kx), b->vy += h * (ay - drag * ky), b->vz += h * (az - drag * kz);
}

void drones_advance(Block *blocks, int drones, const float *actions, float timestep) {
    for (int first = 0; first < drones; first += LANES) {
        int lanes = drones - first < LANES ? drones - first : LANES;
        advance_block(&blocks[first / LANES], actions + 4 * first, lanes, timestep);
    }
}
