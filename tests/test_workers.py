"""Worker processes: the same results as in this process, and what becomes of workers that die or hang."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from foreign_envs import Fragile, Patient
from squared_reference import Squared
from test_vector import rollout, walkers  # noqa: F401  a fixture

from matdesign import cli
from matdesign.agents.policies import MLPPolicy
from matdesign.agents.ppo import PPO, PPOConfig
from matdesign.config import load
from matdesign.design.assembly import make_policy, open_vector
from matdesign.errors import InputError, MatdesignError
from matdesign.vector import Batch, Vector
from matdesign.vector.benchmark import Choice, choices, tune
from matdesign.vector.foreign import Gymnasium
from matdesign.vector.recipe import GATE_BYTES, Native
from matdesign.vector.workers import Workers

HERE = Path(__file__).parent
SQUARED = Native(environment="squared", settings={"size": 5})
BACKENDS: dict[str, Callable[..., Batch]] = {
    "serial": lambda envs, parts: Vector("squared", {"size": 5}, envs=envs, parts=parts),
    "threads": lambda envs, parts: Vector("squared", {"size": 5}, envs=envs, parts=parts, threads=3),
    "processes": lambda envs, parts: Workers(SQUARED, envs=envs, parts=parts, workers=2),
}


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("backend", BACKENDS)
def test_no_backend_is_ever_stale(backend: str, parts: int) -> None:
    """Parts sent and received in turns, as in training, beside plain Python step for step."""
    count, seed = 10, 2**63 + 5
    random = np.random.default_rng(2)
    references = [Squared(seed, i, 5) for i in range(count)]
    with BACKENDS[backend](count, parts) as batch:
        batch.reset(seed)
        assert len(batch.parts) == parts
        for step in range(150):
            for part, rows in enumerate(batch.parts):
                if step:
                    batch.recv(part)
                for row in range(rows.start, rows.stop):
                    reference = references[row]
                    assert np.array_equal(batch.observations[row], reference.observation())
                    if step:
                        assert batch.rewards[row] == reference.reward
                        assert batch.terminals[row] == reference.terminal
                        assert batch.masks[row] == reference.mask
                        assert not batch.truncations[row]
                    action = int(random.integers(5))
                    batch.actions[row] = action
                    reference.step(action)
                batch.send(part)
        assert batch.log()["episodes"] > 100  # waits for what is under way


def test_workers_equal_the_vector(walkers: str) -> None:  # noqa: F811
    settings = {"agents": 3, "horizon": 9}
    with Vector(walkers, settings, envs=7) as here:
        expected, log = rollout(here, 40, 5), here.log()
        boxes = here.scene(4).spheres
    for workers in (1, 3, 7):
        with Workers(Native(environment=walkers, settings=settings), envs=7, workers=workers) as batch:
            assert (batch.agents, batch.rows, batch.choices, batch.low) == (3, 21, 0, here.low)
            assert batch.environment.log_names == here.environment.log_names
            for buffer in (batch.observations, batch.actions, batch.rewards, batch.terminals, batch.masks):
                assert buffer.ctypes.data % 64 == 0
                assert buffer.flags.c_contiguous
            assert all(np.array_equal(a, b) for a, b in zip(rollout(batch, 40, 5), expected, strict=True))
            assert np.array_equal(batch.scene(4).spheres, boxes)
            found = batch.log()
            assert found.pop("restarts") == found.pop("interrupted") == 0
            assert found == pytest.approx(log)
            assert batch.log(3) == {"episodes": 0.0}


def test_atoms_step_in_workers() -> None:
    small = ["material.structure.atoms=5", "env.settings.horizon=4", "env.envs=2"]
    with (
        open_vector(load(small)) as here,
        open_vector(load([*small, "env.backend=processes", "env.workers=2"])) as away,
    ):
        assert isinstance(away, Workers)
        expected, found = rollout(here, 6, 1), rollout(away, 6, 1)
    assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))


def kill(batch: Workers, index: int, number: int = signal.SIGKILL) -> None:
    os.kill(batch.pids[index], number)


def test_a_killed_worker_is_replaced() -> None:
    with Workers(SQUARED, envs=6, workers=3) as batch:
        batch.reset(1)
        kill(batch, 1)
        time.sleep(0.2)
        batch.step()
        own = np.array([False, False, True, True, False, False])
        assert np.array_equal(batch.truncations, own)
        assert np.array_equal(batch.masks, ~own)
        assert not batch.rewards[own].any()
        assert not batch.terminals[own].any()
        for row in (2, 3):  # the first observation of an episode: the agent in the middle, one target
            assert batch.observations[row][12] == 1
            assert sorted(batch.observations[row]) == [0] * 23 + [1, 2]
        batch.step()
        assert batch.masks.all()
        log = batch.log()
        assert (log["restarts"], log["interrupted"]) == (1, 2)
        assert batch.log()["restarts"] == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP])
@pytest.mark.parametrize("parts", [1, 2])
def test_training_survives_workers_that_are_killed(number: int, parts: int) -> None:
    """Killed, crashed or stopped at any moment of training, from outside; every rollout is finished."""
    torch.set_num_threads(1)
    with Workers(SQUARED, envs=8, workers=2, parts=parts, timeout=0.7) as batch:
        policy = MLPPolicy(batch.features, batch.action_dims, batch.choices, hidden=[16])
        trainer = PPO(batch, policy, PPOConfig(horizon=16, minibatch=64))
        done = threading.Event()
        iterations, killed = 0, []

        def enemy() -> None:
            random = np.random.default_rng(number)
            while not done.is_set() and len(killed) < 2:
                seen = iterations
                while iterations < seen + 2 and not done.wait(0.01):  # the one before has been replaced
                    pass
                done.wait(random.uniform(0.0, 0.05))
                killed.append(batch.pids[int(random.integers(2))])
                os.kill(killed[-1], number)

        thread = threading.Thread(target=enemy)
        thread.start()
        restarts = interrupted = 0.0
        begun = time.monotonic()
        while restarts < 2 and time.monotonic() - begun < 60:
            figures = trainer.iterate()
            iterations += 1
            restarts += figures["env/restarts"]
            interrupted += figures["env/interrupted"]
        done.set()
        thread.join()
        assert restarts >= 2
        assert interrupted == 4 * restarts
        assert trainer.agent_steps > 0
        trainer.iterate()
        assert not any(alive(pid) for pid in killed if pid not in batch.pids)


@pytest.mark.parametrize("order", ["segfault", "hang", "raise"])
def test_an_environment_that_fails_from_within(order: str, tmp_path: Path) -> None:
    orders = tmp_path / "orders"
    with Workers(Gymnasium(make=Fragile, settings={"orders": str(orders)}), envs=4, workers=2, timeout=1.5) as batch:
        batch.reset(0)
        batch.step()
        orders.write_text(order)
        batch.step()
        assert batch.truncations.sum() == 2
        assert np.array_equal(batch.masks, ~batch.truncations)
        assert np.array_equal(batch.observations[:, 0], np.where(batch.truncations, 0, 2))
        batch.step()
        assert sorted(batch.observations[:, 0]) == [1, 1, 3, 3]
        assert batch.log()["interrupted"] == 2


def test_one_that_always_fails_is_given_up(tmp_path: Path) -> None:
    orders = tmp_path / "orders"
    settings = {"orders": str(orders), "always": True}
    with Workers(Gymnasium(make=Fragile, settings=settings), envs=2, workers=1) as batch:
        batch.reset(0)
        orders.write_text("raise")
        batch.step()  # fails, and the step of the new process is a reset
        for _ in range(2):
            batch.step()
            assert batch.truncations.all()
        with pytest.raises(MatdesignError, match=r"Fragile: worker 0 failed 4 times in a row, .*ValueError: told so"):
            batch.step()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition: Callable[[], bool]) -> bool:
    for _ in range(100):
        if condition():
            return True
        time.sleep(0.1)
    return False


def test_workers_end_with_their_owner(tmp_path: Path) -> None:
    """Whatever they are doing, and leaving no shared memory, when the owner is killed -9."""
    program = f"""
