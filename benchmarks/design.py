"""All benchmarks of design, one after the other: what is claimed of designs anywhere is a row of these tables.

python benchmarks/design.py [--quick] [--json FILE]     some two hours on two cores; quick: a few minutes

    heat_stacks      440 layered crystals with known answers: designs until the true optimum
    heat_atoms       128 sites: least, most and a given conductivity, verified by molecular dynamics
    heat_targets     a policy trained for all values, beside search from scratch and its own archive
    heat_bridge      atoms that build a bridge for heat between two slabs
    clusters         ground states of Lennard-Jones clusters: force evaluations for each success
    order_dial       a given crystalline order, reached and held
    crystallisation  a glass of 108 atoms crystallises
    alloys           a stiffness of an alloy, the order of lowest energy of another

Each is a program of its own, with its own `--quick` and `--json`.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import table

HERE = Path(__file__).parent
PARTS = (
    "heat_stacks",
    "heat_atoms",
    "heat_targets",
    "heat_bridge",
    "clusters",
    "order_dial",
    "crystallisation",
    "alloys",
)


def main() -> None:
    """Runs them; a part that fails is told and does not stop the others."""
    arguments = table.arguments(__doc__)
    rows, failed = [], []
    with tempfile.TemporaryDirectory() as folder:
        for part in PARTS:
            print(f"\n{part}", flush=True)
            file = Path(folder) / f"{part}.json"
            command = [sys.executable, str(HERE / f"{part}.py"), "--json", str(file)]
            done = subprocess.run([*command, *(["--quick"] if arguments.quick else [])], check=False)
            if done.returncode:
                failed.append(part)
            else:
                rows += [{**row, "case": f"{part}: {row['case']}"} for row in json.loads(file.read_text())]
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")
    if failed:
        sys.exit(f"these did not come to their end: {', '.join(failed)}")


if __name__ == "__main__":
    main()
