"""`Results`: a finished design in Python, as pandas, ASE and pymatgen objects."""

import contextlib
import functools
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ase.db
from ase import Atoms

from matdesign.design.outcome import OUTCOME
from matdesign.design.store import DATABASE
from matdesign.errors import InputError
from matdesign.sim.exchange import to_pymatgen

if TYPE_CHECKING:
    import pandas as pd
    from pymatgen.core.structure import Structure

PARTS = {"stopped", "targets", "survey", "warnings", "budget", "training", "candidates", "references"}  # of an outcome


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One verified structure of a design.

    Attributes:
        name: "candidate 1" is the best one; or what the reference is called.
        atoms: relaxed, as ASE has it.
        record: what is known of it: found, measurements, stability, reasons, advantages; see `Results.outcome`.
    """

    name: str
    atoms: Atoms
    record: dict[str, Any]

    @property
    def structure(self) -> "Structure":
        """As pymatgen has it; a free cluster gets a cell."""
        return to_pymatgen(self.atoms)

    @property
    def passed(self) -> bool:
        """Whether nothing speaks against it."""
        return bool(self.record["passed"])

    def value(self, label: str | None = None) -> tuple[float, float]:
        """The verified value of a target, by default of the first one, and its standard error.

        Raises:
            InputError: it could not be measured.
        """
        measured = self.record["measurements"]
        label = next(iter(measured), None) if label is None else label
        if label not in measured:
            raise InputError(f"{self.name} has no measurement of {label} (it has: {', '.join(measured) or 'none'})")
        stderr = measured[label]["stderr"]
        return float(measured[label]["value"]), float("nan") if stderr is None else float(stderr)


class Results:
    """A run of `matdesign design`, read from its folder.

    Attributes:
        folder: of the run.
        outcome: everything the run came to, as plain values.

    Args:
        folder: see above.

    Raises:
        InputError: it is no finished or stopped design.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        try:
            self.outcome: dict[str, Any] = json.loads((self.folder / OUTCOME).read_text(encoding="utf-8"))
        except FileNotFoundError:
            state = "its job is not finished" if (self.folder / "status.json").is_file() else "it is no run folder"
            raise InputError(
                f"{self.folder} has no {OUTCOME} ({state}): give the folder of a finished matdesign design"
            ) from None
        except (OSError, ValueError, RecursionError) as error:
            raise self._damaged(OUTCOME, error) from None
        if not isinstance(self.outcome, dict) or not PARTS.issubset(self.outcome):
            raise self._damaged(OUTCOME, f"it must have {', '.join(sorted(PARTS))}")

    @functools.cached_property
    def candidates(self) -> list[Candidate]:
        """Verified candidates, the best one first."""
        return self._verified("candidate", self.outcome["candidates"])

    @functools.cached_property
    def references(self) -> list[Candidate]:
        """What they were compared with."""
        return self._verified("reference", self.outcome["references"])

    @property
    def best(self) -> Candidate:
        """The best candidate.

        Raises:
            InputError: nothing was found.
        """
        if not self.candidates:
            raise InputError(f"the run in {self.folder} found no design that keeps its constraints")
        return self.candidates[0]

    @functools.cached_property
    def designs(self) -> "pd.DataFrame":
        """Every design that was measured: method, seed, index, score, values; `id` is its row in the database."""
        import pandas as pd

        with self._database() as database:
            rows = [{"id": row.id, **row.key_value_pairs} for row in database.select(kind="found", include_data=False)]
        return pd.DataFrame(rows).drop(columns=["kind"], errors="ignore").set_index("id") if rows else pd.DataFrame()

    @functools.cached_property
    def table(self) -> "pd.DataFrame":
        """Candidates and references: verified values with their standard errors, verdict."""
        import pandas as pd

        rows = []
        for each in (*self.candidates, *self.references):
            row: dict[str, Any] = {"name": each.name, "passed": each.passed, "space_group": each.record["space_group"]}
            for label in each.record["measurements"]:
                row[label], row[f"{label} stderr"] = each.value(label)
            rows.append(row)
        return pd.DataFrame(rows).set_index("name")

    def atoms(self, row: int) -> Atoms:
        """The structure of a row of `designs`, by its id.

        Raises:
            InputError: there is no such row.
        """
        with self._database() as database:
            found: Atoms = database.get_atoms(id=int(row))
        return found

    def _verified(self, kind: str, records: Sequence[dict[str, Any]]) -> list[Candidate]:
        with self._database() as database:
            atoms = {row.name: row.toatoms() for row in database.select(kind=kind)}
            return [Candidate(name=each["name"], atoms=atoms[each["name"]], record=each) for each in records]

    @contextlib.contextmanager
    def _database(self) -> Iterator[Any]:
        path = self.folder / DATABASE
        if not path.is_file():  # ASE would make an empty one
            raise self._damaged(DATABASE, "there is no such file")
        try:
            with ase.db.connect(path, type="db") as database:
                yield database
        except (sqlite3.Error, OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            raise self._damaged(DATABASE, error) from None

    def _damaged(self, name: str, why: object) -> InputError:
        return InputError(
            f"{self.folder / name} cannot be read ({why}): write it anew with matdesign design --resume {self.folder}"
        )

    def __repr__(self) -> str:
        return f"Results({str(self.folder)!r}: {len(self.candidates)} candidates, {len(self.references)} references)"

    def _repr_html_(self) -> str:
        html: str = self.table.to_html(float_format="{:.4g}".format)
        return html
