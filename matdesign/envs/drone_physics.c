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
 * what a rotor's thrust loses when its hub climbs: by blade element and momentum theory T/v_i * K/(K + 4 lambda) for each
 * m/s, with induced velocity v_i = 7.9 m/s, K = 0.08 and inflow lambda = 0.05; two rotors at ARM make 0.9 1/s of it.
 * A change of mass changes the inertia in proportion.
 *
 * One step is the explicit midpoint rule: second order, exact in free fall. The attitude turns by Cayley's rational
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

static inline float limited(float value, float most) {
    value = value > -most ? value : -most; /* NaN becomes -most */
    return value < most ? value : most;
}

static inline void advance_block(Block *restrict b, const float (*restrict action)[LANES], float h) {
    for (int i = 0; i < LANES; i++) {
        float f0 = 1.0f + THRUST_RANGE * limited(action[0][i], 1.0f), f1 = 1.0f + THRUST_RANGE * limited(action[1][i], 1.0f);
        float f2 = 1.0f + THRUST_RANGE * limited(action[2][i], 1.0f), f3 = 1.0f + THRUST_RANGE * limited(action[3][i], 1.0f);
        float lift = b->lift[i], push = 0.25f * GRAVITY * lift * (f0 + f1 + f2 + f3);
        float roll = ARM * ROTOR_THRUST / INERTIA_X * lift * (f1 - f3);
        float pitch = ARM * ROTOR_THRUST / INERTIA_Y * lift * (f2 - f0);
        float yaw = TORQUE_PER_THRUST * ROTOR_THRUST / INERTIA_Z * lift * (f0 - f1 + f2 - f3);

        /* Angular velocity: w at the start, m in the middle of the step. */
        const float gx = (INERTIA_Y - INERTIA_Z) / INERTIA_X, gy = (INERTIA_Z - INERTIA_X) / INERTIA_Y;
        const float gz = (INERTIA_X - INERTIA_Y) / INERTIA_Z;
        float wx = b->wx[i], wy = b->wy[i], wz = b->wz[i], damping = ANGULAR_DRAG * b->drag[i];
        float mx = wx + 0.5f * h * (roll + gx * wy * wz - damping * wx);
        float my = wy + 0.5f * h * (pitch + gy * wz * wx - damping * wy);
        float mz = wz + 0.5f * h * (yaw + gz * wx * wy - damping * wz);
        b->wx[i] = limited(wx + h * (roll + gx * my * mz - damping * mx), MOST_RATE);
        b->wy[i] = limited(wy + h * (pitch + gy * mz * mx - damping * my), MOST_RATE);
        b->wz[i] = limited(wz + h * (yaw + gz * mx * my - damping * mz), MOST_RATE);

        /* Attitude: q (1, u) / sqrt(1 + u^2) is half a step, done twice; |m| h / 4 stands for its tangent. */
        float ux = 0.25f * h * mx, uy = 0.25f * h * my, uz = 0.25f * h * mz;
        float norm = 1.0f / (1.0f + ux * ux + uy * uy + uz * uz);
        float qw = b->qw[i], qx = b->qx[i], qy = b->qy[i], qz = b->qz[i];
        float pw = qw - qx * ux - qy * uy - qz * uz, px = qx + qw * ux + qy * uz - qz * uy;
        float py = qy + qw * uy + qz * ux - qx * uz, pz = qz + qw * uz + qx * uy - qy * ux;
        float ax = push * norm * 2.0f * (px * pz + pw * py), ay = push * norm * 2.0f * (py * pz - pw * px);
        float az = push * norm * (pw * pw - px * px - py * py + pz * pz) - GRAVITY;
        qw = norm * (pw - px * ux - py * uy - pz * uz), qx = norm * (px + pw * ux + py * uz - pz * uy);
        qy = norm * (py + pw * uy + pz * ux - px * uz), qz = norm * (pz + pw * uz + px * uy - py * ux);
        float rounding = 1.5f - 0.5f * (qw * qw + qx * qx + qy * qy + qz * qz); /* 1 / length, as it is near 1 */
        b->qw[i] = qw * rounding, b->qx[i] = qx * rounding, b->qy[i] = qy * rounding, b->qz[i] = qz * rounding;

        float drag = LINEAR_DRAG * b->drag[i], vx = b->vx[i], vy = b->vy[i], vz = b->vz[i];
        float kx = vx + 0.5f * h * (ax - drag * vx), ky = vy + 0.5f * h * (ay - drag * vy);
        float kz = vz + 0.5f * h * (az - drag * vz);
        b->x[i] += h * kx, b->y[i] += h * ky, b->z[i] += h * kz;
        b->vx[i] = vx + h * (ax - drag * kx), b->vy[i] = vy + h * (ay - drag * ky), b->vz[i] = vz + h * (az - drag * kz);
    }
}

CLONES void drones_advance(Block *blocks, int drones, const float *actions, float timestep) {
    for (int first = 0; first < drones; first += LANES) {
        float action[4][LANES] = {{0}};
        int lanes = drones - first < LANES ? drones - first : LANES;
        for (int i = 0; i < lanes; i++)
            for (int rotor = 0; rotor < 4; rotor++) action[rotor][i] = actions[4 * (first + i) + rotor];
        advance_block(&blocks[first / LANES], action, timestep);
    }
}
