"""The default job, learned by today's trainer and by the project's first: agent-steps, CPU time, what comes out.

python benchmarks/foundation.py [--quick] [--json FILE] [--runs FOLDER]     twelve minutes of one core; quick: one

Thirteen argon-like atoms learn to find the ground state, `matdesign train` with what ships but for the agent-steps.
`perf` is the fraction of 200 episodes of the mean policy that end in the ground state, `score` minus the energy of an
atom after relaxation, epsilon (the ground state: 3.40975); each sample is one training seed. The foundation is the
project at commit FOUNDATION, checked out and compiled in --runs; its training, start and end included, and today's run
in turn, on one thread each. References are the foundation's figures at as many agent-steps. Finished trainings are not
done again.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import table

ROOT = Path(__file__).resolve().parent.parent
FOUNDATION = "b62b14b"
RUNS = Path("runs/foundation")
BUDGETS = (300_000, 1_000_000)  # agent-steps
SEEDS = 5


def checked_out(folder: Path) -> Path:
    """The foundation's sources, compiled in `folder`."""
    if not folder.exists():
        subprocess.run(["git", "-C", ROOT, "worktree", "add", "--detach", folder, FOUNDATION], check=True)
        subprocess.run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], cwd=folder, check=True)
    return folder


def matdesign(sources: Path, *arguments: str) -> float:
    """`matdesign ARGUMENTS...` of these sources on one thread; its CPU seconds."""
    environment = {**os.environ, "PYTHONPATH": str(sources), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "matdesign", *arguments]
    process = subprocess.Popen(command, cwd=sources, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"matdesign {' '.join(arguments)} failed in {sources}")
    return usage.ru_utime


def trained(sources: Path, folder: Path, seed: int, budget: int) -> dict[str, float]:
    """Figures of one training: perf, score, CPU seconds."""
    found = folder / "found.json"
    if not found.exists():
        shutil.rmtree(folder, ignore_errors=True)
        asked = (f"output={folder}", "quiet=true", f"seed={seed}", f"agent.ppo.total_agent_steps={budget}")
        seconds = matdesign(sources, "train", *asked, "evaluation.episodes=32")
        matdesign(sources, "evaluate", str(folder), "quiet=true", "evaluation.episodes=200")
        figures = json.loads((folder / "evaluation.json").read_text())
        found.write_text(json.dumps({"perf": figures["perf"], "score": figures["score"], "seconds": seconds}))
    return json.loads(found.read_text())


def main() -> None:
    """Prints the rows of each budget."""
    arguments = table.arguments(__doc__, runs=RUNS)
    results = table.Table(arguments.json)
    arguments.runs.mkdir(parents=True, exist_ok=True)
    runs = arguments.runs.resolve()
    trainers = {"foundation": checked_out(runs / "sources"), "today": ROOT}
    for budget in BUDGETS[:1] if arguments.quick else BUDGETS:
        figures: dict[str, list[dict[str, float]]] = {name: [] for name in trainers}
        for seed in range(1 if arguments.quick else SEEDS):
            for name, sources in trainers.items():
                figures[name].append(trained(sources, runs / f"{name}-{budget}-{seed}", seed, budget))
        for metric, unit in (("perf", ""), ("score", "epsilon"), ("seconds", "s")):
            reference = None
            for name in trainers:
                samples = [found[metric] for found in figures[name]]
                shown = results.add(f"{budget} steps, {name}", metric, samples, unit, reference=reference)
                reference = shown
    results.close()


if __name__ == "__main__":
    main()
