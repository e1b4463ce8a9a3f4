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


def load(folder: "str | Path") -> "Results":
    """A run of `matdesign design` as pandas, ASE and pymatgen objects; see `matdesign.design.results.Results`."""
    from matdesign.design.results import Results

    return Results(folder)
