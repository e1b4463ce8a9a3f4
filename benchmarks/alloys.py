"""Two designs on real alloys from the question to the verified structure: a stiffness that is aimed at, and an order.

python benchmarks/alloys.py [--quick] [--json FILE]     five minutes on two cores; quick: one seed, fewer designs

Which of 32 fcc sites are nickel and which aluminium, half and half, so that the bulk modulus is 135 GPa (embedded
atoms; random alloys have less, the simplest ordered ones more)? And which of 64 diamond sites are silicon and which
germanium, so that the energy is lowest (Tersoff)? Both are whole runs of `matdesign design`: survey, searches with five
seeds each, verification, report. Energies are told above those of the pure crystals, in the numbers of the alloy.
"""

import tempfile
from pathlib import Path

import numpy as np
import table
from ase.eos import EquationOfState

import matdesign
from matdesign.config import load
from matdesign.design.results import Candidate, Results
from matdesign.design.survey import SURVEYED
from matdesign.properties import find, measure
from matdesign.sim import Material

METHODS = ("policy", "genetic", "random")
AIM = 135.0  # GPa
STRAINS = np.linspace(-0.01, 0.01, 7)
BOLTZMANN = 0.08617333  # meV/K
# Silicon and germanium are a random alloy with a miscibility gap below 170 K: de Gironcoli, Giannozzi and Baroni, Phys.
# Rev. Lett. 66, 2116 (1991). A regular solution of that critical temperature T has a mixing energy of kB T / 2.
PUBLISHED = 0.5 * BOLTZMANN * 170.0  # meV/atom

ALLOYS = {
    "NiAl": (
        "material=nial",
        "material.structure.repeat=[2,2,2]",
        "material.structure.composition={Ni: 0.5, Al: 0.5}",
        "target=hit",
        "target.property=bulk_modulus",
        f"target.value={AIM}",
        "target.tolerance=0.5",
        "search.designs=30",
    ),
    "SiGe": (
        "material=sige",
        "material.structure.repeat=[2,2,2]",
        "target=minimise",
        "target.property=relaxed_energy",
        "target.property.cell=full",
        "search.designs=60",
    ),
}


def run(name: str, folder: Path, *, quick: bool) -> Results:
    """The design of that name, all methods with all seeds."""
    shorter = ("search.designs=8", "verification.steps=500", "verification.seeds=2") if quick else ()
    return matdesign.run_design(
        *ALLOYS[name],
        "space=sites",
        f"search={METHODS[0]}",
        f"search.compare=[{','.join(METHODS[1:])}]",
        f"search.repeats={1 if quick else 5}",
        *shorter,
        "quiet=true",
        f"output={folder}",
    )


def by_energies(candidate: Candidate, material: Material) -> float:
    """Bulk modulus in GPa from energies at seven volumes (Birch and Murnaghan), without any stress."""
    volumes, energies = [], []
    for strain in STRAINS:
        atoms = candidate.atoms.copy()
        atoms.set_cell(atoms.cell.array * (1.0 + strain), scale_atoms=True)
        energies.append(len(atoms) * measure(find("relaxed_energy")(), atoms, material).value)
        volumes.append(atoms.get_volume())
    _, _, modulus = EquationOfState(volumes, energies, eos="birchmurnaghan").fit()
    return float(modulus) * 160.2176634


def searches(results: Results, name: str, rows: table.Table, unit: str, factor: float, offset: float) -> None:
    """What each method found with its budget, over the seeds."""
    designs = results.designs
    for method in METHODS:
        own = designs[designs.method == method]
        best = factor * (own.groupby("seed").score.min() - offset)
        rows.add(f"{name}, {method}", f"best of {own['index'].max() + 1}", best.tolist(), unit)


def nial(rows: table.Table, folder: Path, *, quick: bool) -> None:
    """The stiffness that is aimed at."""
    results = run("NiAl", folder, quick=quick)
    searches(results, "NiAl", rows, "GPa away", 1.0, 0.0)
    for each in (*results.candidates[:1], *results.references):
        rows.add(f"NiAl, {each.name}", "bulk modulus", [each.value()[0]], "GPa", reference=AIM)
    rows.add("NiAl, random designs", "bulk modulus", surveyed(results), "GPa", reference=AIM)
    best = results.best
    voigt = best.record["measurements"]["bulk_modulus"]["details"]["bulk_voigt"]
    modulus = by_energies(best, load([ALLOYS["NiAl"][0]]).material)
    rows.add(f"NiAl, {best.name}", "same, from energies", [modulus], "GPa", reference=voigt)
    rows.add(f"NiAl, {best.name}", "passed", [float(best.passed)], "")


def sige(rows: table.Table, folder: Path, *, quick: bool) -> None:
    """The order of lowest energy."""
    results = run("SiGe", folder, quick=quick)
    values = {each.name: each.value()[0] for each in results.references}
    apart = 0.5 * (values["pure Si"] + values["pure Ge"])
    searches(results, "SiGe", rows, "meV/atom", 1e3, apart)
    for each in (*results.candidates[:1], *results.references):
        if not each.name.startswith("pure"):
            rows.add(f"SiGe, {each.name}", "mixing energy", [1e3 * (each.value()[0] - apart)], "meV/atom")
    random = [1e3 * (value - apart) for value in surveyed(results)]
    rows.add("SiGe, random designs", "mixing energy", random, "meV/atom", reference=PUBLISHED)
    rows.add(f"SiGe, {results.best.name}", "passed", [float(results.best.passed)], "")


def surveyed(results: Results) -> list[float]:
    """What the random designs of the survey have."""
    survey = next(iter(results.outcome["survey"].values()))
    return [value for name, value in survey.items() if name.startswith(SURVEYED)]


def main() -> None:
    """Both designs."""
    arguments = table.arguments(__doc__)
    rows = table.Table(arguments.json)
    with tempfile.TemporaryDirectory() as folder:
        nial(rows, Path(folder) / "nial", quick=arguments.quick)
        sige(rows, Path(folder) / "sige", quick=arguments.quick)
    rows.close()


if __name__ == "__main__":
    main()
