"""Simulation: the controlled run against LAMMPS' own `run`, plain definitions and ASE."""

import dataclasses

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, fcc111
from ase.calculators.lj import LennardJones
from ase.md.velocitydistribution import thermalize_momenta
from systems import LJ, cluster, fcc, lennard_jones, material, tilted, velocities, verlet

from matdesign.errors import InputError, SimulationError
from matdesign.sim.simulation import Simulation


def copper_crystal() -> Atoms:
    atoms = bulk("Cu", "fcc", a=3.615, cubic=True) * (2, 2, 2)
    atoms.rattle(0.05, seed=1)
    return atoms


def slab() -> Atoms:
    atoms = fcc111("Ar", (3, 4, 3), a=1.5496, vacuum=None, orthogonal=True, periodic=False)
    atoms.rattle(0.02, seed=3)
    return atoms


SYSTEMS = {
    "periodic": (fcc, material("lj"), 1.0),
    "hot": (lambda: fcc(a=1.75), material("lj"), 2.0),
    "triclinic": (tilted, material("lj"), 1.0),
    "free": (lambda: cluster(13), LJ, 0.3),
    "slab": (slab, material("lj"), 0.7),
    "copper": (copper_crystal, material("copper"), 5.0),
}


@pytest.fixture(params=SYSTEMS)
def system(request):
    make, chosen, width = SYSTEMS[request.param]
    atoms = make()
    return atoms, chosen, velocities(len(atoms), width, seed=7)


# ------------------------------------------------------------------------------------------------ the controlled run


def control(simulation: Simulation, steps: int) -> None:
    for _ in range(steps):
        simulation.step(1)


def test_control_changes_no_digit_of_a_trajectory(system):
    atoms, chosen, v = system
    with Simulation(atoms, chosen) as plain, Simulation(atoms, chosen) as controlled:
        plain.v[:] = v
        plain.run(1000)
        controlled.v[:] = v
        for steps, energies in [(0, False), (1, False), (1, True), (98, False), (400, True), (0, True), (500, False)]:
            controlled.step(steps, energies=energies)
        np.testing.assert_array_equal(plain.x, controlled.x)
        np.testing.assert_array_equal(plain.v, controlled.v)
        np.testing.assert_array_equal(plain.images, controlled.images)


@pytest.mark.parametrize("name", ["periodic", "free"])
def test_control_in_every_step_changes_no_digit(name):
    make, chosen, width = SYSTEMS[name]
    atoms = make()
    v = velocities(len(atoms), width)
    with Simulation(atoms, chosen) as plain, Simulation(atoms, chosen) as controlled:
        plain.v[:] = controlled.v[:] = v
        plain.run(1000)
        for step in range(1000):
            controlled.step(1, energies=step % 3 == 0)
        assert controlled.evaluations == 1001
        np.testing.assert_array_equal(plain.x, controlled.x)
        np.testing.assert_array_equal(plain.v, controlled.v)


def test_trajectory_is_that_of_velocity_verlet_written_by_hand():
    atoms = cluster(13)
    v = velocities(13, 0.3)
    with Simulation(atoms, LJ) as simulation:
        simulation.v[:] = v
        for steps in (1, 1, 98):
            simulation.step(steps)
        x, v = verlet(atoms.positions, v, 0.005, 100)
        np.testing.assert_allclose(simulation.positions, x, atol=1e-9)
        np.testing.assert_allclose(simulation.v, v, atol=1e-9)
        np.testing.assert_allclose(simulation.f, lennard_jones(x)[1], atol=1e-7)


def test_rows_keep_their_atoms_in_a_diffusing_liquid():
    atoms = fcc(a=1.8)
    atoms.symbols = ["Ar"] * 108
    with Simulation(atoms, material("lj")) as simulation:
        start = simulation.positions
        simulation.v[:] = velocities(108, 2.0)
        last = start
        for _ in range(600):
            simulation.step(10)
            now = simulation.positions
            assert np.abs(now - last).max() < 0.6  # no row jumps to another atom
            last = now
        np.testing.assert_array_equal(simulation.ids, np.arange(1, 109))
        assert ((last - start) ** 2).sum(axis=1).mean() > 3.0  # it did flow
        assert len(np.unique(simulation.images)) > 8  # and atoms did cross the walls


