"""Materials inverse design: atoms steered by one shared policy through LAMMPS."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from matdesign.design.notebook import View, Viewable
    from matdesign.design.results import Results


def view(what: "Viewable", *, height: int = 480, **options: Any) -> "View":
    """Show a structure, a trajectory or a run in a notebook; see `matdesign.design.notebook.view`."""
    from matdesign.design.notebook import view as shown  # ASE takes a moment to import

    return shown(what, height=height, **options)


def run_design(*settings: str, config_dir: "Path | None" = None) -> "Results":
    """Design a material as `matdesign design` does, and return what was found.

    Args:
        settings: GROUP=CHOICE or KEY=VALUE, as on the command line.
        config_dir: a user's own choices: GROUP/NAME.yaml files beside the built-in ones.

    Raises:
        InputError: anything that cannot be used; the message names value and remedy.
    """
    from matdesign.config import load_design
    from matdesign.design.job import check_design, design
    from matdesign.design.results import Results
    from matdesign.design.run import RunFolder

    config = load_design(settings, config_dir)
    check_design(config)
    with RunFolder.create(config, "design") as run:
        design(config, run)
    return Results(run.path)


def load(folder: "str | Path") -> "Results":
    """A run of `matdesign design` as pandas, ASE and pymatgen objects; see `matdesign.design.results.Results`."""
    from matdesign.design.results import Results

    return Results(folder)
