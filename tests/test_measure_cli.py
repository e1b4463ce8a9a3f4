"""The verb `measure` as people use it: one clear error before any work, and nothing half-written."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ase.build import bulk
from ase.io import write

from matdesign.cli import main
from matdesign.properties import catalogue

ARGON = bulk("Ar", "fcc", a=5.2764, cubic=True) * (3, 3, 3)


@pytest.fixture
def argon(tmp_path, monkeypatch):
    """A structure file, in a folder of its own with a fresh cache."""
    monkeypatch.setenv("MATDESIGN_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "argon.xyz"
    write(path, ARGON)
    return path


def refused(capsys, *arguments, status=2):
    """The only line of what a refusal says."""
    assert main(["measure", *map(str, arguments)]) == status
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    return line


def test_the_result_is_shown_and_written(argon, capsys):
    output = argon.parent / "new" / "result.json"
    assert main(["measure", str(argon), "property=bulk_modulus", f"output={output}"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].split() == ["bulk_modulus", "2.9184244", "GPa"]
    assert ["C12", "2.3306683", "GPa"] in [line.split() for line in shown]
    assert ["poisson", "0.27085837"] in [line.split() for line in shown]
    assert shown[-2].split() == ["0", "0", "0", "0", "0", "2.331"]  # the tensor, without rounding errors

    def strict(text):
        raise AssertionError(text)

    found = json.loads(output.read_text(), parse_constant=strict)
    assert found["measurement"]["unit"] == "GPa"
    assert found["measurement"]["details_units"]["C44"] == "GPa"
    assert found["protocol"] == {"name": "bulk_modulus", "cell": "full", "strain": 0.001}
    assert found["material"]["structure"]["path"] == str(argon)


def test_a_tensor_has_its_own_unit(argon, capsys):
    assert main(["measure", str(argon), "property=poisson_ratio"]) == 0
    assert "tensor, GPa" in capsys.readouterr().out


def test_the_structure_is_not_overwritten(argon, capsys):
    before = argon.read_bytes()
    assert "would replace the structure" in refused(capsys, argon, "property=density", f"output={argon}")
    assert argon.read_bytes() == before


@pytest.mark.parametrize("output", ["/proc/result.json", "/proc/new/result.json", "."])
def test_an_output_that_cannot_be_written_is_refused_before_any_work(argon, capsys, output):
    line = refused(capsys, argon, "property=density", f"output={output}")
    assert output.split("/")[-1] in line
    assert not any((argon.parent / "cache").rglob("*.npz"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.xyz", b"", "holds no structure"),
        ("empty.cif", b"", "holds no structure"),
        ("noise.cif", bytes(range(256)) * 8, "cannot be read as cif"),
        ("nan.xyz", b'1\nLattice="9 0 0 0 9 0 0 0 9"\nAr 0 0 nan\n', "give finite numbers"),
        ("inf.xyz", b'1\nLattice="inf 0 0 0 9 0 0 0 9"\nAr 0 0 0\n', "give it in finite numbers"),
        ("flat.xyz", b'1\nLattice="9 0 0 0 9 0 9 9 0"\nAr 0 0 0\n', "has no cell"),
        ("copper.xyz", b'1\nLattice="9 0 0 0 9 0 0 0 9"\nCu 0 0 0\n', "has species 'Cu'"),
        ("twins.xyz", b'2\nLattice="9 0 0 0 9 0 0 0 9"\nAr 0 0 0\nAr 0 0 9\n', "overlap"),
    ],
)
def test_files_that_hold_no_structure_are_refused(argon, capsys, name, content, message):
    path = argon.parent / name
    path.write_bytes(content)
    assert message in refused(capsys, path, "property=density")


def test_one_file_is_measured_and_no_folder(argon, capsys):
    assert "takes one structure file" in refused(capsys, argon, argon)
    assert "is a folder" in refused(capsys, argon.parent, "property=density")
    assert "does not exist" in refused(capsys, argon.parent / "none.cif", "property=density")
    odd = argon.parent / "a=b c.xyz"
    odd.write_bytes(argon.read_bytes())
    assert main(["measure", str(odd), "property=density"]) == 0


def test_settings_that_a_file_makes_useless_are_refused(argon, capsys):
    assert "does nothing to the structure in" in refused(capsys, argon, "property=density", "material.structure.a=3")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("property=density property.temperature=1e30", "property.temperature=1e+30 must lie between"),
        ("property=density property.temperature=nan", "must be a finite number"),
        ("property=density property.frames=0", "property.frames=0"),
        ("property=diffusion_coefficient", "give property.temperature in K"),
        ("property=diffusion_coefficient property.temperature=40 property.steps=-1", "property.steps=-1"),
        ("property=density seeds=0", "seeds=0"),
        ("property=density seeds=2.5", "seeds=2.5 must be a whole number"),
        ("property=density rel_error=0", "rel_error=0"),
        ("property=density budget=-1", "budget=-1"),
        ("property=density seeds=2 rel_error=0.1", "exclude each other"),
        ("property=density property.frame=3", "did you mean frames?"),
        ("property=densty", "did you mean density?"),
        ("property=density property._target_=os.system", "it names no code"),
        ("property=density cache=/dev/null", "name a folder you may write to"),
        ("property=rdf property.cutoff=1000", "lower the cutoff"),
        ("property=structure_factor property.q_max=1e4", "lower property.q_max"),
        ("property=lowest_frequency property.mesh=[500,500,500]", "mesh=[500, 500, 500] of 108 atoms takes"),
        ("property=mean_square_displacement property.temperature=40 property.steps=1e9 property.every=1", "GB: lower"),
    ],
)
def test_settings_that_make_no_sense_are_refused(argon, capsys, settings, message):
    assert message in refused(capsys, *settings.split())


VACUUM = [name for name in catalogue() if name.startswith(("thermal_conductivity", "device", "density"))]


@pytest.mark.parametrize("name", [*VACUUM, "yield_stress", "thermal_expansion", "diffusion_coefficient"])
def test_a_cluster_in_a_periodic_cell_is_refused(argon, capsys, name):
    path = argon.parent / "cluster.xyz"
    cluster = ARGON.copy()
    cluster.set_cell([40, 40, 40])
    write(path, cluster)
    settings = [f"property={name}"]
    if "temperature" in {field.name for field in dataclasses.fields(catalogue()[name])}:
        settings.append("property.temperature=40")
    assert "A of it along a are empty" in refused(capsys, path, *settings)


def test_modes_that_move_no_heat_are_flagged(capsys):
    # All modes of one cubic cell are at the zone centre, where group velocities vanish.
    name = "device_conductivity_lattice_dynamics"
    assert main(["measure", f"property={name}", "material.structure.repeat=[1,1,1]", "property.linewidth=0.01"]) == 0
    assert "not to be trusted" in capsys.readouterr().out


def test_a_cache_variable_that_is_no_path_is_refused(argon, capsys, monkeypatch):
    monkeypatch.setenv("MATDESIGN_CACHE", "a\x01b")
    assert "MATDESIGN_CACHE" in refused(capsys, "property=density")


MEASURE = (
    "property=potential_energy property.temperature=40 property.equilibration=4000 property.every=50 seeds=8 "
    "processes=2"
)


def start(folder):
    """A measurement in a session of its own that has kept two samples, and its worker processes."""
    command = [sys.executable, "-m", "matdesign", "measure", *MEASURE.split(), f"cache={folder}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    end = time.monotonic() + 60
    while len(list(folder.rglob("*.npz"))) < 2 and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    children = [
        int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and parent(path) == process.pid
    ]
    assert len(children) >= 2
    return process, children


def parent(path):
    """Parent of a process that still lives, else None."""
    try:
        state, number = (path / "stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return None
    return None if state == "Z" else int(number)


def gone(processes):
    """Whether all of them end soon."""
    end = time.monotonic() + 20
    while any(parent(Path(f"/proc/{process}")) is not None for process in processes):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_measurement_that_was_stopped_leaves_no_process_and_goes_on(tmp_path, number):
    process, children = start(tmp_path)
    os.kill(process.pid, number)
    out, said = process.communicate(timeout=60)
    assert out == b""
    if number == signal.SIGINT:
        assert process.returncode == 128 + signal.SIGINT
        assert said.decode().splitlines() == ["matdesign: stopped by SIGINT"]
    assert gone(children)
    kept = sorted(tmp_path.rglob("*.npz"))
    assert 2 <= len(kept) < 8
    times = [path.stat().st_mtime_ns for path in kept]
    assert main(["measure", *MEASURE.split(), f"cache={tmp_path}"]) == 0
    assert [path.stat().st_mtime_ns for path in kept] == times
    assert len(list(tmp_path.rglob("*.npz"))) == 8


def test_every_property_is_in_the_help(capsys):
    with pytest.raises(SystemExit):
        main(["measure", "--help"])
    said = capsys.readouterr().out
    for name in catalogue():
        assert f"  {name} " in said
