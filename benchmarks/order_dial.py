"""Order dial: a glass of 108 Lennard-Jones atoms brought to a requested crystalline order and held there.

python benchmarks/order_dial.py [--quick] [--json FILE]     five minutes of one core for training, as much for the rest

`error` is the mean |S - goal| over the last 30 of 60 control steps of 10 MD steps, for 16 glasses that no policy was
trained on; each sample is one training seed (policy), network (untrained) or set of glasses (controller). Goals in
training were drawn from 0.15 to 0.38 and from 0.62 to 0.85. The controller kicks atoms along the same gradient,
proportionally to the error, with the gain that does best on other glasses and goals from the same ranges. Then the same
policies and the same gain with 864 atoms, in as many steps and in four times as many (`longer`).
"""

import tempfile
from pathlib import Path

import table
from order_runs import TO_GOAL, Actor, along, configured, fly, policy, train

TRAINED = "env.settings.goal=[0.15,0.38,0.62,0.85]"
GOALS = {"trained": (0.2, 0.3, 0.7, 0.8), "unseen": (0.42, 0.5, 0.58), "beyond": (0.1, 0.9)}
GAINS = (0.3, 0.5, 1.0, 1.5, 2.0, 3.0)  # v0 for an error of one goal_scale
GLASSES, TUNING = 1000, 5000  # seeds


def error(actor: Actor, goal: str, *, episodes: int, seed: int, settings: tuple[str, ...] = ()) -> float:
    """Mean |S - goal| while held."""
    figures, _ = fly(configured(episodes, f"env.settings.goal={goal}", *settings), actor, seed=seed)
    return -figures["score"]


def tuned() -> float:
    """The proportional controller's best gain over the goals of training."""

    def missed(gain: float) -> float:
        actor = along(configured(1), TO_GOAL, gain)
        return error(actor, TRAINED.split("=")[1], episodes=32, seed=TUNING)

    return min(GAINS, key=missed)


def main() -> None:
    """Trains five policies and holds every goal with each of them."""
    arguments = table.arguments(__doc__)
    results = table.Table(arguments.json)
    seeds = range(1 if arguments.quick else 5)
    episodes = 4 if arguments.quick else 16
    budget = ["agent.ppo.total_agent_steps=200000"] if arguments.quick else []
    plain = configured(1)
    with tempfile.TemporaryDirectory() as folder:
        folders = [Path(folder, str(seed)) for seed in seeds]
        spent = [train(path, f"seed={seed}", TRAINED, *budget) for seed, path in zip(seeds, folders, strict=True)]
        results.add("policy, training", "CPU time", [seconds for seconds, _ in spent], "s")
        results.add("policy, training", "force evaluations", [count for _, count in spent], "")
        trained = [policy(plain, path) for path in folders]
    untrained = [policy(configured(1, f"seed={seed}"), None) for seed in seeds]
    gain = tuned()
    controller = [along(plain, TO_GOAL, gain) for _ in seeds]
    results.add("controller", "gain", [gain], "v0")
    larger = ("material.structure.repeat=[6,6,6]",)
    cases: list[tuple[str, tuple[str, ...], dict[str, tuple[float, ...]], int]] = [("108", (), GOALS, episodes)]
    if not arguments.quick:
        cases.append(("864", larger, {"trained": (0.3, 0.7), "unseen": (0.5,)}, 2))
        cases.append(("864, longer", (*larger, "env.settings.horizon=240"), {"trained": (0.7,)}, 2))
    for atoms, settings, ranges, count in cases:
        for kind, goals in ranges.items():
            for goal in goals:

                def held(actors: list[Actor], goal: float = goal) -> list[float]:
                    return [
                        error(actor, str(goal), episodes=count, seed=GLASSES + index, settings=settings)
                        for index, actor in enumerate(actors)
                    ]

                case = f"{atoms} atoms, goal {goal} ({kind})"
                reference = results.add(case, "controller's error", held(controller), "")
                results.add(case, "policy's error", held(trained), "", reference=reference)
                if not settings:
                    results.add(case, "untrained's error", held(untrained), "", reference=reference)
    results.close()


if __name__ == "__main__":
    main()
