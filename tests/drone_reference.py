"""The drone swarm in plain NumPy (float64, all pairs), written from its rules: the oracle of the C one."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from squared_reference import SplitMix64, seeded

Array = NDArray[np.float64]

TASKS = ("idle", "hover", "orbit", "follow", "cube", "congo", "flag", "plane", "race", "points")
GRAVITY, MASS, ARM, TORQUE_PER_THRUST = 9.81, 4.34, 0.315, 8.004e-4
INERTIA = np.array([0.0820, 0.0845, 0.1377])
LINEAR_DRAG, ANGULAR_DRAG, THRUST_RANGE = 0.465, 0.9, 0.5
COLLISION, RANGE, FREE, GATE, GATES = 0.9, 1.8, 1.3, 0.6, 6


def uniform(random: SplitMix64) -> float:
    return (random.bits() >> 11) * 2.0**-53


def product(p: Array, q: Array) -> Array:
    """Hamilton product of quaternions [..., 4] (w, x, y, z)."""
    w = p[..., :1] * q[..., :1] - (p[..., 1:] * q[..., 1:]).sum(-1, keepdims=True)
    return np.concatenate([w, p[..., :1] * q[..., 1:] + q[..., :1] * p[..., 1:] + np.cross(p[..., 1:], q[..., 1:])], -1)


def rotation(q: Array) -> Array:
    """Matrices [..., 3, 3], body to world, of unit quaternions [..., 4]."""
    w, x, y, z = np.moveaxis(q, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


def wrench(actions: Array) -> tuple[Array, Array]:
    """Total thrust [n] and torque [n, 3] in the body's frame, of a nominal drone."""
    f = MASS * GRAVITY / 4 * (1 + THRUST_RANGE * np.clip(actions, -1, 1))
    torque = [ARM * (f[:, 1] - f[:, 3]), ARM * (f[:, 2] - f[:, 0])]
    torque.append(TORQUE_PER_THRUST * (f[:, 0] - f[:, 1] + f[:, 2] - f[:, 3]))
    return f.sum(1), np.stack(torque, 1)


def spin(w: Array, torque: Array, drag: Array) -> Array:
    """Angular acceleration [n, 3]."""
    return (torque - np.cross(w, INERTIA * w)) / INERTIA - ANGULAR_DRAG * drag[:, None] * w


def closeness(distance: Array, span: float, near_share: float = 0.2) -> Array:
    return 1 - (1 - near_share) * distance / span - near_share * np.minimum(distance, 1)


