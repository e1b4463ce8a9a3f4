"""snake in plain Python, written from its rules: the oracle of the C one."""

from collections import deque

import numpy as np
from squared_reference import seeded

FOOD, EMPTY, BODY, WALL = range(4)
MOVES = [(1, 0), (-1, 0), (0, -1), (0, 1)]


class Snake:
    """One life: cells from tail to head."""

    def __init__(self, cell: tuple[int, int], heading: int) -> None:
        self.cells = deque([cell])
        self.heading, self.growth, self.eaten, self.age, self.alive = heading, 2, 0, 0, True


class Board:
    def __init__(self, seed: int, index: int, *, snakes: int, width: int, height: int, food: int, vision: int,
                 corpses: int, horizon: int) -> None:  # fmt: skip
        self.random = seeded(seed, index)
        self.count, self.width, self.height, self.food = snakes, width, height, food
        self.vision, self.corpses, self.horizon = vision, corpses, horizon
        self.lives: list[tuple[int, int, int]] = []  # food eaten, age and what it died on of every life that ended
        self.reset()

    def reset(self) -> None:
        self.board = np.full((self.height + 2 * self.vision, self.width + 2 * self.vision), WALL, np.uint8)
        self.inside = self.board[self.vision : -self.vision, self.vision : -self.vision]
        self.inside[:] = EMPTY
        # Where a snake's head was last: the corner of the array before its first life.
        self.snakes: list[Snake | None] = [None] * self.count
        self.places = [(self.vision, self.vision)] * self.count
        for i in range(self.count):
            self.appear(i)
        self.feed()
        self.ticks = 0
        self.truncation = False
        self.rewards, self.terminals, self.masks = [0.0] * self.count, [False] * self.count, [True] * self.count

    def place(self) -> tuple[int, int] | None:
        drawn = self.random.integer(self.width * self.height)
        empty = np.flatnonzero(self.inside.ravel() == EMPTY)
        if len(empty) == 0:
            return None
        after = empty[empty >= drawn]
        row, column = divmod(int(after[0] if len(after) else empty[0]), self.width)
        return row + self.vision, column + self.vision

    def feed(self) -> None:
        while (self.board == FOOD).sum() < self.food:
            cell = self.place()
            if cell is None:
                return
            self.board[cell] = FOOD

    def appear(self, i: int) -> None:
        cell = self.place()
        if cell is None:
            return
        self.board[cell] = BODY
        self.snakes[i] = Snake(cell, self.random.integer(4))
        self.places[i] = cell

    def step(self, actions: list[int]) -> None:
        if self.truncation:
            self.reset()
            self.masks = [False] * self.count
            return
        self.rewards, self.terminals, self.masks = [0.0] * self.count, [False] * self.count, [True] * self.count
        for i, (snake, action) in enumerate(zip(self.snakes, actions, strict=True)):
            if snake is not None and snake.alive:
                self.move(i, snake, action)
            else:
                self.masks[i] = False
                self.appear(i)
        self.feed()
        self.ticks += 1
        self.truncation = self.ticks == self.horizon
        if self.truncation:
            self.lives += [(s.eaten, s.age, 0) for s in self.snakes if s is not None and s.alive]

    def move(self, i: int, snake: Snake, action: int) -> None:
        if 0 <= action < 4 and MOVES[action] != tuple(-step for step in MOVES[snake.heading]):
            snake.heading = action
        row, column = snake.cells[-1]
        down, right = MOVES[snake.heading]
        cell = (row + down, column + right)
        snake.age += 1
        if snake.growth > 0:
            snake.growth -= 1
        else:
            self.board[snake.cells.popleft()] = EMPTY
        there = int(self.board[cell])
        if there in (BODY, WALL):
            for part in snake.cells:
                self.board[part] = FOOD if self.corpses else EMPTY
            snake.alive = False
            self.rewards[i], self.terminals[i] = -1.0, True
            self.lives.append((snake.eaten, snake.age, there))
            return
        if there == FOOD:
            snake.eaten += 1
            snake.growth += 1
            self.rewards[i] = 1.0
        snake.cells.append(cell)
        self.places[i] = cell
        self.board[cell] = BODY

    def observations(self) -> np.ndarray:
        reach = range(-self.vision, self.vision + 1)
        rows = [[self.board[r + i, c + j] for i in reach for j in reach] for r, c in self.places]
        return np.array(rows, np.uint8)
