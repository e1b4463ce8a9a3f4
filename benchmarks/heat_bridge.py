"""The heat bridge: free atoms between a hot and a cold slab learn, from the measured heat alone, to connect the two.

`flux` is the steady heat current J between the slabs at 0.25 and 0.05 epsilon/kB (30 and 6 K in argon), epsilon/tau,
measured apart from the reward, in structures of held-out starts; each sample is one seed (mean of its structures) where
something is trained or searched, else one structure. Policy, CMA-ES over the same eight coefficients and temperature,
and best-of-N of plain dynamics spend equal force evaluations. `kept` is the flux after 50 tau (108 ps) without control
at 0.05 and 0.1 epsilon/kB over the flux before. Goals are asked as heat Q (see matdesign/rewards/heat.c); the flux that
was reached stands beside. Minutes on a quiet machine; needs a process for each seed.
"""

import dataclasses
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import table
from ase import Atoms

from matdesign.config import load
from matdesign.design.assembly import open_vector
from matdesign.design.training import make_trainer
from matdesign.envs.bridge import WALL, BridgeResult, HandBuilt, Slabs, bridge_result
from matdesign.properties import measure
from matdesign.properties.heat_current import HeatCurrent
from matdesign.sections import Config
from matdesign.sim import Simulation

Act = Callable[[np.ndarray, float], np.ndarray]  # observations [rows, 7], time 0..1 -> actions [rows or 1, 9]

PLANE, TEMPERATURE = 2, 8  # columns of an action
HELD_OUT = 10_000  # seed of the starts that everything is judged on
EVALUATIONS = 1300  # force evaluations of an episode, on average
ALONE = (0.05, 0.1)  # epsilon/kB
BROKEN = 0.1  # flux below which a bridge is none
GOALS = (0.02, 0.05, 0.08, 0.11, 0.14)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Budget:
    """How much of everything.

    Attributes:
        seeds: of training and search.
        goal_seeds: of training with goals.
        iterations: of PPO, 16 episodes each.
        structures: of each policy, controller or search whose flux is measured.
        steps: MD steps of one flux.
    """

    seeds: int
    goal_seeds: int
    iterations: int
    structures: int
    steps: int


FULL = Budget(seeds=5, goal_seeds=2, iterations=61, structures=6, steps=10_000)
QUICK = Budget(seeds=1, goal_seeds=1, iterations=2, structures=2, steps=2_000)


def configured(*, gap: int = 6, free: int = 36, horizon: int = 80, goals: bool = False, seed: int = 0) -> Config:
    """The environment's configuration with another gap (layers), number of free atoms, horizon; with goals."""
    return load(
        [
            "env=atoms/bridge",
            f"seed={seed}",
            f"material.structure.repeat=[{(gap + 6) // 2},3,3]",
            f"env.settings.free={free}",
            f"env.settings.horizon={horizon}",
            f"env.settings.goal_high={GOALS[-1] if goals else 0.0}",
        ]
    )


def slabs(config: Config) -> Slabs:
    """Of this configuration."""
    return Slabs.cut(config.material.structure.build(config.material))


def fly(config: Config, act: Act, episodes: int, seed: int) -> list[BridgeResult]:
    """Episodes of `act`."""
    found: list[BridgeResult] = []
    between = slabs(config)
    with open_vector(config, own_memory=True) as vector:
        atoms = vector.agents + sum(map(len, [*between.hot, *between.cold]))
        vector.reset(seed)
        while len(found) < episodes:
            vector.terminals[:] = False
            time, horizon = 0, int(config.env.settings["horizon"])  # type: ignore[arg-type]
            while not vector.terminals.any():
                vector.actions[:] = act(vector.observations, time / horizon)
                vector.step()
                time += 1
            found += [bridge_result(vector, index, atoms) for index in range(vector.envs)]
            vector.step()  # the reset
    return found[:episodes]


def constant(**coefficients: float) -> np.ndarray:
    """An action of all atoms, alike."""
    action = np.zeros((1, 9))
    action[0, PLANE] = coefficients.get("plane", 0.0)
    action[0, TEMPERATURE] = coefficients.get("temperature", 0.0)
    return action


def annealed(observations: np.ndarray, time: float) -> np.ndarray:
    """The one-line controller, hot at first."""
    return constant(plane=1.0, temperature=0.6 * max(0.0, 1.0 - time / 0.7))


CONTROLLERS: dict[str, Act] = {
    "no control": lambda observations, time: constant(),
    "to the plane": lambda observations, time: constant(plane=1.0),
    "to the plane, annealed": annealed,
}