def test_types_and_masses_follow_the_species():
    atoms = bulk("Ni", "fcc", a=3.52, cubic=True)
    atoms.symbols = ["Ni", "Al", "Al", "Ni"]
    with Simulation(atoms, material("nial")) as simulation:
        np.testing.assert_array_equal(simulation.types, [1, 2, 2, 1])
        np.testing.assert_array_equal(simulation.ids, [1, 2, 3, 4])
        v = np.ones((4, 3))
        simulation.v[:] = v
        masses = np.array([58.71, 26.982, 26.982, 58.71])
        kinetic = 0.5 * (masses[:, None] * (100 * v) ** 2).sum() * units._amu / units._e  # 1 A/ps = 100 m/s
        assert simulation.thermo("ke") == pytest.approx(kinetic, rel=1e-6)


# -------------------------------------------------------------------------------------------------- energies, forces


def test_energies_sum_to_the_potential_energy(system):
    atoms, chosen, v = system
    with Simulation(atoms, chosen) as simulation:
        simulation.v[:] = v
        simulation.step(50, energies=True)
        energies = simulation.energies
        assert energies.shape == (len(atoms),)
        assert energies.sum() == pytest.approx(simulation.thermo("pe"), rel=1e-12)


@pytest.mark.parametrize("make", [fcc, tilted, slab], ids=["periodic", "triclinic", "slab"])
def test_forces_agree_with_ase(make):
    atoms = make()
    with Simulation(atoms, material("lj")) as simulation:
        simulation.v[:] = velocities(len(atoms), 1.0)
        simulation.step(200)
        now = simulation.structure()
        now.calc = LennardJones(sigma=1.0, epsilon=1.0, rc=2.5)
        forces = simulation._setup.prism.vector_to_ase(simulation.f, wrap=False)
        np.testing.assert_allclose(forces, now.get_forces(), atol=1e-9)


def test_forces_of_copper_are_the_slope_of_its_energy():
    with Simulation(copper_crystal(), material("copper")) as simulation:
        simulation.step(0)
        x, f = simulation.positions, simulation.f.copy()
        for atom, axis in [(0, 0), (7, 1), (31, 2)]:
            energy = []
            for shift in (-1e-4, 1e-4):
                moved = x.copy()
                moved[atom, axis] += shift
                simulation.place(moved, energies=True)
                energy.append(simulation.energy)
            assert (energy[0] - energy[1]) / 2e-4 == pytest.approx(f[atom, axis], abs=1e-6)


def test_energies_are_never_stale():
    atoms = cluster(13)

    def fresh(simulation: Simulation) -> None:
        expected, force = lennard_jones(simulation.positions)
        np.testing.assert_allclose(simulation.energies, expected, atol=1e-9)
        np.testing.assert_allclose(simulation.f, force, atol=1e-8)
        np.testing.assert_allclose(simulation.energies, expected, atol=1e-9)

    with Simulation(atoms, LJ) as simulation:
        fresh(simulation)
        simulation.v[:] = velocities(13, 0.5)
        simulation.step(5, energies=True)
        fresh(simulation)
        simulation.step(5)
        fresh(simulation)
        simulation.step(3, energies=True)
        simulation.run(20)
        fresh(simulation)
        state = simulation.snapshot()
        simulation.step(20, energies=True)
        simulation.restore(state)
        fresh(simulation)
        simulation.command("displace_atoms all random 0.01 0.01 0.01 7")
        fresh(simulation)
        simulation.relax(tolerance=1e-3, evaluations=5)
        fresh(simulation)
        simulation.relax(tolerance=1e-3, evaluations=0)
        fresh(simulation)
        simulation.minimize()
        fresh(simulation)
        simulation.place(atoms.positions)
        fresh(simulation)
        simulation.rebuild()
        fresh(simulation)


