"""The drone swarm's Python side: a scripted pilot to compare with."""

import numpy as np
from numpy.typing import NDArray

HOVER = 9.81


def pilot(observations: NDArray[np.float32], *, kp=1.0, kd=1.8, kr=40.0, kw=9.0, near=1.0, speed=3.0) -> NDArray[np.float32]:
    """Actions [drones, 4] of a proportional-derivative controller for observations [drones, features]."""
    far = observations[:, 0:3] * 10.0
    relative, rate, up = observations[:, 6:9] / 0.4, observations[:, 12:15] / 0.25, observations[:, 15:18]
    distance = np.linalg.norm(far, axis=1, keepdims=True)
    wanted_velocity = kp * far * np.minimum(1.0, speed / np.maximum(kp * distance, 1e-9))
    wanted = kd * (wanted_velocity + relative)
    length = np.linalg.norm(wanted, axis=1, keepdims=True)
    wanted *= np.minimum(1.0, 4.0 / np.maximum(length, 1e-9))
    thrust = wanted + HOVER * up  # body frame
    lift = thrust[:, 2] / HOVER - 1
    direction = thrust / np.linalg.norm(thrust, axis=1, keepdims=True)
    # turn the body's z towards direction: axis = z x direction = (-dy, dx, 0)
    ax = kr * -direction[:, 1] - kw * rate[:, 0]
    ay = kr * direction[:, 0] - kw * rate[:, 1]
    per = 0.315 * 0.25 * 4.34 * HOVER
    roll, pitch = ax * 0.0820 / per / 2, ay * 0.0845 / per / 2
    return (np.stack([lift - pitch, lift + roll, lift + pitch, lift - roll], 1) / 0.5).astype(np.float32)
