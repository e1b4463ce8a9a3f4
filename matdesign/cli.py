"""The command line: `matdesign VERB ...`.

Heavy imports (torch, LAMMPS) happen inside the verbs, so that help is instant.
"""

import argparse
import errno
import signal
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from matdesign.agents.softexit import SIGNALS, Interrupted
from matdesign.choices import CONF, groups
from matdesign.errors import InputError, MatdesignError
from matdesign.typed import closest

BAD_INPUT = 2  # exit status
# What --resume lets change, of training and of a design.
BUDGET = (
    "agent.ppo.total_agent_steps",
    "agent.time_limit",
    "agent.checkpoint_every",
    "quiet",
    "env.library",  # code is never loaded only because a stored file names it
    "env.name",
    "lammps.library",
)
LOOKS = ("frames", "fps", "color", "bonds", "axes", "slice", "species")  # of a file that is viewed

DESIGN_BUDGET = ("search.designs", "search.evaluations", "search.repeats", "search.compare", "processes")
VERIFICATION = "verification."
# Groups of choices.
OF_DESIGN = ("material", "target", "space", "search", "verification", "env", "agent", "evaluation", "render")
OF_TRAINING = ("material", "env", "agent", "evaluation", "render")

DESIGN_SETTINGS = """\
  target.property=NAME             what is to change: see matdesign measure --help
  target.goal=maximise             minimise, maximise or hit
  target.value=0.06                to hit, in the property's unit
  target.constraints=[...]         hard ones: [{property: density, minimum: 1.6}]
  search.designs=512               how many each search measures
  search.compare=[random,genetic]  other methods, with the same budget
  search.repeats=5                 searches of each method, with seeds of their own
  agent.checkpoint=RUN             a trained policy, to be used without training
  verification.candidates=3        best designs that are verified
  seed=1                           of everything random
  processes=2                      worked in side by side (default: one a core)
  output=DIR                       run folder (default: runs/DATE-TIME-VERB-NAME)
  quiet=true                       no progress"""

SETTINGS = """\
  seed=1                           of everything random
  material.structure.atoms=19      how many atoms
  env.envs=32 env.threads=2        environments stepped together, and by how many CPU threads
  env.backend=processes            in worker processes in place of threads
  env.workers=2                    how many of them
  env.settings.NAME=VALUE          a setting of the environment itself
  agent.ppo.total_agent_steps=2e6  training budget
  agent.time_limit=60              the same in seconds
  agent.device=cuda                where the network lives
  output=DIR                       run folder (default: runs/DATE-TIME-VERB-NAME)
  quiet=true                       no dashboard"""


@dataclass(frozen=True)
class Verb:
    """One thing the command line can do.

    Attributes:
        summary: one line.
        description: what people read first.
        run: does it, given the parsed arguments.
        takes_run: it works on the folder of an earlier run, named first.
        takes_file: it works on a structure file, if one is named first.
        may_take_run: it works on the folder of an earlier run, if one is named first.
        resumes: it knows --resume.
        settings: the most useful KEY=VALUE, for people.
        examples: command lines.
    """

    summary: str
    description: str
    run: Callable[[argparse.Namespace], int]
    examples: Sequence[str]
    takes_run: bool = False
    takes_file: bool = False
    may_take_run: bool = False
    resumes: bool = False
    settings: str = ""


class Parser(argparse.ArgumentParser):
    """Reports mistakes as InputError."""

    def error(self, message: str) -> NoReturn:
        """Raises instead of printing usage and leaving."""
        raise InputError(f"{message}; see {self.prog} --help")


def _design(arguments: argparse.Namespace) -> int:
    from matdesign.config import load_design
    from matdesign.design.job import check_design, design
    from matdesign.design.run import RunFolder

    known = (*BUDGET, *DESIGN_BUDGET)
    return _job("design", load_design, RunFolder.design_config, check_design, design, arguments, known)


def _train(arguments: argparse.Namespace) -> int:
    from matdesign.config import load
    from matdesign.design.job import check_train, train
    from matdesign.design.run import RunFolder

    return _job("train", load, RunFolder.config, check_train, train, arguments, BUDGET)


