"""The default job over several seeds: ground states of Lennard-Jones clusters, the policy beside multi-start.

`success` is the fraction of starts that end in the ground state, `evaluations per success` counts every force
evaluation of an episode (start, steering, final relaxation), `training evaluations` those of the training, once.
Policies are trained on 13 atoms; 19 atoms are flown without training. Each sample of a policy is one training seed
(400 episodes each), each sample of a classical method the search that the same run made beside it. In `unknown` rows
the training does not know the energy of the ground state: the lowest energy seen so far takes its place.
"""

import table
from runs import run


def main() -> None:
    """Prints one row for each cluster, method and figure."""
    arguments = table.arguments(__doc__)
    results = table.Table(arguments.json)
    seeds, settings = range(3), ["evaluation.multistart=1000"]
    if arguments.quick:
        seeds, settings = range(1), ["agent.ppo.total_agent_steps=300000"]
    known, unknown = (
        [
            run(
                "design",
                f"seed={seed}",
                f"evaluation.seed={1000 * (seed + 1)}",
                *settings,
                *more,
                result="results.json",
            )
            for seed in seeds
        ]
        for more in ([], ["target=lowest_energy", "evaluation=standard"])
    )
    for label, runs in (("", known), (" unknown", unknown)):
        for place, search in enumerate(runs[0][0]["searches"]):
            for method in search["methods"]:
                if label and not method.startswith("policy"):
                    continue  # the same classical searches again
                figures = [found["searches"][place]["methods"][method] for found, _ in runs]
                case = f"{search['atoms']} {method.replace(', not trained on this size', ' untrained')}{label}"
                success = [100 * figure["success"][0] for figure in figures]
                results.add(case, "success", success, "%")
                results.add(case, "lowest success", [min(success)], "%")
                results.add(case, "highest success", [max(success)], "%")
                results.add(case, "evaluations per start", [figure["evaluations"][0] for figure in figures], "")
                results.add(case, "evaluations per success", [figure["cost"][0] for figure in figures], "")
    results.add("policy", "training evaluations", [found["training_evaluations"] for found, _ in known], "")
    results.add("whole job", "wall-clock time", [seconds for _, seconds in known], "s")
    results.close()


if __name__ == "__main__":
    main()
