"""Structure files: ASE Atoms to CIF, extended XYZ, POSCAR and LAMMPS data and back; pymatgen Structures."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import ase.io
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io.cif import write_cif
from ase.io.lammpsdata import write_lammps_data
from ase.io.vasp import write_vasp

from matdesign.errors import InputError
from matdesign.files import replace_file
from matdesign.sim.material import ENERGY_UNITS, LENGTH_UNITS, Material
from matdesign.sim.trajectory import read_trajectory

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

FORMATS = {"cif": ".cif", "extxyz": ".extxyz", "poscar": ".vasp", "lammps": ".data"}
VACUUM = 3.0  # free space on each side of a cluster that is given a cell, in the material's length scale


def read_structure(path: Path, *, species: Sequence[str]) -> Atoms:
    """Read the last structure in a file: CIF, XYZ, extended XYZ, POSCAR, LAMMPS data or whatever else ASE knows.

    Args:
        path: the file; the format follows from its name.
        species: chemical symbol of LAMMPS types 1, 2, ... in a LAMMPS data file.

    Raises:
        InputError: as `read_trajectory`.
    """
    found = read_trajectory(path, species=species, frames=slice(-1, None))[0]
    return Atoms(found.symbols, found.positions, cell=found.cell, pbc=found.pbc)


def export(
    atoms: Atoms,
    folder: Path,
    name: str,
    *,
    material: Material,
    energy: float,
    seed: int,
    extra: Mapping[str, str | float] | None = None,
) -> dict[str, Path]:
    """Write the atoms in every format of `FORMATS`, each with its origin in a comment (info fields in extended XYZ).

    Free clusters stay free in extended XYZ and get a cell with `VACUUM` around them in the other formats. A POSCAR
    lists the atoms by species, the other files keep their order. LAMMPS data numbers the types as in the material and
    turns a cell that LAMMPS cannot represent, with the atoms in it.

    Args:
        atoms: what to write, lengths in the material's unit.
        folder: where to; made if missing.
        name: of the files, without suffix.
        material: what the atoms are and how they interact.
        energy: potential energy of all atoms, in the material's energy unit.
        seed: of the run.
        extra: more to record.

    Returns:
        path of the file in each format.

    Raises:
        InputError: the folder cannot be written.
    """
    record = origin(atoms, material=material, energy=energy, seed=seed, extra=extra)
    comment = " ".join(f"{key}={_quoted(value)}" for key, value in record.items())
    boxed = with_cell(atoms, VACUUM * material.length_scale)
    texts = {
        "cif": f"# {comment}\n" + _cif(boxed, name),
        "extxyz": _extxyz(atoms, record, energy),
        "poscar": _poscar(boxed, comment),
        "lammps": _lammps(boxed, material, comment),
    }
    paths = {form: folder / f"{name}{suffix}" for form, suffix in FORMATS.items()}
    for form, path in paths.items():
        write_text(path, texts[form])
    return paths


def origin(
    atoms: Atoms, *, material: Material, energy: float, seed: int, extra: Mapping[str, str | float] | None = None
) -> dict[str, str | float]:
    """Return what a structure file records of where it comes from; every name states its unit where it has one."""
    record: dict[str, str | float] = {
        "material": material.name,
        "formula": str(atoms.symbols.formula.format("hill")),
        "units": material.units,
        "energy": float(energy),
        "energy_unit": ENERGY_UNITS[material.units],
        "length_unit": LENGTH_UNITS[material.units],
        "seed": seed,
        "pair_style": material.pair_style,
        "pair_coeff": "; ".join(material.pair_coeff),
    }
    if material.potential is not None:
        record["potential"] = material.potential_path.name
        record["potential_sha256"] = str(material.potential_sha256)
    record |= extra or {}
    # A comment is one line, and its texts are in double quotes.
    return {key: " ".join(v.replace('"', "'").split()) if isinstance(v, str) else v for key, v in record.items()}


def with_cell(atoms: Atoms, vacuum: float) -> Atoms:
    """Return a copy that is periodic in three directions; where it was not, `vacuum` is left on each side."""
    boxed = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    if not boxed.pbc.all():
        free = [axis for axis in range(3) if not boxed.pbc[axis]]
        boxed.center(vacuum=vacuum, axis=free)
        boxed.pbc = True
    return boxed


def to_pymatgen(atoms: Atoms, *, vacuum: float = 10.0) -> "Structure":
    """Return a pymatgen Structure; free directions get a cell with `vacuum` (the atoms' length unit) on each side."""
    from pymatgen.core.structure import Structure  # takes a second to import

    boxed = with_cell(atoms, vacuum)
    return Structure(boxed.cell.array, list(boxed.symbols), boxed.positions, coords_are_cartesian=True)


def from_pymatgen(structure: "Structure") -> Atoms:
    """Return periodic ASE Atoms; a site of mixed or missing occupation is refused with InputError."""
    if not structure.is_ordered:
        raise InputError(f"structure {structure.formula} has sites of mixed occupation: choose one species for each")
    symbols = [site.specie.symbol for site in structure]
    return Atoms(symbols, structure.cart_coords, cell=structure.lattice.matrix, pbc=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all.

    Raises:
        InputError: the folder cannot be made or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text.encode())
    except OSError as error:
        raise InputError(f"cannot write {str(path)!r}: {error.strerror}; name a folder you may write to") from None


def _quoted(value: str | float) -> str:
    return f'"{value}"' if " " in str(value) else str(value)


def _cif(atoms: Atoms, name: str) -> str:
    file = io.BytesIO()
    write_cif(file, [atoms], wrap=False)
    lines = file.getvalue().decode().replace("data_image0", f"data_{name}", 1).splitlines(keepends=True)
    # The structural formula of a random alloy is as long as the alloy; the chemical formula stays.
    return "".join(line for line in lines if not line.startswith("_chemical_formula_structural"))


def _extxyz(atoms: Atoms, record: Mapping[str, str | float], energy: float) -> str:
    info = {key: value for key, value in record.items() if key != "energy"}  # that is the calculator's
    plain = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=atoms.pbc, info=info)
    plain.calc = SinglePointCalculator(plain, energy=energy)
    file = io.StringIO()
    ase.io.write(file, plain, format="extxyz")
    return file.getvalue()


def _poscar(atoms: Atoms, comment: str) -> str:
    file = io.StringIO()
    write_vasp(file, atoms, sort=True)
    return f"{comment}\n" + file.getvalue().split("\n", 1)[1]


def _lammps(atoms: Atoms, material: Material, comment: str) -> str:
    file = io.StringIO()
    write_lammps_data(file, atoms, specorder=list(material.species), atom_style="atomic")
    body = file.getvalue().split("\n", 1)[1]
    pairs = zip(material.masses, material.species, strict=True)
    masses = "\n".join(f"{t} {mass} # {symbol}" for t, (mass, symbol) in enumerate(pairs, start=1))
    return f"# {comment}\n" + body.replace("\nAtoms #", f"\nMasses\n\n{masses}\n\nAtoms #", 1)