def _job(
    verb: str,
    load: Callable[..., Any],
    stored: Callable[..., Any],
    check: Callable[..., None],
    job: Callable[..., None],
    arguments: argparse.Namespace,
    budget: Sequence[str],
) -> int:
    """A job in a run folder of its own, or one that goes on: `load` and `stored` read its configuration."""
    from matdesign.design.run import RunFolder

    if arguments.resume:
        for text in arguments.settings:
            key = text.split("=")[0]
            if key not in budget and not (verb == "design" and key.startswith(VERIFICATION)):
                raise InputError(f"{text!r} cannot change on resuming: only {', '.join(budget)} can")
        run = RunFolder.open(arguments.resume)
        if run.verb != verb:
            raise InputError(f"{run.path} is a run of {run.verb}: use matdesign {run.verb} --resume {run.path}")
        config = stored(run, arguments.settings)
    else:
        config = load(arguments.settings, arguments.config_dir)
        check(config)
        run = RunFolder.create(config, verb)
    if not config.quiet:
        print(f"matdesign: {verb} in {run.path}", file=sys.stderr)
    with run:
        try:
            job(config, run)
        except (Interrupted, KeyboardInterrupt) as error:
            signum = error.signum if isinstance(error, Interrupted) else signal.SIGINT
            message = f"{str(error) or 'stopped by SIGINT'}; continue with: matdesign {verb} --resume {run.path}"
            raise Interrupted(message, signum) from error
    return 0


def _evaluate(arguments: argparse.Namespace) -> int:
    from matdesign.design.job import evaluate
    from matdesign.design.run import RunFolder

    run = RunFolder.open(arguments.run)
    evaluate(run.config(arguments.settings, arguments.config_dir), run)
    return 0


def _play(arguments: argparse.Namespace) -> int:
    from matdesign.design.play import play_job

    runs = [text for text in arguments.settings if "=" not in text]
    if len(runs) > 1:
        raise InputError(f"play takes the folder of one run, not {', '.join(runs)}")
    settings = [text for text in arguments.settings if "=" in text]
    play_job(Path(runs[0]) if runs else None, settings, arguments.config_dir)
    return 0


def _measure(arguments: argparse.Namespace) -> int:
    from matdesign.config import load_measurement
    from matdesign.properties.job import measure_job

    files = [text for text in arguments.settings if "=" not in text or Path(text).is_file()]
    if len(files) > 1:
        raise InputError(f"measure takes one structure file, not {', '.join(files)}")
    settings = [text for text in arguments.settings if text not in files]
    measure_job(load_measurement(settings, arguments.config_dir, files[0] if files else None))
    return 0


def _benchmark(arguments: argparse.Namespace) -> int:
    from matdesign.config import load
    from matdesign.design.tuning import tune_job

    if arguments.settings[:1] != ["vector"]:
        raise InputError("benchmark needs to know what is measured: matdesign benchmark vector")
    tune_job(load(arguments.settings[1:], arguments.config_dir))
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from matdesign.design.export import export

    given = _own_settings(arguments, ("formats", "output"))
    formats = tuple(name for name in given.get("formats", "").strip("[]").split(",") if name)
    for path in export(arguments.run, formats, Path(given["output"]) if "output" in given else None):
        print(path)
    return 0


def _render(arguments: argparse.Namespace) -> int:
    from matdesign.design.look import SETTINGS as LOOK_SETTINGS
    from matdesign.design.look import Look

    given = _own_settings(arguments, ("output", *LOOK_SETTINGS))
    output = given.pop("output", None)
    look = Look.of(given)  # before torch is imported
    from matdesign.design.picture import render_job

    print(render_job(arguments.run, Path(output) if output else None, look))
    return 0


def _view(arguments: argparse.Namespace) -> int:
    from matdesign.design.look import FLAGS, Look
    from matdesign.design.run import is_design
    from matdesign.design.view import export_page, in_browser, view_file, view_run, window_here

    run: Path = arguments.run
    flies = run.is_dir() and not is_design(run)
    if arguments.export:
        own = _own_settings(arguments, ("frames", "fps", "seed") if flies else LOOKS)
        print(export_page(run, Look.of(own), arguments.export))
        return 0
    address = {"host": "127.0.0.1", "port": "0", "window": "false"}
    serving = [text for text in arguments.settings if text.partition("=")[0] in address]
    arguments.settings = [text for text in arguments.settings if text not in serving]
    address |= _own_settings(argparse.Namespace(settings=serving), tuple(address))
    if not address["port"].isdecimal():
        raise InputError(f"port={address['port']} is no number: give 1024 to 65535, or 0 for any free one")
    if address["window"] not in FLAGS:
        raise InputError(f"window={address['window']} cannot be read: use true or false")
    in_window = FLAGS[address["window"]]
    show = window_here() if in_window else partial(in_browser, host=address["host"], port=int(address["port"]))
    if flies:
        view_run(run, arguments.settings, arguments.config_dir, show)
    else:
        view_file(run, Look.of(_own_settings(arguments, LOOKS)), show)
    return 0