import sys, time
sys.path.insert(0, {str(HERE)!r})
from foreign_envs import Fragile
from matdesign.vector.benchmark import Choice, choices, tune
from matdesign.vector.foreign import Gymnasium
from matdesign.vector.workers import Workers
batch = Workers(Gymnasium(make=Fragile, settings={{"orders": {str(tmp_path / "orders")!r}}}), envs=2, workers=2)
batch.reset(0)
print(*batch.pids, flush=True)
batch.step()
time.sleep(1000)
"""
    (tmp_path / "orders").write_text("hang")
    shared = set(os.listdir("/dev/shm"))  # noqa: PTH208, S108
    owner = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pids = [int(word) for word in owner.stdout.readline().split()]
    assert len(pids) == 2
    assert all(alive(pid) for pid in pids)
    owner.kill()
    owner.wait()
    owner.stdout.close()
    assert wait_until(lambda: not any(alive(pid) for pid in pids))
    assert set(os.listdir("/dev/shm")) <= shared  # noqa: PTH208, S108


def test_closing() -> None:
    batch = Workers(SQUARED, envs=4, workers=2)
    with pytest.raises(MatdesignError, match=r"call reset\(seed\) first"):
        batch.step()
    pids = batch.pids
    batch.reset(0)
    batch.send(0)
    batch.close()
    batch.close()
    assert not any(alive(pid) for pid in pids)
    assert batch.observations.any()  # buffers outlive the environments
    calls: list[Callable[[], object]] = [batch.step, batch.log, lambda: batch.reset(0), lambda: batch.scene(0)]
    for call in calls:
        with pytest.raises(MatdesignError, match="closed"):
            call()


def test_a_half_steps_while_the_other_is_acted_for(tmp_path: Path) -> None:
    """The first half cannot finish its step before the second one has been acted for: no call may wait for it."""
    settings = {"signal": str(tmp_path / "go")}
    with Workers(Gymnasium(make=Patient, settings=settings), envs=2, workers=1, parts=2, timeout=30) as batch:
        batch.reset(0)
        batch.send(0)
        batch.actions[1] = 1
        (tmp_path / "go").touch()
        batch.send(1)
        batch.recv(0)
        batch.recv(1)
        assert batch.rewards.tolist() == [0, 1]
        assert batch.observations.tolist() == [[1], [1]]


def test_parts_go_in_turns() -> None:
    with Workers(SQUARED, envs=4, workers=1, parts=2) as batch:
        batch.reset(0)
        with pytest.raises(MatdesignError, match="part 0 cannot be received: send it first"):
            batch.recv(0)
        batch.send(0)
        with pytest.raises(MatdesignError, match="part 0 cannot be sent"):
            batch.send(0)
        with pytest.raises(InputError, match="environment index is 4: give 0 to 3"):
            batch.scene(4)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"envs": 0, "workers": 1}, "envs is 0"),
        ({"envs": 4, "workers": 5}, "workers is 5: give 1 to 4 for 4 environments in 1 parts"),
        ({"envs": 4, "workers": 0}, "workers is 0"),
        ({"envs": 3, "workers": 1, "parts": 2}, "envs is 3: it must be even"),
        ({"envs": 4, "workers": 1, "parts": 3}, "parts is 3"),
        ({"envs": 4, "workers": 1, "timeout": 0}, "timeout is 0"),
        ({"envs": 10**14, "workers": 1}, "do not fit"),
    ],
)
def test_bad_counts(given: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Workers(SQUARED, **given)


def test_bad_settings_are_told_from_afar() -> None:
    with pytest.raises(InputError, match=r"squared\.size is 1: give a number from 2"):
        Workers(Native(environment="squared", settings={"size": 1}), envs=2, workers=2)


def test_overlap_and_processes_train_the_same(walkers: str) -> None:  # noqa: F811
    """The same seed gives the same policy bit for bit, whatever steps the environments."""
    torch.set_num_threads(1)
    base = [f"env.library={walkers}", "env=squared", "env.name=walkers", "env.settings={horizon: 7}", "env.envs=8"]
    results = []
    for backend in ("env.threads=1", "env.threads=3", "env.backend=processes,env.workers=3"):
        config = load([*base, "env.overlap=true", "agent.ppo.horizon=16", *backend.split(",")])
        with open_vector(config) as vector:
            policy = make_policy(config, vector)
            trainer = PPO(vector, policy, config.agent.ppo, seed=4)
            for _ in range(3):
                trainer.iterate()
        results.append(torch.cat([parameter.detach().flatten() for parameter in policy.parameters()]))
    assert all(torch.equal(results[0], other) for other in results[1:])


def test_the_size_of_a_gate(tmp_path: Path) -> None:
    source = tmp_path / "size.c"
    header = Path(HERE.parent / "matdesign" / "vector" / "gate.h")
    source.write_text(f'#include "{header}"\nint gate_bytes(void) {{ return sizeof(Gate); }}\n')
    library = tmp_path / "size.so"
    subprocess.run(["cc", "-std=gnu11", "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
    assert ctypes.CDLL(str(library)).gate_bytes() == GATE_BYTES


def test_tuning_tries_every_backend() -> None:
    found = choices(8, 3, in_process=True)
    assert [one.envs for one in found if one.label == "3 processes"] == [8, 32]  # two environments are too few
    assert [one.size for one in found if one.backend == "threads" and one.envs == 8] == [1, 2, 3]
    assert {one.backend for one in choices(8, 3, in_process=False)} == {"processes"}
    some = [Choice(backend="threads", size=1, envs=8), Choice(backend="processes", size=2, envs=8)]
    ways = {"threads": BACKENDS["serial"], "processes": BACKENDS["processes"]}
    timings = list(tune(lambda choice: ways[choice.backend](choice.envs, 1), some, seconds=0.05))
    assert [timing.choice for timing in timings] == some
    assert all(0 < timing.rate < 1e9 and timing.spread >= 0 for timing in timings)
    with pytest.raises(InputError, match="matdesign benchmark vector"):
        cli.VERBS["benchmark"].run(cli._parser("benchmark").parse_args(["squared"]))
