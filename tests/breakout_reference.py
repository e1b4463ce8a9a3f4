"""breakout in plain Python, written from its rules: the oracle of the C one. Lengths in 1/256 pixel."""

import math

import numpy as np
from squared_reference import SplitMix64, seeded

WIDTH, PADDLE, PADDLE_Y, BALL = 576 * 256, 62 * 256, 312 * 256, 32 * 256
BRICK, COURSE, TOP = 32 * 256, 12 * 256, 50 * 256
POINTS = [7, 7, 4, 4, 1, 1]


def uniform(random: SplitMix64) -> float:
    return (random.bits() >> 11) * 2.0**-53


class Breakout:
    def __init__(self, seed: int, index: int, *, frameskip: int = 4, balls: int = 5, horizon: int = 8192) -> None:
        self.random = seeded(seed, index)
        self.frameskip, self.balls, self.horizon = frameskip, balls, horizon
        self.reset()

    def reset(self) -> None:
        self.lost = self.walls = self.score = self.ticks = 0
        self.wall = {(row, column) for row in range(6) for column in range(18)}
        self.serve()
        self.reward, self.terminal, self.truncation, self.mask = 0, False, False, True

    def serve(self) -> None:
        self.speed, self.hits, self.width = 256, 0, PADDLE
        self.paddle, self.x, self.y = (WIDTH - PADDLE) // 2, (WIDTH - BALL) // 2, 135 * 256
        self.send((2 * uniform(self.random) - 1) * math.pi / 4, 1)

    def send(self, angle: float, down: int) -> None:
        self.vx = math.floor(self.speed * 256 / 60 * math.sin(angle) + 0.5)
        self.vy = math.floor(self.speed * 256 / 60 * math.cos(angle) + 0.5) * down

    def step(self, action: int) -> None:
        if self.terminal or self.truncation:
            self.reset()
            self.mask = False
            return
        before = self.score
        self.mask = True
        for _ in range(self.frameskip):
            if self.frame({1: -1, 2: 1}.get(action, 0)):
                self.lost += 1
                if self.lost < self.balls:
                    self.serve()
                break
        self.ticks += 1
        self.reward = self.score - before
        self.terminal = self.lost == self.balls or self.walls == 2
        self.truncation = not self.terminal and self.ticks == self.horizon

    def frame(self, direction: int) -> bool:
        """Returns whether the ball is lost."""
        self.paddle = min(max(self.paddle + direction * (620 * 256 // 60), 0), WIDTH - self.width)

        x, right = self.x + self.vx, WIDTH - BALL
        if not 0 <= x <= right:
            x, self.vx = (-x if x < 0 else 2 * right - x), -self.vx
        if self.hit(x, self.y):
            self.vx = -self.vx
        else:
            self.x = x

        y = self.y + self.vy
        if y < 0:
            y, self.vy = -y, -self.vy
            if self.width == PADDLE:
                self.width = PADDLE // 2
                self.paddle += PADDLE // 4
        if self.hit(self.x, y):
            self.vy = -self.vy
            return False
        over_paddle = self.paddle - BALL < self.x < self.paddle + self.width
        if over_paddle and self.y + BALL <= PADDLE_Y < y + BALL:
            self.y = PADDLE_Y - BALL
            self.hits += 1
            if self.hits % 4 == 0:
                self.speed = min(self.speed + 64, 448)
            off = (self.x + BALL / 2 - self.paddle - self.width / 2) / self.width
            self.send(min(max(off, -0.75), 0.75) * math.pi / 2, -1)
            if not self.wall:
                self.wall = {(row, column) for row in range(6) for column in range(18)}
            return False
        self.y = y
        return y >= PADDLE_Y + 8 * 256

    def hit(self, x: int, y: int) -> bool:
        if not TOP - BALL < y < TOP + 6 * COURSE:
            return False
        overlapped = [
            (abs(column * BRICK + BRICK // 2 - x - BALL // 2) + abs(TOP + row * COURSE + COURSE // 2 - y - BALL // 2),
             row, column)
            for row, column in self.wall
            if x - BRICK < column * BRICK < x + BALL and y - COURSE < TOP + row * COURSE < y + BALL
        ]  # fmt: skip
        if not overlapped:
            return False
        # A line across the ball's way, never a corner: the ball overlapped nothing before this move.
        assert len({row for _, row, _ in overlapped}) == 1 or len({column for _, _, column in overlapped}) == 1
        _, row, column = min(overlapped)
        self.wall.remove((row, column))
        self.walls += not self.wall
        self.score += POINTS[row]
        if row < 3:
            self.speed = 448
        return True

    def observation(self) -> np.ndarray:
        paddle, ball = (self.paddle + self.width / 2) / WIDTH, (self.x + BALL / 2) / WIDTH
        fastest = 448 * 256 / 60
        state = [paddle, ball, (self.y + BALL / 2) / (330 * 256), self.vx / fastest, self.vy / fastest, ball - paddle]
        state += [self.width / PADDLE, self.speed / 448, (self.balls - 1 - self.lost) / self.balls, self.walls / 2]
        return np.array(state + [float((row, column) in self.wall) for row in range(6) for column in range(18)])
