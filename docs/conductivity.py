"""Draws the running integral of the Lennard-Jones liquid's thermal conductivity into docs/images, in two minutes.

python docs/conductivity.py

The state is that of LAMMPS' own examples of heat conduction; the protocol that of benchmarks/cases/heat.py.
"""

from pathlib import Path

from ase.build import bulk

from matdesign.config import load
from matdesign.plots import conductivity_integral, save_figure
from matdesign.properties import measure
from matdesign.properties.green_kubo import GreenKubo

PICTURE = Path(__file__).parent / "images" / "conductivity.png"

if __name__ == "__main__":
    liquid = bulk("Ar", "fcc", a=(4 / 0.6) ** (1 / 3), cubic=True).repeat(4)  # density 0.6
    protocol = GreenKubo(temperature=1.35, equilibration=4_000, steps=60_000, every=5, correlation=800)
    measurement = measure(protocol, liquid, load(["material=lj"]).material, seeds=8)
    print(measurement)
    print(save_figure(conductivity_integral(measurement, time_unit="tau"), PICTURE))