@pytest.mark.parametrize("name", ["periodic", "copper"])
def test_total_energy_is_conserved(name):
    make, chosen, width = SYSTEMS[name]
    atoms = make()
    with Simulation(atoms, chosen) as simulation:
        simulation.v[:] = velocities(len(atoms), width)
        simulation.run(200)
        totals = []
        for _ in range(20):
            simulation.step(100)
            totals.append((simulation.thermo("etotal"), simulation.thermo("ke")))
        total, kinetic = np.array(totals).T
        slope = np.polyfit(np.arange(20), total, 1)[0] * 20
        assert abs(slope) < 1e-3 * kinetic.mean()
        assert np.ptp(total) < 2e-2 * kinetic.mean()


# ------------------------------------------------------------------------------------------------------ setting state


@pytest.mark.parametrize("make", [fcc, tilted, slab], ids=["periodic", "triclinic", "slab"])
def test_positions_far_outside_the_cell_are_the_same_atoms(make):
    atoms = make()
    with Simulation(atoms, material("lj")) as simulation:
        simulation.step(0, energies=True)
        x, f, energies = simulation.positions, simulation.f.copy(), simulation.energies
        origin, cell, periodic = simulation.box()
        far = np.random.default_rng(5).integers(-7, 8, (len(atoms), 3)) * periodic
        simulation.place(x + far @ cell, energies=True)
        np.testing.assert_allclose(simulation.energies, energies, atol=1e-9)
        np.testing.assert_allclose(simulation.f, f, atol=1e-7)
        origin, cell, _ = simulation.box()
        fraction = (simulation.x - origin) @ np.linalg.inv(cell)
        assert fraction.min() >= -1e-9
        assert fraction.max() <= 1 + 1e-9
        assert not simulation.v.any()


def test_positions_unwrap_by_the_image_flags():
    atoms = tilted()
    with Simulation(atoms, material("lj")) as simulation:
        x = simulation.positions
        drift = np.array([3.0, -2.0, 1.0])
        simulation.v[:] = drift
        simulation.step(2000)  # the crystal flies as a whole, through several walls
        centre = (simulation.positions - x).mean(axis=0)
        np.testing.assert_allclose(centre, drift * 2000 * 0.005, atol=1e-6)
        assert simulation.structure().cell.array == pytest.approx(atoms.cell.array)


@pytest.mark.parametrize("how", ["set", "kick"])
def test_velocities_written_at_a_control_point_act_from_there(how):
    atoms = cluster(13)
    with Simulation(atoms, LJ) as simulation:
        simulation.v[:] = velocities(13, 0.3)
        simulation.step(100)
        x, given = simulation.positions, velocities(13, 0.5, seed=9)
        v = given if how == "set" else simulation.v + given
        if how == "set":
            simulation.v = given
        else:
            simulation.v += given
        simulation.step(50)
        expected = verlet(x, v, 0.005, 50)
        np.testing.assert_allclose(simulation.positions, expected[0], atol=1e-9)
        np.testing.assert_allclose(simulation.v, expected[1], atol=1e-9)
        with Simulation(atoms, LJ) as other:
            other.place(x, v)
            other.step(50)
            np.testing.assert_allclose(other.positions, expected[0], atol=1e-9)


def test_one_velocity_written_leaves_the_others_their_digits():
    atoms = Atoms(["Ar"] * 4, [[0, 0, 0], [1.1, 0, 0], [100, 0, 0], [101.2, 0, 0]])
    with Simulation(atoms, LJ) as plain, Simulation(atoms, LJ) as kicked:
        for simulation in (plain, kicked):
            simulation.step(10)
        kicked.v[3] += 0.1
        for simulation in (plain, kicked):
            simulation.step(200)
        np.testing.assert_array_equal(plain.x[:2], kicked.x[:2])
        assert np.abs(plain.x[2:] - kicked.x[2:]).max() > 1e-3