def structure(config: Config, result: BridgeResult) -> Atoms:
    """What an episode built, with its slabs."""
    free = int(config.env.settings["free"])  # type: ignore[arg-type]
    atoms, _ = slabs(config).with_atoms(result.positions[:free], tuple(config.material.species))
    atoms.positions[:] = result.positions
    return atoms


def flux(config: Config, atoms: Atoms, steps: int, seed: int = 0, seeds: int = 1) -> float:
    """Steady current through these atoms."""
    current = HeatCurrent(hot=0.25, cold=0.05, equilibration=3000, steps=steps)
    return measure(current, atoms, config.material, seed=seed, seeds=seeds, processes=1).value


def fluxes(config: Config, results: Sequence[BridgeResult], steps: int) -> list[float]:
    """Of each of these episodes."""
    return [flux(config, structure(config, result), steps) for result in results]


def left_alone(config: Config, atoms: Atoms, temperature: float) -> Atoms:
    """The same atoms after 50 tau without control, slabs moving, at this temperature, relaxed again."""
    _, roles = slabs(config).with_atoms(atoms.positions[: int(config.env.settings["free"])], ("Ar", "Kr"))  # type: ignore[arg-type]
    with Simulation(atoms, config.material) as simulation:
        simulation.fix_atoms(roles == WALL)
        moving = " ".join(str(i + 1) for i in np.flatnonzero(roles != WALL))
        simulation.command(f"group moving id {moving}")
        simulation.command(f"fix bath moving langevin {temperature} {temperature} 0.5 4711")
        simulation.run(round(50 / config.material.timestep))
        simulation.command("unfix bath")
        simulation.minimize()
        return simulation.structure()


def trained(config: Config, iterations: int) -> tuple[Act, float]:
    """A policy's mean action, and the force evaluations of its training."""
    import torch

    from matdesign.agents.actor import Actor

    torch.set_num_threads(1)
    spent = 0.0
    with open_vector(config) as vector:
        ppo = make_trainer(config, vector)
        for _ in range(iterations):
            figures = ppo.iterate()
            spent += figures["env/evaluations"] * figures["env/episodes"]
    act = Actor(ppo.policy.eval())
    return lambda observations, time: act(torch.from_numpy(observations)).numpy(), spent


def searched(config: Config, evaluations: float, seed: int) -> Act:
    """CMA-ES over constant coefficients and temperature: mean heat of eight episodes, until the budget is spent."""
    import cma

    strategy = cma.CMAEvolutionStrategy(np.zeros(9), 0.3, {"popsize": 8, "verbose": -9, "seed": seed + 1})
    start = seed << 20
    while evaluations > 0:
        asked = strategy.ask()
        told = []
        for candidate in asked:
            start += 1
            results = fly(config, lambda observations, time, action=candidate: action[None], 8, start)
            evaluations -= sum(result.evaluations for result in results)
            told.append(-float(np.mean([result.heat for result in results])))
        strategy.tell(asked, told)
    return lambda observations, time: strategy.mean[None]


def best_of(config: Config, evaluations: float, seed: int) -> BridgeResult:
    """The structure of most heat among as many episodes of plain dynamics as the budget allows."""
    best: BridgeResult | None = None
    start = (seed << 20) + 500_000
    while evaluations > 0:
        start += 1
        results = fly(config, CONTROLLERS["no control"], 64, start)
        evaluations -= sum(result.evaluations for result in results)
        best = max([*results, *([best] if best else [])], key=lambda result: result.heat)
    assert best is not None
    return best


def learn(seed: int, budget: Budget) -> dict[str, list[float]]:
    """Trains a policy, flies it as in training, twice as long and in a wider gap, and leaves its bridges alone."""
    config, longer, wide = configured(seed=seed), configured(horizon=160), configured(gap=8, free=48)
    policy, spent = trained(config, budget.iterations)
    results = fly(config, policy, budget.structures, HELD_OUT)
    found = {"spent": [spent], "heat": [result.heat for result in results]}
    found["policy"] = fluxes(config, results, budget.steps)
    found["policy, twice as long"] = fluxes(longer, fly(longer, policy, budget.structures, HELD_OUT), budget.steps)
    found["policy, gap 8"] = fluxes(wide, fly(wide, policy, budget.structures, HELD_OUT), budget.steps)
    for temperature in ALONE:
        after = [left_alone(config, structure(config, result), temperature) for result in results]
        found[f"after {temperature}"] = [flux(config, atoms, budget.steps) for atoms in after]
    return found


