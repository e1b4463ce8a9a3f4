"""Colours of atoms: by species, or by one number for each atom."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from ase.data.colors import jmol_colors
from numpy.typing import NDArray

from matdesign.errors import InputError
from matdesign.scene import ColourBar, Legend, triple

UNKNOWN = (0.62, 0.62, 0.62)  # atoms whose scalar is not a number
ALIKE = 0.3  # distance in red, green and blue below which colours are hardly told apart
DARKER, SHADES = 0.8, 5  # factor, and how often it may be applied


@dataclass(frozen=True, kw_only=True)
class Scalar:
    """One number for each atom, shown as its colour, with a colour bar.

    Attributes:
        values: name of an array of the atoms, or the numbers themselves, [atoms]; grey where they are not finite.
        colours: name of one of matplotlib's colour maps; viridis and cividis are read by the colour-blind too.
        low, high: values of the first and the last colour; default: the least and the greatest. Pictures to compare,
            like the frames of a video, need the same.
        label: of the colour bar; default: the array's name.
        unit: of the numbers, shown in brackets after the label.
    """

    values: str | NDArray[Any] = field(repr=False)
    colours: str = "viridis"
    low: float | None = None
    high: float | None = None
    label: str | None = None
    unit: str = ""

    def of(self, atoms: Atoms) -> NDArray[np.float64]:
        """The numbers, [atoms].

        Raises:
            InputError: no such array, or not one number for each atom.
        """
        values = self.values
        if isinstance(values, str):
            if values not in atoms.arrays:
                names = ", ".join(sorted(name for name, array in atoms.arrays.items() if array.ndim == 1))
                raise InputError(f"the atoms have no array {values!r} to colour them by: use one of {names}")
            values = atoms.arrays[values]
        values = np.asarray(values)
        if values.shape != (len(atoms),) or values.dtype.kind not in "biuf":
            raise InputError(
                f"{len(atoms)} atoms cannot be coloured by an array of shape {values.shape}, type {values.dtype}: "
                "give one number for each atom"
            )
        return values.astype(float)

    def painted(self, atoms: Atoms) -> tuple[NDArray[np.float32], ColourBar]:
        """Colours [atoms, 3] and what they mean.

        Raises:
            InputError: no such array or colour map, or limits in the wrong order.
        """
        values = self.of(atoms)
        known = values[np.isfinite(values)]
        low = self.low if self.low is not None else float(known.min(initial=np.inf))
        high = self.high if self.high is not None else float(known.max(initial=-np.inf))
        if len(known) == 0 and not (np.isfinite(low) and np.isfinite(high)):
            low, high = 0.0, 1.0
        if self.low is None and self.high is None and low == high:
            low, high = low - 0.5, high + 0.5
        if not low < high:
            raise InputError(f"colours from {low:g} to {high:g}: the lower limit must be below the upper one")
        table = colour_map(self.colours)
        place = np.clip((np.nan_to_num(values) - low) / (high - low), 0, 1)
        painted = table[np.round(place * (len(table) - 1)).astype(int)]
        painted[~np.isfinite(values)] = UNKNOWN
        name = self.label if self.label is not None else self.values if isinstance(self.values, str) else ""
        label = f"{name} ({self.unit})".strip() if self.unit else name
        return painted, ColourBar(colours=table, low=low, high=high, label=label)


def colour_map(name: str) -> NDArray[np.float32]:
    """One of matplotlib's colour maps, [256, 3]. InputError if it has none of that name."""
    from matplotlib import colormaps

    if name not in colormaps:
        raise InputError(f"there is no colour map {name!r}: use viridis, cividis or another of matplotlib's")
    table: NDArray[np.float32] = colormaps[name](np.linspace(0, 1, 256))[:, :3].astype(np.float32)
    return table


def by_species(atoms: Atoms) -> tuple[NDArray[np.float32], Legend]:
    """Jmol's colours [atoms, 3], and the name of each species where there are several.

    Where two are hardly told apart, as those of neighbours in the periodic table often are, the heavier species is
    darker.
    """
    kinds = np.unique(atoms.numbers)
    colours = jmol_colors[kinds].astype(np.float32)
    for i in range(1, len(kinds)):
        for _ in range(SHADES):
            if (np.linalg.norm(colours[:i] - colours[i], axis=1) < ALIKE).any():
                colours[i] *= DARKER
    named = tuple((chemical_symbols[kind], triple(colour)) for kind, colour in zip(kinds, colours, strict=True))
    return colours[np.searchsorted(kinds, atoms.numbers)], Legend(names=named if len(kinds) > 1 else ())