class DroneSwarm:
    def __init__(
        self,
        seed: int,
        index: int,
        *,
        task: str,
        drones: int,
        neighbours: int = 4,
        horizon: int = 500,
        timestep: float = 0.04,
        spreads: Sequence[float] = (0.0, 0.0, 0.0),
        start_tilt: float = 0.0,
        points: Array | None = None,
    ) -> None:
        self.random = seeded(seed, index)
        self.task, self.n, self.k, self.horizon, self.h = task, drones, neighbours, horizon, timestep
        self.spreads, self.start_tilt, self.points = spreads, start_tilt, points
        self.arena = max(12.0, 3.0 * drones ** (1 / 3))
        self.bound = self.arena + 5.0
        self.span = 2 * math.sqrt(3) * self.bound
        self.reset()

    def uniforms(self, count: int) -> Array:
        return np.array([uniform(self.random) for _ in range(count)])

    def free_place(self, others: Array) -> Array:
        while True:
            place = self.arena * (2 * self.uniforms(3) - 1)
            if (np.linalg.norm(others - place, axis=1) > FREE).all():
                return place

    def reset(self) -> None:
        n = self.n
        self.tick, self.finished, self.truncated = 0, False, False
        self.uniforms(1)  # the task, which is known
        draws = self.uniforms(8)
        self.phases = 2 * math.pi * draws[5:]
        yaw, tilt = 2 * math.pi * draws[3], math.pi / 3 * draws[4] if self.task == "plane" else 0.0
        turned = np.array([[math.cos(yaw), -math.sin(yaw), 0], [math.sin(yaw), math.cos(yaw), 0], [0, 0, 1]])
        tilted = np.array([[1, 0, 0], [0, math.cos(tilt), -math.sin(tilt)], [0, math.sin(tilt), math.cos(tilt)]])
        self.middle = np.zeros(3) if self.task in ("race", "congo") else 4 * draws[:3] - 2
        targets = np.zeros((0, 3))
        if self.task == "hover":
            for _ in range(n):
                targets = np.vstack([targets, self.free_place(targets)])
            self.base = targets
        else:
            self.base = self.formation() @ (turned @ tilted).T
        self.gates = np.zeros(n, int)
        self.aim()
        self.x = np.zeros((0, 3))
        for _ in range(n):
            self.x = np.vstack([self.x, self.free_place(self.x)])
        if self.task == "idle":
            self.base = self.x
        else:
            self.exchange()
        self.v, self.w, self.q = np.zeros((n, 3)), np.zeros((n, 3)), np.zeros((n, 4))
        self.lift, self.drag = np.zeros(n), np.zeros(n)
        self.crashed = np.zeros(n, bool)
        for i in range(n):
            self.settle(i)
            mass, thrust, drag = 1 + np.array(self.spreads) * (2 * self.uniforms(3) - 1)
            self.lift[i], self.drag[i] = thrust / mass, drag / mass
        self.aim()
        self.distance = np.linalg.norm(self.target - self.x, axis=1)
        self.rewards, self.masks = np.zeros(n), np.ones(n, bool)

    def settle(self, i: int) -> None:
        heading, side, tilt = self.uniforms(3) * [2 * math.pi, 2 * math.pi, self.start_tilt] / 2
        yaw = np.array([math.cos(heading), 0, 0, math.sin(heading)])
        axis = [math.sin(tilt) * math.cos(2 * side), math.sin(tilt) * math.sin(2 * side)]
        self.q[i] = product(yaw, np.array([math.cos(tilt), *axis, 0]))
        self.v[i] = self.w[i] = 0
        self.crashed[i] = False

    def exchange(self) -> None:
        for _ in range(16):
            changed = False
            for i in range(self.n):
                for j in range(i):
                    if (self.x[i] - self.x[j]) @ (self.target[i] - self.target[j]) < 0:
                        self.x[[i, j]] = self.x[[j, i]]
                        changed = True
            if not changed:
                return

    def formation(self) -> Array:
        n = self.n
        i = np.arange(n)
        zero = np.zeros(n)
        if self.task in ("orbit", "follow"):
            z, angle = 1 - (2 * i + 1) / n, math.pi * (3 - math.sqrt(5)) * i
            circle = np.sqrt(1 - z * z)
            return 0.6 * math.sqrt(n) * np.stack([circle * np.cos(angle), circle * np.sin(angle), z], 1)
        if self.task == "cube":
            edge = next(m for m in range(1, n + 1) if m**3 >= n)
            return 2.0 * (np.stack([i % edge, i // edge % edge, i // edge**2], 1) - (edge - 1) / 2)
        if self.task == "congo":
            rise = 2.0 / (2 * math.pi)
            angle = 1.5 * (n - 1 - i) / math.hypot(self.arena / 2, rise)
            total = (1.5 * (n - 1) + 1.5 * self.h * self.horizon) / math.hypot(self.arena / 2, rise)
            ring = self.arena / 2 * np.stack([np.cos(angle), np.sin(angle)], 1)
            return np.column_stack([ring, rise * (angle - total / 2)])
        if self.task == "flag":
            rows = next(m for m in range(1, n + 1) if 3 * m * m >= 2 * n)
            columns = -(-n // rows)
            here = np.where(i // columns == n // columns, n % columns, columns)
            return 1.5 * np.stack([i % columns - (here - 1) / 2, zero, (rows - 1) / 2 - i // columns], 1)
        if self.task == "plane":
            edge = next(m for m in range(1, n + 1) if m * m >= n)
            return 1.5 * np.stack([i % edge - (edge - 1) / 2, i // edge - (edge - 1) / 2, zero], 1)
        if self.task == "race":
            levels = int(2 * (self.arena - 1) / 1.2) + 1
            used, lanes = min(n, levels), -(-n // levels)
            radius = 0.6 * self.arena + 1.2 * (i // levels - (lanes - 1) / 2)
            return np.stack([radius, zero, 1.2 * (i % levels - (used - 1) / 2)], 1)
        return np.zeros((n, 3))

    def aim(self) -> None:
        """Targets [n, 3] and their velocities at the present tick."""
        t, base, n = self.h * self.tick, self.base, self.n
        self.target_velocity = np.zeros((n, 3))
        if self.task in ("orbit", "congo"):
            rise = 2.0 / (2 * math.pi)
            rate, climb = 1.5 / (0.6 * math.sqrt(n)), 0.0
            if self.task == "congo":
                rate = 1.5 / math.hypot(self.arena / 2, rise)
                climb = rise * rate
            c, s = math.cos(rate * t), math.sin(rate * t)
            turned = np.column_stack([c * base[:, 0] - s * base[:, 1], s * base[:, 0] + c * base[:, 1], base[:, 2]])
            self.target = self.middle + turned + [0, 0, climb * t]
            self.target_velocity = np.column_stack([-rate * turned[:, 1], rate * turned[:, 0], np.full(n, climb)])
        elif self.task == "follow":
            rates, reach = np.array([0.3, 0.4, 0.5]), self.arena * np.array([0.33, 0.33, 0.15])
            self.target = base + reach * np.sin(rates * t + self.phases)
            self.target_velocity = np.tile(reach * rates * np.cos(rates * t + self.phases), (n, 1))
        elif self.task == "race":
            angle = 2 * math.pi / GATES * (self.gates % GATES)
            c, s = np.cos(angle), np.sin(angle)
            self.target = np.stack([c * base[:, 0] - s * base[:, 1], s * base[:, 0] + c * base[:, 1], base[:, 2]], 1)
        elif self.task == "points":
            assert self.points is not None
            self.target = self.points
        else:
            self.target = base + (self.middle if self.task not in ("idle", "hover") else 0)

    def advance(self, actions: Array) -> None:
        """The explicit midpoint rule; the attitude by two Cayley half turns."""
        h = self.h
        thrust, torque = wrench(actions)
        torque = torque * self.lift[:, None]
        middle = self.w + h / 2 * spin(self.w, torque, self.drag)
        self.w = np.clip(self.w + h * spin(middle, torque, self.drag), -20, 20)
        half = np.concatenate([np.ones((self.n, 1)), h / 4 * middle], 1)
        half /= np.linalg.norm(half, axis=1, keepdims=True)
        between = product(self.q, half)
        self.q = product(between, half)
        push = (self.lift * thrust / MASS)[:, None] * rotation(between)[:, :, 2] - [0, 0, GRAVITY]
        drag = LINEAR_DRAG * self.drag[:, None]
        velocity = self.v + h / 2 * (push - drag * self.v)
        self.x = self.x + h * velocity
        self.v = self.v + h * (push - drag * velocity)

    def step(self, actions: Array) -> None:
        if self.finished:
            self.reset()
            self.masks[:] = False
            return
        self.advance(actions.astype(float))
        self.masks = ~self.crashed
        for i in np.flatnonzero(self.crashed):
            self.x[i] = self.free_place(np.delete(self.x, i, 0))
            self.settle(i)
        self.tick += 1
        self.aim()
        before, self.distance = self.distance, np.linalg.norm(self.target - self.x, axis=1)
        outside = (np.abs(self.x) > self.bound).any(1)
        gain = np.where(outside, 0, closeness(self.distance, self.span)) - closeness(before, self.span)
        gain[self.collides()] *= np.where(gain > 0, 0, 2)[self.collides()]
        self.rewards = np.where(self.masks, gain, 0)
        self.crashed = outside & self.masks
        if self.task == "race":
            self.gates += (self.distance < GATE) & self.masks
            self.aim()
            self.distance = np.linalg.norm(self.target - self.x, axis=1)
        self.finished = self.truncated = self.tick == self.horizon

    def pairs(self) -> Array:
        """Distances [n, n]; infinite from a drone to itself."""
        distances = np.linalg.norm(self.x[:, None] - self.x[None], axis=2)
        np.fill_diagonal(distances, np.inf)
        return distances

    def collides(self) -> NDArray[np.bool_]:
        return (self.pairs() < COLLISION).any(1)

    def observation(self) -> Array:
        """[n, 20 + 6 k]."""
        body = rotation(self.q).swapaxes(1, 2)

        def seen(vectors: Array, scale: float = 1.0) -> Array:
            return np.clip(scale * np.einsum("nij,nj->ni", body, vectors), -5, 5)

        way = self.target - self.x
        length = np.linalg.norm(way, axis=1, keepdims=True)
        columns = [seen(way / np.maximum(length, 10)), seen(way / np.maximum(length, 0.5))]
        columns += [seen(self.target_velocity - self.v, 0.4), seen(self.v, 0.4), 0.25 * self.w, body[:, :, 2]]
        columns += [np.minimum(length / 10, 1), np.minimum(length / 0.5, 1)]
        distances = self.pairs()
        order = np.argsort(distances, axis=1)
        for k in range(self.k):
            if k >= self.n - 1:
                columns.append(np.zeros((self.n, 6)))
                continue
            other = order[:, k]
            d = distances[np.arange(self.n), other][:, None]
            weight = np.where(d < RANGE, 1 - d / RANGE, 0)
            columns += [seen((self.x[other] - self.x) / d * weight), seen((self.v[other] - self.v) * weight, 0.4)]
        return np.concatenate(columns, 1)
