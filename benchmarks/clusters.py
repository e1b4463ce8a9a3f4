"""The default job over several seeds: ground states of Lennard-Jones clusters, the policy beside multi-start.

`success` is the fraction of starts that end in the ground state, `evaluations per success` counts every force
evaluation of an episode (start, steering, final relaxation), `training evaluations` those of the training, once.
Policies are trained on 13 atoms; 19 atoms are flown without training. Each sample of a policy is one training seed
(400 episodes each), each sample of a classical method the search of 1000 starts that the same run made beside it.
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
    runs = [
        run("design", f"seed={seed}", f"evaluation.seed={1000 * (seed + 1)}", *settings, result="results.json")
        for seed in seeds
    ]
    for place, search in enumerate(runs[0][0]["searches"]):
        for method in search["methods"]:
            figures = [found["searches"][place]["methods"][method] for found, _ in runs]
            case = f"{search['atoms']} {method.replace(', not trained on this size', ' untrained')}"
            success = [100 * figure["success"][0] for figure in figures]
            results.add(case, "success", success, "%")
            results.add(case, "lowest success", [min(success)], "%")
            results.add(case, "highest success", [max(success)], "%")
            results.add(case, "evaluations per start", [figure["evaluations"][0] for figure in figures], "")
            results.add(case, "evaluations per success", [figure["cost"][0] for figure in figures], "")
    results.add("policy", "training evaluations", [found["training_evaluations"] for found, _ in runs], "")
    results.add("whole job", "wall-clock time", [seconds for _, seconds in runs], "s")
    results.close()


if __name__ == "__main__":
    main()
