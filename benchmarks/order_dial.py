"""Order dial: a glass of 108 Lennard-Jones atoms brought to a requested crystalline order and held there.

python benchmarks/order_dial.py [--quick] [--json FILE]     about three minutes of one core

`error` is the mean |S - goal| over the last 30 of 60 control steps of 10 MD steps, over 8 glasses that no policy was
trained on; each sample is another set of glasses and, for the policy, another training seed. Goals in training were
drawn from 0.15 to 0.38 and from 0.62 to 0.85. The controller kicks atoms along the same gradient, proportionally to the
error, with the gain that does best on other glasses and goals from the same ranges. Then the same policies and the same
gain with 864 atoms, in as many steps and in four times as many (`longer`).
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import table
from order_runs import TO_GOAL, Steer, along, configured, fly, policy, train

RANGES = "[0.15,0.38,0.62,0.85]"
GOALS = {"trained": (0.2, 0.3, 0.7, 0.8), "unseen": (0.42, 0.5, 0.58), "beyond": (0.1, 0.9)}
LARGER = ("material.structure.repeat=[6,6,6]",)
GAINS = (0.3, 0.5, 1.0, 1.5, 2.0, 3.0)  # v0 for an error of one goal_scale
GLASSES, TUNING = 1000, 5000  # seeds


def errors(actors: Sequence[Steer], goal: float | str, episodes: int, *settings: str) -> list[float]:
    """Mean |S - goal| while held, for each actor on a set of glasses of its own."""
    config = configured(episodes, f"env.settings.goal={goal}", *settings)
    first = TUNING if isinstance(goal, str) else GLASSES
    return [-fly(config, actor, seed=first + index)[0]["score"] for index, actor in enumerate(actors)]


def main() -> None:
    """Trains five policies and holds every goal with each of them."""
    arguments = table.arguments(__doc__)
    results = table.Table(arguments.json)
    seeds = range(1 if arguments.quick else 5)
    budget = ["agent.ppo.total_agent_steps=100000"] if arguments.quick else []
    with tempfile.TemporaryDirectory() as folder:
        trained = train(Path(folder), seeds, results, f"env.settings.goal={RANGES}", *budget)
    untrained = [policy(configured(1, f"seed={seed}")) for seed in seeds]
    tuning = {gain: errors([along(TO_GOAL, gain)], RANGES, 16)[0] for gain in GAINS}
    gain = min(tuning, key=lambda gain: tuning[gain])
    results.add("controller", "gain", [gain], "v0")
    controller = [along(TO_GOAL, gain) for _ in seeds]

    def compare(atoms: str, kind: str, goal: float, episodes: int, *settings: str) -> None:
        case = f"{atoms} atoms, goal {goal} ({kind})"
        reference = results.add(case, "controller's error", errors(controller, goal, episodes, *settings), "")
        results.add(case, "policy's error", errors(trained, goal, episodes, *settings), "", reference=reference)
        if goal == 0.5 and not settings:
            results.add(case, "untrained's error", errors(untrained, goal, episodes), "", reference=reference)

    for kind, goals in GOALS.items():
        for goal in goals:
            compare("108", kind, goal, 2 if arguments.quick else 8)
    if not arguments.quick:
        for kind, goal in (("trained", 0.3), ("unseen", 0.5), ("trained", 0.7)):
            compare("864", kind, goal, 2, *LARGER)
        compare("864, longer,", "trained", 0.7, 2, *LARGER, "env.settings.horizon=240")
    results.close()


if __name__ == "__main__":
    main()
