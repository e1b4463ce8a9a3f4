"""The structures that a design is compared with, measured by the same protocol: what anyone would try first."""

import numpy as np
from ase import Atoms

from matdesign.design.orderings import orderings
from matdesign.design.spaces import Arrangements, Decorations, Space, layers
from matdesign.design.spaces.decorations import Decoration
from matdesign.sim import Material

PERIODS = (1, 2)  # layers of each species in a superlattice


def references(space: Space, material: Material, own: Atoms, *, count: int, seed: int) -> dict[str, Atoms]:
    """Structures by what they are called.

    Of a lattice: random alloys; the ordered alloys of few atoms, where the space has no axis; superlattices of one and
    two layers of each species in turn and the species apart, along that axis; the crystal of each species alone. Of
    positions: the material's own structure where it is a crystal, and random arrangements relaxed.

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
    ordered = orderings(space) if space.axis is None else {}
    for name, decoration in _layered(space).items():
        if space.name(decoration) not in map(space.name, ordered.values()):
            ordered[name] = decoration
    found |= {name: space.structure(decoration) for name, decoration in ordered.items()}
    for index, symbol in enumerate(space.species):
        found[f"pure {symbol}"] = space.structure(np.full(space.size, index))
    return found


def _layered(space: Decorations) -> dict[str, Decoration]:
    """Superlattices of as many layers of each species, where these are equally many."""
    layer = layers(space.lattice, space.axis or 0)
    total, kinds = int(layer.max()) + 1, len(space.species)
    firsts = np.unique(space.groups, return_index=True)[1]
    found: dict[str, Decoration] = {}
    for period in (*PERIODS, total // kinds):
        if len(set(space.counts.tolist())) == 1 and period and total % (period * kinds) == 0:
            found["+".join([str(period)] * kinds)] = ((np.arange(total) // period) % kinds)[layer[firsts]]
    return found