def _own_settings(arguments: argparse.Namespace, known: Sequence[str]) -> dict[str, str]:
    """KEY=VALUE arguments of a verb that reads no configuration."""
    given = {}
    for text in arguments.settings:
        key, equals, value = text.partition("=")
        if key not in known or not equals:
            raise InputError(f"unknown setting {text!r}{closest(key, known)} (available: {', '.join(known) or 'none'})")
        if not value or not value.isprintable() or "$" in value:
            raise InputError(f"{text!r} is empty or has a control character or '$' in it: give a plain value")
        given[key] = value
    return given


def _doctor(arguments: argparse.Namespace) -> int:
    from matdesign.doctor import doctor

    _own_settings(arguments, ())
    return 0 if doctor() else 1


VERBS = {
    "design": Verb(
        summary="find the arrangement of atoms that does what is asked, verified and ranked",
        description="Searches for the arrangement of a material's atoms that meets a target, by a policy shared by\n"
        "all atoms and by classical methods with the same budget; measures the best ones again, independently,\n"
        "beside what anyone would try first; leaves structure files, a database and a report. Without arguments: the\n"
        "default job.",
        run=_design,
        resumes=True,
        settings=DESIGN_SETTINGS,
        examples=(
            "matdesign design",
            "matdesign design target=high_conductivity space=layers search=bayesian output=runs/a",
            "matdesign design target=hit target.property=bulk_modulus target.value=160 material=nial",
            "matdesign design --resume runs/a",
        ),
    ),
    "train": Verb(
        summary="train a policy in an environment",
        description="Trains one policy shared by all agents of an environment; leaves checkpoints and metrics.",
        run=_train,
        resumes=True,
        settings=SETTINGS,
        examples=(
            "matdesign train env=atoms/steer",
            "matdesign train env=squared agent.time_limit=30",
            "matdesign train material=mine --config-dir ~/choices    # reads ~/choices/material/mine.yaml",
        ),
    ),
    "evaluate": Verb(
        summary="fly the trained policy of a run and report how well it does",
        description="Flies the best policy of a run on starts it was not trained on, with its mean actions and with\n"
        "sampled ones. The first episodes are those that chose it while training, and repeat their figures. Settings\n"
        "change what it meets.",
        run=_evaluate,
        takes_run=True,
        settings="  evaluation.episodes=500      how many episodes\n"
        "  evaluation.seed=7            of their starts\n"
        "  material.structure.atoms=19  another number of atoms than in training",
        examples=(
            "matdesign evaluate runs/mine",
            "matdesign evaluate runs/mine material.structure.atoms=19",
        ),
    ),
    "measure": Verb(
        summary="measure a property of a structure, with its error bar",
        description="Measures one property of the structure in FILE, or of the material's own structure. What is\n"
        "random is sampled with independent seeds; finished samples are kept, so the same measurement, or one that\n"
        "was stopped, goes on from them.",
        run=_measure,
        takes_file=True,
        settings="  property=NAME          what: see docs/properties.md\n"
        "  property.FIELD=VALUE   its protocol: temperature, steps ...\n"
        "  rel_error=0.05         sample until the standard error is 5 % of the value\n"
        "  budget=60              or until 60 seconds are over\n"
        "  seeds=16               or a fixed number of samples\n"
        "  processes=2            samples computed side by side (default: one a core)\n"
        "  output=FILE.json       write everything there is about it",
        examples=(
            "matdesign measure material=silicon property=bulk_modulus",
            "matdesign measure alloy.cif material=nial property=density property.temperature=300 property.pressure=0",
        ),
    ),
    "benchmark": Verb(
        summary="find the fastest way to step an environment on this machine",
        description="`benchmark vector` steps an environment serially, on threads and in worker processes, in several\n"
        "sizes, with random actions; prints a table, and the settings of the fastest.",
        run=_benchmark,
        settings="  env.envs=256  number of environments; a quarter and four times as many are tried too",
        examples=("matdesign benchmark vector env=squared", "matdesign benchmark vector env=gymnasium env.envs=8"),
    ),
    "export": Verb(
        summary="write the best structure of a run as CIF, extended XYZ, POSCAR and LAMMPS data",
        description="Writes the best structure of a run into files that other programs open.",
        run=_export,
        takes_run=True,
        settings="  formats=cif,poscar  some formats only (default: all)\n"
        "  output=DIR          where to (default: RUN/exports)",
        examples=("matdesign export runs/mine", "matdesign export runs/mine formats=cif output=out"),
    ),
    "render": Verb(
        summary="draw a run, a structure or a trajectory: picture, GIF, MP4 or WebM",
        description="Draws RUN, a run folder or a file (CIF, XYZ, extended XYZ, POSCAR, LAMMPS dump or data, a\n"
        "recording), into a picture or a film; the suffix of output says which. A film of a run is a flight of its\n"
        "trained policy, that of a design is its search; a picture is the best structure, if there is one. Needs no\n"
        "display.",
        run=_render,
        takes_run=True,
        settings="  output=FILE.mp4          .png, .gif, .mp4, .webm; frame-%04d.png for a picture of each frame;\n"
        "                           .npz for a recording (default: into the run's exports, or beside the file)\n"
        "  frames=0:500:2           which frames: START:STOP:STEP, or the number of one (default: all of a\n"
        "                           trajectory, one episode of a policy)\n"
        "  fps=25                   frames shown in a second\n"
        "  size=1280x720            in pixels\n"
        "  camera=top               corner, front, right, top, or the direction to the eye, camera=1,0,0.5\n"
        "  orthographic=true        without perspective\n"
        "  color=NAME               by an array of the atoms, such as c_pe of a dump (default: species)\n"
        "  bonds=true               between neighbours, or bonds=2.6: up to this length\n"
        "  axes=abc                 a triad of the cell's vectors, or axes=xyz\n"
        "  slice=z:0:5              atoms between two planes only; slice=111:0:5 takes Miller indices\n"
        "  background=transparent   white, black, transparent\n"
        "  quality=fine             smooth shadows, or fast (default: fine for pictures, fast for films)\n"
        "  captions=false           no labels in a film\n"
        "  species=[Si,Ge]          elements of the types in a LAMMPS file\n"
        "  seed=7                   of the policy's flight",
        examples=(
            "matdesign render runs/mine",
            "matdesign render runs/mine output=flight.mp4",
            "matdesign render alloy.cif size=2400x1800 background=transparent",
            "matdesign render dump.melt species=[Si,Ge] output=melt.gif frames=::10 size=640x360",
        ),
    ),
    "view": Verb(
        summary="watch the trained policy of a run, or a structure file, in a browser or a window",
        description="Serves a page that shows the policy of RUN at work, the search of a design, or the structure,\n"
        "trajectory or recording in the file RUN: pause, step, change the speed, pick an atom or agent to read it.\n"
        "Only who knows the printed address can open it. --export writes a page that replays it anywhere, without a\n"
        "network. With window=true a window of this machine shows the same, and the keyboard can steer an agent of a\n"
        "game.",
        run=_view,
        takes_run=True,
        settings="  window=true            in a window (needs matdesign[window]; h in it lists its keys)\n"
        "  port=8080              where it listens (default: any free port)\n"
        "  host=0.0.0.0           on which interface (default: 127.0.0.1, this machine only)\n"
        "  env.envs=16            how many environments of a run to choose from\n"
        "  frames=0:100:2         which frames of a file; of an exported run, how many\n"
        "  color=energy           colours by an array of the atoms\n"
        "  bonds=true             bonds by distance; color, bonds, axes, slice as for matdesign render\n"
        "  species=[Si,Ge]        elements of the types in a LAMMPS file",
        examples=(
            "matdesign view runs/mine",
            "matdesign view runs/mine window=true",
            "matdesign view trajectory.extxyz port=8080",
            "matdesign view runs/mine --export mine.html",
        ),
    ),
    "play": Verb(
        summary="take one agent of a game at the keyboard",
        description="Shows a game in the terminal. Arrow keys or w a s d steer the first agent, q leaves; the others\n"
        "follow the policy of RUN, or act at random.",
        run=_play,
        may_take_run=True,
        settings="  env=snake                which game: snake, pong, breakout or squared\n"
        "  env.settings.NAME=VALUE  a setting of the game",
        examples=("matdesign play", "matdesign play env=pong", "matdesign play runs/snakes"),
    ),
    "doctor": Verb(
        summary="report what was found on this machine, with the remedy for what is missing",
        description="Reports LAMMPS, its packages and potentials, torch and its device, threads, graphics, compiler.\n"
        "Exit status 1 if matdesign cannot work here.",
        run=_doctor,
        examples=("matdesign doctor", "MATDESIGN_LAMMPS=/opt/lammps/liblammps.so matdesign doctor"),
    ),
}


