"""How much a structure looks like another one."""

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from matdesign.errors import InputError
from matdesign.files import user_path
from matdesign.properties.measurement import Array, Estimate
from matdesign.properties.neighbours import bond_length, mean_spacing, within
from matdesign.properties.property import Sample, System
from matdesign.properties.structural import StructuralProperty
from matdesign.properties.units import Units
from matdesign.sim.exchange import read_structure
from matdesign.typed import Range

SPACINGS, WIDTH = 4.0, 0.05  # default cutoff in mean spacings and width in nearest distances, of the reference


@dataclass(frozen=True, kw_only=True)
class RdfMatch(StructuralProperty):
    """Distance between the radial distribution function and that of a reference structure: 0 where they are the same.

    Equation:
        d = sqrt(1/P sum_ab 1/R int_0^R [g_ab(r) - h_ab(r)]^2 dr)

        g_ab: radial distribution function of species b around species a, convolved with a Gaussian; h_ab: the same of
        the reference; R: cutoff; P: number of pairs ab. Where the two structures have several and the same species all
        pairs a <= b count, otherwise all atoms count as one species.

    Attributes:
        file: the reference structure, in any format that a material's structure may have, lengths in the material's
            unit.
        cutoff: R, in A (lj: sigma); default four mean spacings (V/N)^(1/3) of the reference.
        width: standard deviation of the Gaussian, in A (lj: sigma); default 5 % of the reference's mean nearest
            distance. Two peaks that are several widths apart count as different, however far they are: the wider, the
            farther a search can see its target, and the less it can tell.
        bins: points of g.

    Value:
        A plain number: between crystals of the same nearest distance 0.42 (fcc, hcp), 0.64 (bcc, diamond), 1.1 (fcc,
        bcc), and about 1 from a random packing to any of them. Cutoff and width follow the reference, so that the
        distance there and that back differ a little.

    Curves:
        r: A (lj: sigma); g: smoothed, of all atoms; reference: the same of the reference.

    Assumptions:
        Periodic in three directions, both. Structures with the same radial distribution function, such as those that
        differ by a mirror, are the same to it. In MD g is averaged, and then compared with the reference at rest.

    References:
        Allen and Tildesley, Computer Simulation of Liquids (Oxford, 2017), section 2.6: g(r).
    """

    name: ClassVar[str] = "rdf_match"
    _path: ClassVar[Path]  # absolute, of each instance that has a file
    _digest: ClassVar[str]
    file: str | None = None
    cutoff: Annotated[float, Range(1e-3, 1e3)] | None = None
    width: Annotated[float, Range(1e-4, 1e2)] | None = None
    bins: Annotated[int, Range(10, 100000)] = 200

    def __post_init__(self) -> None:
        if self.file is not None:  # what it holds now is what counts, here and in other processes
            object.__setattr__(self, "_path", user_path(self.file).absolute())
            object.__setattr__(self, "_digest", _digest(self._path))

    def identity(self) -> Mapping[str, Any]:
        """The content of the file in place of its name."""
        return {**asdict(self), "file": getattr(self, "_digest", None)}

    def unit(self, units: Units) -> str:
        """A plain number."""
        return "1"

    def check(self, system: System) -> None:
        """A reference and two densities are needed."""
        if not system.structure.pbc.all():
            raise InputError("rdf_match needs a structure that is periodic in three directions: a cluster has no g(r)")
        self._reference(system)

    def of(self, system: System, atoms: Atoms) -> Sample:
        """Smoothed g of this arrangement."""
        reference = self._reference(system)
        return distributions(atoms, reference.r, reference.width)

    def estimate(self, system: System, samples: Sequence[Sample]) -> Estimate:
        """Distance of the mean g from the reference's."""
        reference = self._reference(system)
        g, h = {name: self.mean(samples, name) for name in samples[0]}, reference.g
        compared = [name for name in g if name != "g"] if len(g) > 1 and g.keys() == h.keys() else ["g"]
        square = np.mean([np.mean((g[name] - h[name]) ** 2) for name in compared])
        return Estimate(value=float(np.sqrt(square)), curves={"r": reference.r, "g": g["g"], "reference": h["g"]})

    def _reference(self, system: System) -> "_Reference":
        if self.file is None:
            raise InputError("rdf_match compares with a structure file: give property.file=PATH")
        return _read(self._path, self._digest, tuple(system.material.species), self.cutoff, self.width, self.bins)


@dataclass(frozen=True, kw_only=True)
class _Reference:
    """What is compared with: r [bins], width of the Gaussian, and what `distributions` makes of the structure."""

    r: Array
    width: float
    g: Mapping[str, Array]


@functools.lru_cache(maxsize=16)
def _read(
    path: Path, digest: str, species: tuple[str, ...], cutoff: float | None, width: float | None, bins: int
) -> _Reference:
    """The reference, read once; `species` names the types of a LAMMPS data file."""
    if _digest(path) != digest:
        raise InputError(f"rdf_match.file={str(path)!r} was changed in the meantime: begin again")
    atoms = read_structure(path, species=species)
    if not atoms.pbc.all():
        raise InputError(f"rdf_match.file={str(path)!r} is not periodic in three directions: it has no g(r)")
    shell = (SPACINGS * mean_spacing(atoms) if cutoff is None else cutoff) / bins
    width = WIDTH * bond_length(atoms) if width is None else width
    if width < shell:
        raise InputError(f"rdf_match.width={width:.4g} is less than a shell of {shell:.4g}: raise property.bins")
    r = np.asarray(shell * (0.5 + np.arange(bins)), np.float64)
    return _Reference(r=r, width=width, g=distributions(atoms, r, width))


def distributions(atoms: Atoms, r: Array, width: float) -> dict[str, Array]:
    """Smoothed radial distribution functions at evenly spaced `r` of a structure that is periodic in three directions.

    A pair is shared by the two points that its distance lies between, so that they depend continuously on positions.

    Returns:
        "g" of all atoms and, where there are several species, "g_A_B" of each pair of them.
    """
    shell = r[1] - r[0]
    found = within(atoms, r[-1] + shell)
    place = np.maximum(found.distances - r[0], 0.0) / shell
    below = np.minimum(place.astype(int), len(r) - 1)
    share = place - below
    symbols = np.array(atoms.symbols)

    def smoothed(pairs: NDArray[np.bool_] | slice, count: float) -> Array:
        weight = atoms.get_volume() / (count * 4.0 * np.pi * found.distances[pairs] ** 2 * shell)
        low = np.bincount(below[pairs], weight * (1.0 - share[pairs]), minlength=len(r) + 1)
        high = np.bincount(below[pairs] + 1, weight * share[pairs], minlength=len(r) + 1)
        return np.asarray(gaussian_filter1d((low + high)[: len(r)], width / shell, mode="constant"))

    curves = {"g": smoothed(slice(None), len(atoms) ** 2)}
    present = sorted(set(symbols))
    for a, b in combinations_with_replacement(present, 2) if len(present) > 1 else ():
        pairs = (symbols[found.centres] == a) & (symbols[found.others] == b)
        curves[f"g_{a}_{b}"] = smoothed(pairs, float((symbols == a).sum() * (symbols == b).sum()))
    return curves


def _digest(path: Path) -> str:
    """SHA-256 of a file's content."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"rdf_match.file={str(path)!r} cannot be read: {error.strerror}") from None
