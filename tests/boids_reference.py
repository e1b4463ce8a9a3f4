"""boids in plain NumPy and double precision, every pair of birds, written from its rules: the oracle of the C one."""

import math

import numpy as np
from squared_reference import SplitMix64, seeded

FASTEST, SLOWEST, AGILITY, TOO_CLOSE = 0.15, 0.075, 0.03, 0.2


def uniform(random: SplitMix64) -> float:
    return (random.bits() >> 11) * 2.0**-53


class Boids:
    def __init__(self, seed: int, index: int, *, birds: int, crowd: float, horizon: int, rules: int = 0,
                 weights: tuple[float, float, float] = (1, 1, 1)) -> None:  # fmt: skip
        self.random = seeded(seed, index)
        self.birds, self.horizon, self.rules = birds, horizon, rules
        self.weights = np.array(weights) / sum(weights)
        self.edge = max(2.0, math.sqrt(math.pi * birds / crowd))
        self.reset()

    def reset(self) -> None:
        drawn = [[uniform(self.random) for _ in range(3)] for _ in range(self.birds)]
        x, y, turn = np.array(drawn).T
        self.places = self.edge * np.stack([x, y], axis=1)
        angle = 2 * np.pi * turn
        self.velocities = (SLOWEST + FASTEST) / 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        self.look()
        self.rewards = np.zeros(self.birds)
        self.ticks, self.truncation, self.mask = 0, False, True
        self.history: list[np.ndarray] = []

    def look(self) -> None:
        offsets = self.places - self.places[:, None]
        offsets -= self.edge * np.round(offsets / self.edge)
        squared = (offsets**2).sum(axis=2)
        np.fill_diagonal(squared, np.inf)
        seen, close = squared < 1, np.maximum(0, 1 - squared / TOO_CLOSE**2)
        count = seen.sum(axis=1)
        some = count > 0
        each = (seen / np.maximum(count, 1)[:, None])[:, :, None]
        centre, current = (each * offsets).sum(axis=1), (each * self.velocities).sum(axis=1)
        relative = (current - self.velocities * some[:, None]) / FASTEST
        push = -(close[:, :, None] * offsets).sum(axis=1) / TOO_CLOSE

        speed = np.linalg.norm(self.velocities, axis=1)
        self.headings = self.velocities / speed[:, None]
        columns = [speed / FASTEST, count / 16]
        for vector in (centre, relative, push):
            columns += [self.forward(vector), self.headings[:, 0] * vector[:, 1] - self.headings[:, 1] * vector[:, 0]]
        self.observations = np.stack(columns, axis=1)
        cohesion = some * (1 - (centre**2).sum(axis=1))
        alignment = np.maximum(0, self.forward(current)) / FASTEST
        separation = some * (1 - np.minimum(1, close.sum(axis=1)))
        self.terms = np.stack([cohesion, alignment, separation], axis=1)

    def forward(self, vectors: np.ndarray) -> np.ndarray:
        return (self.headings * vectors).sum(axis=1)

    def step(self, actions: np.ndarray) -> None:
        if self.truncation:
            self.reset()
            self.mask = False
            return
        if self.rules:
            o = self.observations
            actions = 0.3 * o[:, 2:4] + 10 * o[:, 4:6] + 30 * o[:, 6:8]
        cut = np.clip(actions, -1, 1)
        left = np.stack([-self.headings[:, 1], self.headings[:, 0]], axis=1)
        velocities = self.velocities + AGILITY * (cut[:, :1] * self.headings + cut[:, 1:] * left)
        speed = np.linalg.norm(velocities, axis=1, keepdims=True)
        self.velocities = velocities * np.clip(speed, SLOWEST, FASTEST) / speed
        self.places = (self.places + self.velocities) % self.edge
        self.look()
        self.rewards = self.terms @ self.weights
        self.mask = True
        self.ticks += 1
        self.truncation = self.ticks == self.horizon
        self.history.append(np.append(self.terms.mean(axis=0), np.linalg.norm(self.headings.mean(axis=0))))