def test_external_force_accelerates_a_free_atom():
    with Simulation(Atoms("Ar", [[1.0, 2.0, 3.0]]), LJ) as simulation:
        v, force = np.array([0.1, 0.2, -0.3]), np.array([0.5, -1.0, 2.0])
        simulation.v[:] = v
        simulation.step(0)
        simulation.external[:] = force
        simulation.step(1)
        simulation.step(99)
        t = 100 * 0.005  # Verlet is exact for a constant force
        np.testing.assert_allclose(simulation.positions[0], [1, 2, 3] + v * t + force * t**2 / 2, rtol=1e-12)
        np.testing.assert_allclose(simulation.v[0], v + force * t, rtol=1e-12)
        np.testing.assert_array_equal(simulation.f, 0.0)  # the potential's alone
        simulation.external[:] = 0
        simulation.step(100)
        np.testing.assert_allclose(simulation.v[0], v + force * t, rtol=1e-12)


def test_external_force_changes_in_the_middle_of_a_trajectory():
    atoms = cluster(13)
    pull = velocities(13, 2.0, seed=3)
    with Simulation(atoms, LJ) as simulation:
        simulation.step(20)
        x, v = verlet(atoms.positions, np.zeros((13, 3)), 0.005, 20)
        for scale in (1.0, -2.0, 0.0):
            simulation.external[:] = scale * pull
            simulation.step(15)
            x, v = verlet(x, v, 0.005, 15, scale * pull)
            np.testing.assert_allclose(simulation.positions, x, atol=1e-9)
            np.testing.assert_allclose(simulation.v, v, atol=1e-9)
        simulation.external[:] = pull
        simulation.step(15)
        x, v = verlet(x, v, 0.005, 15, pull)
        simulation.run(15)  # a plain run knows no external force
        x, v = verlet(x, v, 0.005, 15)
        np.testing.assert_allclose(simulation.positions, x, atol=1e-9)
        np.testing.assert_allclose(simulation.v, v, atol=1e-9)


def test_momenta_of_the_structure_are_used_in_its_frame():
    atoms = bulk("Cu", "fcc", a=3.615) * (3, 3, 3)
    atoms.rotate(50, (3, 1, 2), rotate_cell=True)
    thermalize_momenta(atoms, 500 * units.kB, rng=np.random.default_rng(1))
    with Simulation(atoms, material("copper")) as simulation:
        masses_ratio = 63.55 / atoms.get_masses()[0]  # LAMMPS keeps the velocities, not the momenta
        assert simulation.thermo("ke") == pytest.approx(atoms.get_kinetic_energy() * masses_ratio, rel=1e-5)
        simulation.step(1)
        moved = simulation.structure().positions - atoms.positions
        expected = atoms.get_velocities() * units.fs
        assert np.abs(moved - expected).max() < 1e-3 * np.abs(expected).max()


def test_momenta_without_a_common_unit_are_refused():
    atoms = cluster(2)
    atoms.set_momenta(np.ones((2, 3)))
    with pytest.raises(InputError, match="momenta"):
        Simulation(atoms, LJ)
    atoms = copper_crystal()
    atoms.set_momenta(np.full((32, 3), np.nan))
    with pytest.raises(InputError, match="momenta"):
        Simulation(atoms, material("copper"))


def test_snapshot_is_returned_to(system):
    atoms, chosen, v = system
    with Simulation(atoms, chosen) as simulation:
        simulation.v[:] = v
        simulation.step(300)
        state = simulation.snapshot()
        ends = []
        for _ in range(2):
            simulation.restore(state)
            np.testing.assert_allclose(simulation.v, state.velocities, rtol=1e-14)
            np.testing.assert_allclose(simulation.positions, state.positions, atol=1e-9)
            simulation.step(20)
            ends.append((simulation.energy, simulation.v.copy()))
            simulation.step(37)
        assert ends[0][0] == pytest.approx(ends[1][0], rel=1e-12)
        np.testing.assert_allclose(ends[0][1], ends[1][1], atol=1e-9 * np.abs(v).max())


def test_leaving_and_entering_again_goes_on_where_it_was():
    atoms = cluster(13)
    v = velocities(13, 0.3)
    with Simulation(atoms, LJ) as simulation:
        simulation.v[:] = v
        for _ in range(4):
            simulation.step(10)
            simulation.run(10)
            simulation.step(0)
            simulation.command("variable nothing equal 1")
        expected = verlet(atoms.positions, v, 0.005, 80)
        np.testing.assert_allclose(simulation.positions, expected[0], atol=1e-9)
        np.testing.assert_allclose(simulation.v, expected[1], atol=1e-9)


