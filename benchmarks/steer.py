"""Steering: 1 to 64 interacting atoms fly to their goals; how many are there when the episode ends.

`arrived` is the fraction of atoms within 0.5 sigma of their own goal (`own`) at the end of the episode, or of the one
goal that all share (`common`, within the radius that so many atoms need to touch), over 100 evaluation episodes of the
mean policy; each sample is one training seed.
"""

import table
from runs import run

# Dense spheres of n atoms at the density of the solid, and half a length scale beyond.
COMMON_RADIUS = {2: 1.1, 8: 1.7, 64: 2.9}


def main() -> None:
    """Prints one row for each number of atoms and kind of goal."""
    arguments = table.arguments(__doc__)
    results = table.Table(arguments.json)
    cases = [(1, "own"), (2, "own"), (8, "own"), (64, "own"), (2, "common"), (8, "common"), (64, "common")]
    if arguments.quick:
        cases = [(8, "own")]
    for atoms, goals in cases:
        settings = [
            "env=atoms/steer",
            f"material.structure.atoms={atoms}",
            f"agent.ppo.total_agent_steps={300_000 if atoms <= 8 else 2_000_000}",
            "evaluation.episodes=100",
        ]
        if goals == "common":
            settings += ["env.settings.common_goal=true", f"env.settings.tolerance={COMMON_RADIUS[atoms]}"]
        seeds = range(1 if arguments.quick else 3)
        runs = [run("train", f"seed={seed}", *settings, result="evaluation.json") for seed in seeds]
        results.add(f"{atoms} {goals}", "arrived", [100 * figures["perf"] for figures, _ in runs], "%")
        results.add(f"{atoms} {goals}", "wall-clock time", [seconds for _, seconds in runs], "s")
    results.close()


if __name__ == "__main__":
    main()