def _help() -> str:
    verbs = "\n".join(f"  {name:<10}{verb.summary}" for name, verb in VERBS.items())
    return (
        "matdesign: materials inverse design. Atoms are agents, one shared policy steers them through LAMMPS.\n\n"
        "usage: matdesign VERB [RUN] [GROUP=CHOICE ...] [KEY=VALUE ...] [options]\n\n"
        f"verbs:\n{verbs}\n\n"
        "options:\n  --help     this text; after a verb: about that verb\n  --version  the version\n\n"
        "first steps:\n  matdesign doctor         is everything here?\n  matdesign design         the default job\n"
        "  matdesign train --help   what can be chosen\n"
    )


def _parser(name: str) -> Parser:
    verb = VERBS[name]
    configurable = verb.resumes or verb.takes_file or verb.run in (_evaluate, _benchmark, _play, _view)
    first = "RUN" if verb.takes_run else "[FILE]" if verb.takes_file else "[RUN]" if verb.may_take_run else ""
    parts = [f"matdesign {name}", first]
    parts += ["[GROUP=CHOICE ...]" if configurable else "", "[KEY=VALUE ...]" if verb.settings else "", "[options]"]
    text = []
    if configurable:
        own = ("material",) if verb.takes_file else OF_DESIGN if verb.run is _design else OF_TRAINING
        lines = [
            textwrap.fill(", ".join(choices), 118, initial_indent=f"  {group:<13}", subsequent_indent=" " * 15)
            for group, choices in groups(CONF).items()
            if group in own
        ]
        text.append("\n".join(["groups and their choices:", *lines]))
    if verb.takes_file:
        from matdesign.properties import catalogue

        lines = [f"  {name:<42}{(kind.__doc__ or '').splitlines()[0]}" for name, kind in catalogue().items()]
        text.append("\n".join(["properties:", *lines]))
    if verb.settings:
        where = f"most useful settings (all of them: {CONF}):" if configurable else "settings:"
        text.append(f"{where}\n{verb.settings}")
    text.append("\n".join(["examples:", *(f"  {line}" for line in verb.examples)]))
    parser = Parser(
        prog=f"matdesign {name}",
        usage=" ".join(part for part in parts if part),
        description=verb.description,
        epilog="\n\n".join(text),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    if verb.takes_run:
        parser.add_argument("run", metavar="RUN", nargs="?", type=Path, help="folder of an earlier run")
    if verb.run is _view:
        parser.add_argument("--export", metavar="PAGE.html", type=Path, help="write a page that needs no server")
    if configurable:
        parser.add_argument("--config-dir", metavar="DIR", type=Path, help="your own choices: DIR/GROUP/NAME.yaml")
    if verb.resumes:
        parser.add_argument("--resume", metavar="RUN", type=Path, help="continue this run; only its budget can change")
    parser.add_argument("settings", nargs="*", help=argparse.SUPPRESS)
    return parser


def _dispatch(arguments: Sequence[str]) -> int:
    name = arguments[0] if arguments else "--help"
    if name in ("--help", "-h", "help"):
        print(_help(), end="")
        return 0
    if name == "--version":
        print(f"matdesign {version('matdesign')}")
        return 0
    if name not in VERBS:
        raise InputError(f"unknown verb {name!r}{closest(name, list(VERBS))} (available: {', '.join(VERBS)})")
    parsed = _parser(name).parse_intermixed_args(list(arguments[1:]))
    if VERBS[name].takes_run and parsed.run is None:
        raise InputError(f"{name} needs the folder of a run: matdesign {name} RUN")
    return VERBS[name].run(parsed)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Interrupted("stopped by SIGTERM", number)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb; returns the exit status.

    0: done; 1: failed, or the doctor found something missing; 2: input that cannot be used; 128 + n: ended by signal n.
    Mistakes of the user give one line on standard error and no traceback.
    """
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return _dispatch(sys.argv[1:] if arguments is None else arguments)
    except Interrupted as error:
        _complain(error)
        return 128 + error.signum if error.signum else 0
    except KeyboardInterrupt:
        _complain("stopped by SIGINT")
        return 128 + signal.SIGINT
    except InputError as error:
        _complain(error)
        return BAD_INPUT
    except MatdesignError as error:
        _complain(error)
        return 1
    except BrokenPipeError:  # whoever read the output has what they wanted
        return 128 + signal.SIGPIPE
    except OSError as error:  # the disk is full, or a file was taken away under a run
        _complain(f"{error}: check path, permissions and free space, then try again (a run goes on with --resume)")
        return BAD_INPUT if error.errno == errno.ENAMETOOLONG else 1
    finally:  # nothing is left to tidy: a signal in the interpreter's own shutdown is no matter for a traceback
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)


def _complain(message: object) -> None:
    print("matdesign:", " ".join(str(message).split()), file=sys.stderr)