# ----------------------------------------------------------------------------------------------------------- relaxing


def test_relax_and_minimize_find_the_same_minimum():
    atoms = cluster(13, seed=2)
    with Simulation(atoms, LJ) as simulation:
        result = simulation.minimize()
        assert result.energy == pytest.approx(lennard_jones(simulation.positions)[0].sum(), abs=1e-9)
        assert result.largest_force < 1e-5
        assert result.evaluations > 10
        simulation.place(simulation.positions + 0.02 * velocities(13, 1.0))
        before = simulation.evaluations
        used = simulation.relax(tolerance=1e-6, evaluations=5000)
        assert used == simulation.evaluations - before
        assert 10 < used < 2000
        assert simulation.energy == pytest.approx(result.energy, abs=1e-9)
        assert np.abs(lennard_jones(simulation.positions)[1]).max() <= 1.001e-6
        assert not simulation.v.any()


def test_relax_spends_no_more_than_it_may():
    with Simulation(cluster(30, spacing=1.3), LJ) as simulation:
        energies = [simulation.energy]
        for allowed in (0, 1, 7, 50):
            simulation.step(0)
            assert simulation.relax(tolerance=1e-12, evaluations=allowed) == allowed
            energies.append(simulation.energy)
        assert energies[1] == pytest.approx(energies[0])
        assert energies[-1] < energies[0]


def test_relax_in_a_triclinic_crystal_restores_the_lattice():
    with Simulation(tilted(), material("lj")) as simulation:
        simulation.relax(tolerance=1e-5, evaluations=2000)
        assert simulation.energy / 64 == pytest.approx(simulation.minimize().energy / 64, abs=1e-9)
        np.testing.assert_allclose(np.ptp(simulation.energies), 0.0, atol=1e-6)


# ------------------------------------------------------------------------------------------------ other LAMMPS commands


def test_another_integrator_by_command():
    atoms = fcc(a=1.6)
    with Simulation(atoms, material("lj")) as simulation:
        simulation.v[:] = velocities(108, 1.0)
        volume = np.linalg.det(simulation.box()[1])
        simulation.command("unfix matdesign_nve")
        simulation.command("fix press all npt temp 0.7 0.7 0.5 iso 5.0 5.0 1.0")
        pressures = []
        for _ in range(60):
            simulation.step(100)
            pressures.append(simulation.thermo("press"))
        assert np.mean(pressures[20:]) == pytest.approx(5.0, abs=0.6)
        assert np.linalg.det(simulation.box()[1]) != pytest.approx(volume, rel=1e-2)
        now = simulation.structure()
        assert now.get_volume() == pytest.approx(np.linalg.det(simulation.box()[1]))
        simulation.step(0)
        now.calc = LennardJones(sigma=1.0, epsilon=1.0, rc=2.5)
        np.testing.assert_allclose(simulation.f, now.get_forces(), atol=1e-9)


def test_thermo_after_other_output_was_asked_for():
    with Simulation(fcc(), material("lj")) as simulation:
        assert simulation.thermo("atoms") == 108
        assert simulation.thermo("vol") == pytest.approx((3 * 1.5496) ** 3)
        assert simulation.thermo("pe") == pytest.approx(simulation.energy)


@pytest.mark.parametrize("line", ["clear", "  clear", "quit", "unfix matdesign_control", "uncompute matdesign_energy"])
def test_commands_that_take_the_control_away_are_refused(line):
    with Simulation(cluster(5), LJ) as simulation:
        with pytest.raises((InputError, SimulationError), match=r"matdesign_|clear|quit"):
            simulation.command(line)
        simulation.rebuild()
        simulation.step(5, energies=True)


# ------------------------------------------------------------------------------------------------------- odd structures


