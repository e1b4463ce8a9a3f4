"""Keys by which people steer an agent of a game, in a terminal and in a window."""

# What a key does, and what no key does, in each game that people play.
KEYS: dict[str, tuple[dict[str, int], int]] = {
    "snake": ({"s": 0, "w": 1, "a": 2, "d": 3}, -1),
    "pong": ({"w": 1, "s": 2}, 0),
    "breakout": ({"a": 1, "d": 2}, 0),
    "squared": ({"s": 1, "w": 2, "a": 3, "d": 4}, 0),
}
STEPS_A_SECOND = {"snake": 8.0, "pong": 15.0, "breakout": 15.0, "squared": 4.0}
