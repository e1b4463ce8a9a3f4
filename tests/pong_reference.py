"""pong in plain Python, written from its rules: the oracle of the C one."""

import numpy as np
from squared_reference import seeded

WIDTH, HEIGHT, PADDLE, BALL, POINTS = 500, 640, 70, 32, 21


class Pong:
    def __init__(self, seed: int, index: int, *, frameskip: int = 4, horizon: int = 4096, opponent: int = 8) -> None:
        self.random = seeded(seed, index)
        self.frameskip, self.horizon, self.opponent_speed = frameskip, horizon, opponent
        self.reset()

    def reset(self) -> None:
        self.won = self.lost = self.ticks = self.hits = 0
        self.serve()
        self.reward, self.terminal, self.truncation, self.mask = 0.0, False, False, True

    def serve(self) -> None:
        self.paddle = self.opponent = (HEIGHT - PADDLE) // 2
        self.x, self.y = WIDTH // 5, (HEIGHT - BALL) // 2
        self.vx, self.vy = 10, [-3, -2, -1, 1, 2, 3][self.random.integer(6)]

    def step(self, action: int) -> None:
        if self.terminal or self.truncation:
            self.reset()
            self.mask = False
            return
        point = 0
        for _ in range(self.frameskip):
            point = self.frame({1: 1, 2: -1}.get(action, 0))
            if point != 0:
                break
        self.ticks += 1
        self.reward, self.mask = float(point), True
        if point != 0:
            self.won += point == 1
            self.lost += point == -1
            self.serve()
        self.terminal = POINTS in (self.won, self.lost)
        self.truncation = not self.terminal and self.ticks == self.horizon

    def frame(self, direction: int) -> int:
        top = HEIGHT - PADDLE
        self.paddle = min(max(self.paddle + 8 * direction, 0), top)
        towards = (self.y + BALL // 2) - (self.opponent + PADDLE // 2)
        towards = min(max(towards, -self.opponent_speed), self.opponent_speed)
        self.opponent = min(max(self.opponent + towards, 0), top)
        self.x += self.vx
        self.y += self.vy
        ceiling = HEIGHT - BALL
        if self.y < 0:
            self.y, self.vy = -self.y, -self.vy
        elif self.y > ceiling:
            self.y, self.vy = 2 * ceiling - self.y, -self.vy
        right = WIDTH - BALL
        if self.x >= right:
            if not self.overlaps(self.paddle):
                return -1
            self.x, self.vx = 2 * right - self.x, -10
            self.vy = min(max(self.vy + 3 * direction, -13), 13) or self.vy
            self.hits += 1
        elif self.x <= 0:
            if not self.overlaps(self.opponent):
                return 1
            self.x, self.vx = -self.x, 10
        return 0

    def overlaps(self, paddle: int) -> bool:
        return paddle - BALL < self.y < paddle + PADDLE

    def observation(self) -> np.ndarray:
        values = [self.paddle, self.opponent, self.x, self.y, self.vx, self.vy, self.won, self.lost]
        scales = [570, 570, 468, 608, 10, 13, 21, 21]
        return np.array(values, float) / scales