def odd_structure(name: str) -> Atoms:
    if name == "left-handed cell":
        atoms = fcc(2)
        atoms.cell[[0, 1]] = atoms.cell[[1, 0]]
    elif name == "very tilted cell":
        atoms = fcc(2)
        atoms.cell.array[2] = [2.0, 1.0, 3.0992]
    elif name == "primitive cell far from its atom":
        atoms = bulk("Ar", "fcc", a=1.55)
        atoms.positions += [100.3, -50, 20]
    elif name == "slab sheared where it is free":
        atoms = fcc111("Ar", (3, 3, 3), a=1.55, vacuum=3.0)
        atoms.cell[2] += [1.0, 0.5, 0.0]
    elif name == "flat sheet":
        atoms = fcc111("Ar", (4, 4, 1), a=1.55)
    elif name == "wire across the axes":
        atoms = Atoms("Ar4", [[0, i * 1.1, i * 0.1] for i in range(4)], cell=[[0, 4.4, 0.4], [0, 0, 0], [0, 0, 0]])
        atoms.pbc = [True, False, False]
    elif name == "free atoms outside their cell":
        atoms = cluster(13)
        atoms.cell = [[5, 1, 0], [0, 5, 0], [0, 2, 5]]
    else:
        atoms = cluster(5)
        atoms.positions[0] += 1e7
    return atoms


@pytest.mark.parametrize(
    "name",
    [
        "left-handed cell", "very tilted cell", "primitive cell far from its atom", "slab sheared where it is free",
        "flat sheet", "wire across the axes", "free atoms outside their cell", "free atom far away",
    ],
)  # fmt: skip
def test_odd_structures_are_simulated_like_others(name):
    atoms = odd_structure(name)
    with Simulation(atoms, material("lj")) as simulation:
        np.testing.assert_allclose(simulation.structure().positions, atoms.positions, rtol=1e-12, atol=1e-9)
        simulation.v = velocities(len(atoms), 0.3)
        simulation.step(50)
        simulation.run(50)
        simulation.step(0)
        now = simulation.structure()
        now.calc = LennardJones(sigma=1.0, epsilon=1.0, rc=2.5)
        forces = simulation._setup.prism.vector_to_ase(simulation.f, wrap=False)
        np.testing.assert_allclose(forces, now.get_forces(), atol=1e-9)


def test_lammps_writes_what_it_is_asked_to(tmp_path):
    """Output collects data through the single-process MPI stand-in."""
    atoms = fcc(2)
    with Simulation(atoms, material("lj")) as simulation:
        simulation.command(f"dump frames all custom 10 {tmp_path}/frames.txt id x y z fx")
        simulation.command("dump_modify frames sort id format float %20.15g")
        simulation.command(f"fix mean all ave/time 1 10 10 c_thermo_temp file {tmp_path}/temperature.txt")
        simulation.v = velocities(32, 0.5)
        simulation.run(20)
        rows = [line.split() for line in (tmp_path / "frames.txt").read_text().splitlines()]
        last = np.array(rows[-32:], float)
        np.testing.assert_allclose(last[:, 1:4], simulation.x, atol=1e-12)
        np.testing.assert_allclose(last[:, 4], simulation.f[:, 0], atol=1e-10)
        assert len((tmp_path / "temperature.txt").read_text().splitlines()) == 2 + 2
        simulation.command(f"write_restart {tmp_path}/state.restart")
        simulation.command(f"write_data {tmp_path}/state.data")
        assert "32 atoms" in (tmp_path / "state.data").read_text()
        simulation.step(3)


def test_a_cell_that_is_almost_empty_is_refused():
    atoms = fcc(2)
    atoms.cell[0, 0] = 1e7  # LAMMPS would lay cells through all of it
    with pytest.raises(InputError, match=r"1e\+07.*almost empty"):
        Simulation(atoms, material("lj"))


# -------------------------------------------------------------------------------------------------------------- errors


def test_lammps_tells_its_own_error_and_the_command():
    with Simulation(cluster(5), LJ) as simulation:
        simulation.step(3)
        with pytest.raises(SimulationError, match=r"ERROR.*Unrecognized fix style.*fix x all nonsense"):
            simulation.command("fix x all nonsense")
        for action in (
            lambda: simulation.step(1),
            lambda: simulation.run(1),
            lambda: simulation.command("variable a equal 1"),
            lambda: simulation.place(np.zeros((5, 3))),
            lambda: simulation.relax(tolerance=1e-3, evaluations=10),
            simulation.minimize,
            lambda: simulation.thermo("pe"),
        ):
            with pytest.raises(SimulationError, match=r"broken by an earlier error, rebuild it: .*Unrecognized"):
                action()
        simulation.rebuild()
        simulation.step(3, energies=True)
        expected = verlet(cluster(5).positions, np.zeros((5, 3)), 0.005, 3)[0]
        np.testing.assert_allclose(simulation.positions, expected, atol=1e-10)
        assert simulation.energy == pytest.approx(lennard_jones(expected)[0].sum())


