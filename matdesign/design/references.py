"""The structures that a design is compared with, measured by the same protocol: what anyone would try first."""

import numpy as np
from ase import Atoms

from matdesign.design.spaces import Arrangements, Decorations, Space, layers
from matdesign.sim import Material

PERIODS = (1, 2)  # layers of each species in a superlattice


def references(space: Space, material: Material, own: Atoms, *, count: int, seed: int) -> dict[str, Atoms]:
    """Structures by what they are called.

    Of a lattice: random alloys; superlattices of one and two layers of each species in turn and the species apart,
    along the axis of the space; the crystal of each species alone. Of positions: the material's own structure where it
    is a crystal, and random arrangements relaxed.

    Args:
        space: of the designs.
        material: how atoms interact.
        own: the material's starting structure.
        count: random ones.
        seed: of them.
    """
    rng = np.random.default_rng([seed, 1])
    found: dict[str, Atoms] = {}
    if isinstance(space, Arrangements):
        if own.pbc.any():
            found["starting structure"] = own
        for index in range(count):
            design, _ = space.settled(space.random(rng))
            found[f"quench {index + 1}"] = space.structure(design)
        return found
    assert isinstance(space, Decorations)
    for index in range(count):
        found[f"random alloy {index + 1}"] = space.structure(space.random(rng))
    return found | _ordered(space)


def _ordered(space: Decorations) -> dict[str, Atoms]:
    """Layered and pure crystals on the lattice."""
    found = {}
    layer = layers(space.lattice, space.axis or 0)
    total, kinds = int(layer.max()) + 1, len(space.species)
    shares = np.bincount(space.structure(space.canonical(space.random(np.random.default_rng(0)))).numbers)
    equal = len(set(shares[shares > 0].tolist())) == 1
    for period in (*PERIODS, total // kinds):
        if equal and total % (period * kinds) == 0:
            pattern = (np.arange(total) // period) % kinds
            found["+".join([str(period)] * kinds)] = _decorated(space, pattern[layer])
    for index, symbol in enumerate(space.species):
        found[f"pure {symbol}"] = _decorated(space, np.full(len(space.lattice), index))
    return found


def _decorated(space: Decorations, species: np.ndarray) -> Atoms:
    atoms: Atoms = space.lattice.copy()
    atoms.symbols = [space.species[each] for each in species]
    return atoms
