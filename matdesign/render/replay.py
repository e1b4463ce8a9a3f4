"""A recording as a player's source."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ase import Atoms

from matdesign.render.player import Source
from matdesign.render.recording import Recording
from matdesign.scene import Scene


class Replay(Source):
    """Shows the frames of a recording one after another, and from the start again.

    Args:
        recording: what is shown.
        title: one line.
        atoms: what each frame was drawn from, where its spheres are these atoms in their order: they can be picked.
    """

    def __init__(self, recording: Recording, *, title: str, atoms: Sequence[Atoms] = ()) -> None:
        self.title = title
        self.rate = recording.fps
        self.frames = len(recording)
        self.agents = min((len(frame) for frame in atoms), default=0)
        self._recording = recording
        self._atoms = atoms

    def scene(self) -> Scene:
        """As for `Source`."""
        return replace(self._recording[self.frame])

    def step(self) -> None:
        """As for `Source`; after the last frame comes the first."""
        self.frame = (self.frame + 1) % self.frames

    def reset(self) -> None:
        """As for `Source`."""
        self.frame = 0

    def seek(self, frame: int) -> None:
        """As for `Source`."""
        self.frame = frame

    def caption(self) -> str:
        """As for `Source`."""
        place = f"frame {self.frame + 1} of {self.frames}   " if self.frames > 1 else ""
        return place + self._recording.caption(self.frame)

    def sphere(self, agent: int) -> int | None:
        """As for `Source`."""
        return agent

    def agent(self, sphere: int) -> int | None:
        """As for `Source`."""
        return sphere if sphere < self.agents else None

    def reading(self, agent: int) -> Mapping[str, str]:
        """Species, position and, where they are known, velocity, force and energy of an atom, in ASE's units."""
        atoms = self._atoms[self.frame]
        found = {"species": atoms.symbols[agent], "position (A)": _vector(atoms.positions[agent])}
        if atoms.has("momenta"):
            found["velocity (A sqrt(u/eV))"] = _vector(atoms.get_velocities()[agent])
        known = atoms.calc.results if atoms.calc is not None else {}
        for name, label in (("forces", "force (eV/A)"), ("energies", "energy (eV)")):
            if name in known and len(known[name]) == len(atoms):
                value = known[name][agent]
                found[label] = _vector(value) if name == "forces" else f"{value:.5g}"
        return found


def _vector(values: Sequence[float]) -> str:
    return "  ".join(f"{value:.4g}" for value in values)