def test_unknown_thermo_keyword():
    with Simulation(cluster(5), LJ) as simulation, pytest.raises(SimulationError, match="nothing"):
        simulation.thermo("nothing")


def test_lost_atoms_are_an_error_and_a_rebuild_mends_it():
    atoms = fcc()
    with Simulation(atoms, material("lj")) as simulation:
        energy = simulation.energy
        for round_ in range(3):
            simulation.step(5)
            simulation.v[17] = [1e6, 0, 0]
            with pytest.raises(SimulationError, match="of 108 atoms left the cell"):
                simulation.step(50)
            with pytest.raises(SimulationError, match="rebuild"):
                simulation.step(1)
            simulation.rebuild()
            np.testing.assert_allclose(simulation.positions, atoms.positions, atol=1e-12)
            simulation.step(0, energies=round_ == 1)
            assert simulation.energy == pytest.approx(energy, rel=1e-12)
            simulation.v[17] = [1e6, 0, 0]
            with pytest.raises(SimulationError, match=r"[Ll]ost atoms|left the cell|atoms were there"):
                simulation.run(50)
            simulation.rebuild()


@pytest.mark.parametrize("where", ["x", "v", "external"])
@pytest.mark.parametrize("make", [fcc, lambda: cluster(30)], ids=["periodic", "free"])
def test_numbers_that_are_none_are_an_error(where, make):
    atoms = make()
    with Simulation(atoms, material("lj")) as simulation:
        simulation.step(5)
        getattr(simulation, where)[3, 1] = np.nan
        with pytest.raises(SimulationError, match=r"not a number|Non-numeric|left the cell"):
            control(simulation, 200)
        simulation.rebuild()
        simulation.step(50)
        assert np.isfinite(simulation.x).all()


@pytest.mark.parametrize("make", [fcc, lambda: cluster(30)], ids=["periodic", "free"])
def test_lammps_own_exceptions_in_the_controlled_run_come_back(make):
    atoms = make()
    with Simulation(atoms, material("lj")) as simulation:
        simulation.step(5)
        simulation.command("variable bad equal 1")
        simulation.command("fix stop all halt 1 v_bad > 0.5 error hard")
        simulation.command("variable bad delete")
        # The variable does not exist: LAMMPS throws while the controlled run is set up, on the coroutine's stack.
        with pytest.raises(SimulationError, match=r"variable.*bad.*command: run"):
            simulation.step(1)
        simulation.rebuild()
        simulation.command("variable late equal step>20")
        simulation.command("fix stop all halt 1 v_late > 0.5 error hard")
        # And here in the middle of it.
        with pytest.raises(SimulationError, match=r"[Hh]alt.*command: run"):
            control(simulation, 100)
        simulation.rebuild()
        simulation.step(50)
        assert np.isfinite(simulation.x).all()


def test_place_refuses_what_it_cannot_place():
    atoms = cluster(5)
    with Simulation(atoms, LJ) as simulation:
        bad = atoms.positions.copy()
        bad[2, 1] = np.inf
        with pytest.raises(SimulationError, match=r"atom 3 .*not a number"):
            simulation.place(bad)
        with pytest.raises(SimulationError, match="not a number"):
            simulation.place(atoms.positions, bad)
        with pytest.raises(InputError, match=r"positions of shape \(4, 3\).*5 atoms"):
            simulation.place(bad[:4])
        simulation.step(1)


def test_atoms_placed_on_each_other():
    with Simulation(cluster(5), LJ) as simulation:
        with pytest.raises(SimulationError, match="not a number"):
            simulation.place(np.zeros((5, 3)))
        simulation.rebuild()
        x = cluster(5).positions
        x[0] = x[1]
        with pytest.raises(SimulationError, match="not a number"):
            simulation.place(x)
        simulation.rebuild()
        simulation.step(1)