def search(seed: int, budget: Budget) -> dict[str, list[float]]:
    """CMA-ES and best-of-N with the evaluations of a training."""
    config, evaluations = configured(), budget.iterations * 16 * EVALUATIONS
    act = searched(config, evaluations, seed)
    found = {"CMA-ES": fluxes(config, fly(config, act, budget.structures, HELD_OUT), budget.steps)}
    found["best of N"] = [flux(config, structure(config, best_of(config, evaluations, seed)), budget.steps)]
    return found


def aim(seed: int, budget: Budget) -> dict[str, list[float]]:
    """Trains a policy that is told the heat it is to carry, and asks for several."""
    config = configured(seed=seed, goals=True)
    policy, _ = trained(config, budget.iterations)
    found = {}
    for goal in GOALS:
        asked = load_goal(config, goal)
        results = fly(asked, policy, budget.structures, HELD_OUT)
        found[f"heat {goal}"] = [result.heat for result in results]
        found[f"flux {goal}"] = fluxes(asked, results, budget.steps)
    return found


def load_goal(config: Config, goal: float) -> Config:
    """The same configuration with one goal for all episodes."""
    settings = {**config.env.settings, "goal_low": goal, "goal_high": goal}
    return dataclasses.replace(config, env=dataclasses.replace(config.env, settings=settings))


def references(results: table.Table, budget: Budget) -> None:
    """Bridges built by hand and controllers, in both gaps."""
    kinds: tuple[HandBuilt, ...] = ("none", "pillar", "sheet", "full")
    for gap, free in ((6, 36), (8, 48)):
        config = configured(gap=gap, free=free)
        label = "" if gap == 6 else f", gap {gap}"
        for kind in kinds[(gap == 8) :]:
            positions = slabs(config).built(kind, free)
            atoms, _ = slabs(config).with_atoms(positions, tuple(config.material.species))
            samples = [flux(config, atoms, budget.steps, seed=seed) for seed in range(4 if budget is FULL else 1)]
            results.add(f"by hand: {kind}{label}", "flux", samples, "eps/tau")
        for name, act in CONTROLLERS.items():
            flown = fly(config, act, budget.structures, HELD_OUT)
            results.add(name + label, "flux", fluxes(config, flown, budget.steps), "eps/tau")
            results.add(name + label, "heat Q", [result.heat for result in flown], "1")


def main() -> None:
    """Prints the table."""
    arguments = table.arguments(__doc__)
    results = table.Table(arguments.json)
    budget = QUICK if arguments.quick else FULL
    os.environ["OMP_NUM_THREADS"] = "1"
    seeds = range(budget.seeds)
    with ProcessPoolExecutor(budget.seeds, mp_context=get_context("spawn")) as pool:
        learned = [pool.submit(learn, seed, budget) for seed in seeds]
        searches = [pool.submit(search, seed, budget) for seed in seeds]
        aimed = [pool.submit(aim, seed, budget) for seed in seeds[: budget.goal_seeds]]
        references(results, budget)
        policies = [future.result() for future in learned]
        results.add("policy", "force evaluations", means(policies, "spent"), "1")
        results.add("policy", "heat Q", means(policies, "heat"), "1")
        for name in ("policy", "policy, twice as long", "policy, gap 8"):
            results.add(name, "flux", means(policies, name), "eps/tau")
        errors = [float(np.std(found["policy"]) / len(found["policy"]) ** 0.5) for found in policies]
        results.add("policy", "s.e. of flux", errors, "eps/tau")
        for temperature in ALONE:
            case, after = f"policy, 50 tau at {temperature}", means(policies, f"after {temperature}")
            results.add(case, "kept", [b / a for a, b in zip(means(policies, "policy"), after, strict=True)], "1")
            broken = [100 * float(np.mean(np.array(found[f"after {temperature}"]) < BROKEN)) for found in policies]
            results.add(case, "broken", broken, "%")
        for name in ("CMA-ES", "best of N"):
            results.add(name, "flux", means([future.result() for future in searches], name), "eps/tau")
        asked = [future.result() for future in aimed]
        for goal in GOALS:
            results.add(f"asked for Q = {goal}", "heat Q", means(asked, f"heat {goal}"), "1", reference=goal)
            results.add(f"asked for Q = {goal}", "flux", means(asked, f"flux {goal}"), "eps/tau")
    results.close()


def means(found: Sequence[dict[str, list[float]]], name: str) -> list[float]:
    """Mean of a figure in each seed."""
    return [float(np.mean(figures[name])) for figures in found]


if __name__ == "__main__":
    main()
