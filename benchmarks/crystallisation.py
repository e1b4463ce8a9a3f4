"""Crystallisation of a glass of 108 Lennard-Jones atoms at equal force evaluations.

python benchmarks/crystallisation.py [--quick] [--json FILE]     about three minutes of one core

Each glass is melted and quenched as the episodes of env=atoms/order begin. From there every method has 1000 (or 2000)
force evaluations: `quench` spends all on L-BFGS, the others on molecular dynamics and the last 300 on L-BFGS.
`annealing` is plain MD at a temperature, `steered` adds kicks of a fixed multiple of the order's gradient (multiple and
temperature are those with the lowest energy on other glasses), `controller` and `policy` steer to an order of 0.95; the
policy was trained to hold any goal, for none of this in particular. What the gradient costs is not counted.

Energy per atom (epsilon), order S and the fraction of atoms in fcc, hcp or bcc surroundings (common neighbour analysis)
are means over 8 glasses, with zero for one whose simulation failed; each sample is another set of glasses and, for the
policy, another training seed. A perfect fcc crystal of this density has -7.872 epsilon.
"""

import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import table
from order_runs import ORDER_GRADIENT, TO_GOAL, Steer, along, configured, fly, train

from matdesign.properties import measure
from matdesign.properties.bond_order import BondOrder
from matdesign.properties.phases import DisorderedFraction
from matdesign.sim import Simulation

RELAXATION = 300  # force evaluations of the last L-BFGS
MD_STEPS = 10
TEMPERATURES = (0.4, 0.5, 0.6, 0.7, 0.8)
STEERING = tuple(product((0.1, 0.2, 0.3, 0.5), (0.4, 0.5, 0.6)))  # multiple (v0), temperature
GAIN = 2.0  # the controller's, v0 for an error of one goal_scale; as tuned in order_dial.py
GLASSES, TUNING = 2000, 6000  # seeds
FIGURES = ("energy", "S", "crystalline")


def crystallise(
    actor: Steer, *, kt: float, evaluations: int, glasses: int, seed: int, goal: float = 0.95
) -> tuple[float, float, float]:
    """Energy per atom, order and crystalline fraction, means over glasses; all evaluations to L-BFGS where kt is 0."""
    steps = (evaluations - RELAXATION) // MD_STEPS if kt else 1
    config = configured(
        glasses,
        f"env.settings.goal={goal}",
        f"env.settings.horizon={steps}",
        f"env.settings.md_steps={MD_STEPS if kt else 1}",
        *([f"env.settings.kt={kt}", f"env.settings.start_kt={kt}"] if kt else []),
    )
    _, results = fly(config, actor, seed=seed)
    material = config.material
    figures = []
    with Simulation(material.structure.build(material), material) as simulation:
        for result in results:
            if result.failed:  # by kicks that were too strong
                figures.append((0.0, 0.0, 0.0))
                continue
            simulation.place(result.positions)
            simulation.relax(tolerance=1e-3, evaluations=RELAXATION if kt else evaluations - 1)
            atoms = simulation.structure()
            disordered = measure(DisorderedFraction(), atoms, material, cache=None).value
            order = measure(BondOrder(), atoms, material, cache=None).value
            figures.append((simulation.energy / len(atoms), order, 1.0 - disordered))
    energy, order, crystalline = np.mean(figures, axis=0)
    return float(energy), float(order), float(crystalline)


def tuned(evaluations: int, glasses: int) -> tuple[float, float]:
    """Multiple of the gradient and temperature that give the lowest energy on other glasses."""

    def energy(choice: tuple[float, float]) -> float:
        actor = along(ORDER_GRADIENT, choice[0])
        return crystallise(actor, kt=choice[1], evaluations=evaluations, glasses=glasses, seed=TUNING)[0]

    return min(STEERING, key=energy)


def main() -> None:
    """Prints three rows for every method and budget."""
    arguments = table.arguments(__doc__)
    results = table.Table(arguments.json)
    seeds = range(1 if arguments.quick else 5)
    glasses = 2 if arguments.quick else 8
    budget = ["agent.ppo.total_agent_steps=100000"] if arguments.quick else []
    with tempfile.TemporaryDirectory() as folder:
        trained = train(Path(folder), seeds, results, *budget)
    still = [along(TO_GOAL, 0.0) for _ in seeds]

    def show(name: str, actors: Sequence[Steer], kt: float, evaluations: int) -> None:
        samples = [
            crystallise(actor, kt=kt, evaluations=evaluations, glasses=glasses, seed=GLASSES + index)
            for index, actor in enumerate(actors)
        ]
        for figure, values in zip(FIGURES, zip(*samples, strict=True), strict=True):
            results.add(f"{name}, {evaluations}", figure, values, "epsilon" if figure == "energy" else "")

    for evaluations in (1000,) if arguments.quick else (1000, 2000):
        show("quench", still, 0.0, evaluations)
        for kt in (0.6,) if arguments.quick else TEMPERATURES:
            show(f"annealing at {kt}", still, kt, evaluations)
        multiple, kt = STEERING[0] if arguments.quick else tuned(evaluations, glasses)
        steered = [along(ORDER_GRADIENT, multiple) for _ in seeds]
        show(f"steered, {multiple} at {kt}", steered, kt, evaluations)
        show("controller", [along(TO_GOAL, GAIN) for _ in seeds], 0.5, evaluations)
        show("policy", trained, 0.5, evaluations)
    results.close()


if __name__ == "__main__":
    main()