@pytest.mark.parametrize(
    "line", ["print hi\nshell true", "print ${x}", "print \r", "print \0x", "variable a equal $(1)"]
)
def test_command_with_a_line_break_or_a_variable_is_refused(line):
    with Simulation(cluster(2), LJ) as simulation:
        with pytest.raises(InputError, match="line break or '\\$'"):
            simulation.command(line)
        with pytest.raises(InputError, match="line break or '\\$'"):
            simulation.thermo(line)
        simulation.step(1)


def test_negative_steps():
    with Simulation(cluster(2), LJ) as simulation:
        for call in (simulation.step, simulation.run):
            with pytest.raises(SimulationError, match="negative"):
                call(-1)


def bad_structure(name: str) -> Atoms:
    atoms = fcc()
    if name == "none":
        return Atoms()
    if name == "species":
        atoms.symbols[3] = "Xe"
    elif name == "nan":
        atoms.positions[5, 2] = np.nan
    elif name == "overlap":
        atoms.positions[6] = atoms.positions[100] + 1e-3
    elif name == "overlap across the wall":
        atoms.positions[6] = atoms.positions[100] + atoms.cell.array[0] - atoms.cell.array[1]
    elif name == "cell":
        atoms.cell = None
    return atoms


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none", "zero atoms|no atoms"),
        ("species", "Xe"),
        ("nan", "atom 6.*nan"),
        ("overlap", "atoms 7 and 101 overlap"),
        ("overlap across the wall", "atoms 7 and 101 overlap"),
        ("cell", "periodic.*no cell"),
    ],
)
def test_structures_that_cannot_be_simulated_are_refused(name, message):
    with pytest.raises(InputError, match=message):
        Simulation(bad_structure(name), material("lj"))


def test_a_command_that_lammps_refuses_at_the_start():
    wrong = dataclasses.replace(LJ, pair_style="lj/cut/nothing 2.5")
    with pytest.raises(SimulationError, match=r"lj/cut/nothing.*command: pair_style lj/cut/nothing 2.5"):
        Simulation(cluster(2), wrong)


def test_closed_simulation():
    simulation = Simulation(cluster(2), LJ)
    simulation.step(1)
    simulation.close()
    simulation.close()
    for action in (lambda: simulation.step(1), lambda: simulation.x, lambda: simulation.energy, simulation.rebuild):
        with pytest.raises(SimulationError, match="closed"):
            action()


def test_structure_comes_back_in_its_own_frame():
    atoms = tilted()
    with Simulation(atoms, material("lj")) as simulation:
        np.testing.assert_allclose(simulation.structure().positions, atoms.positions, atol=1e-10)
        simulation.step(20)
        assert np.abs(simulation.structure().positions - atoms.positions).max() < 0.2
    free = cluster(13)
    with Simulation(free, LJ) as simulation:
        simulation.step(1)
        assert not simulation.structure().pbc.any()
        np.testing.assert_allclose(simulation.structure().positions, free.positions, atol=1e-3)


def test_fixed_atoms_stay_while_the_others_move_and_relax():
    atoms = cluster(13)
    fixed = np.arange(13) < 4
    with Simulation(atoms, LJ) as simulation:
        start = simulation.positions
        simulation.v = 0.5
        simulation.fix_atoms(fixed)
        for _ in range(3):
            simulation.step(20)
            simulation.run(20)
        moved = np.linalg.norm(simulation.positions - start, axis=1)
        assert not moved[fixed].any()
        assert moved[~fixed].min() > 1e-3
        simulation.relax(tolerance=1e-6, evaluations=5000)
        assert not (simulation.positions - start)[fixed].any()
        assert not simulation.f[fixed].any()
        assert np.abs(simulation.f).max() <= 1e-6
        simulation.minimize()
        assert not (simulation.positions - start)[fixed].any()
        simulation.fix_atoms(np.zeros(13, bool))
        simulation.step(20)
        assert (simulation.positions - start)[fixed].any()
