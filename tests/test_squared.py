"""squared against plain Python, and as the file a user would compile."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from squared_reference import Squared

from matdesign import envs
from matdesign.agents.policies import MLPPolicy
from matdesign.design.flight import fly
from matdesign.errors import InputError
from matdesign.vector import Vector


@pytest.mark.parametrize("size", [2, 5, 11, 16])
@pytest.mark.parametrize("seed", [0, 12345, 2**64 - 1])
def test_equals_python_reference(size: int, seed: int) -> None:
    count, steps = 7, 200
    random = np.random.default_rng(1)
    with Vector("squared", {"size": size}, envs=count) as vector:
        vector.reset(seed)
        references = [Squared(seed, i, size) for i in range(count)]
        assert np.array_equal(vector.observations, [r.observation() for r in references])
        ended: list[tuple[float, int]] = []
        for _ in range(steps):
            vector.actions[:, 0] = random.integers(-1, 7, count)  # -1, 5 and 6 stay
            actions = vector.actions[:, 0].tolist()
            vector.step()
            for reference, action in zip(references, actions, strict=True):
                reference.step(action)
            assert np.array_equal(vector.observations, [r.observation() for r in references])
            assert np.array_equal(vector.rewards, [r.reward for r in references])
            assert np.array_equal(vector.terminals, [r.terminal for r in references])
            assert np.array_equal(vector.masks, [r.mask for r in references])
            assert not vector.truncations.any()
            ended += [(r.reward, r.ticks) for r in references if r.terminal]
        log = vector.log()
    assert log["episodes"] == len(ended) > 10
    assert log["score"] == pytest.approx(np.mean([reward for reward, _ in ended]))
    assert log["episode_return"] == log["score"]
    assert log["perf"] == pytest.approx(np.mean([reward > 0 for reward, _ in ended]))
    assert log["episode_length"] == pytest.approx(np.mean([ticks for _, ticks in ended]))


def test_target_is_uniform_over_the_other_cells() -> None:
    with Vector("squared", {"size": 3}, envs=9000) as vector:
        vector.reset(3)
        counts = (vector.observations == 2).sum(axis=0)
    assert counts[4] == 0
    assert np.abs(np.delete(counts, 4) - 9000 / 8).max() < 5 * np.sqrt(9000 / 8)


def test_size_must_be_whole() -> None:
    with pytest.raises(InputError, match=r"size is 3\.5: give a whole number"):
        Vector("squared", {"size": 3.5}, envs=1)


def test_compiles_as_a_users_file(tmp_path: Path) -> None:
    """The one command that env.h promises gives the built-in environment's behaviour."""
    command = f"cc -O3 -shared -fPIC -I {envs.INCLUDE} {envs.INCLUDE / 'squared.c'} -o {tmp_path / 'my_env.so'} -lm"
    subprocess.run(command.split(), check=True)
    random = np.random.default_rng(0)
    with (
        Vector(str(tmp_path / "my_env.so"), {}, envs=5) as mine,
        Vector("squared", {}, envs=5) as built_in,
    ):
        assert mine.environment.name == "squared"
        mine.reset(9)
        built_in.reset(9)
        for _ in range(100):
            mine.actions[:] = built_in.actions[:] = random.integers(0, 5, (5, 1))
            mine.step()
            built_in.step()
            assert np.array_equal(mine.observations, built_in.observations)
            assert np.array_equal(mine.rewards, built_in.rewards)
        assert mine.log() == built_in.log()


def test_a_users_environment_may_be_called_atoms(tmp_path: Path) -> None:
    source = (envs.INCLUDE / "squared.c").read_text().replace("squared_", "atoms_")
    (tmp_path / "mine.c").write_text(source.replace("ENVIRONMENT(squared", "ENVIRONMENT(atoms"))
    command = f"cc -shared -fPIC -I {envs.INCLUDE} {tmp_path / 'mine.c'} -o {tmp_path / 'mine.so'} -lm"
    subprocess.run(command.split(), check=True)
    with Vector(str(tmp_path / "mine.so"), {}, envs=2) as vector:
        assert vector.environment.name == "atoms"
        policy = MLPPolicy(vector.features, vector.action_dims, vector.choices, hidden=[4], log_sigma=0.0, seed=0)
        flight = fly(vector, policy, episodes=4, seed=0, deterministic=True)
    assert flight.results == []  # those are read from the memory of the built-in one
    assert flight.figures["episodes"] >= 4


def test_scene_shows_agent_and_target() -> None:
    with Vector("squared", {"size": 5}, envs=2) as vector:
        vector.reset(0)
        scene = vector.scene(1)
        assert scene.boxes.shape == (3, 10)  # floor, agent, target
        grid = vector.observations[1].reshape(5, 5)
        row, column = np.argwhere(grid == 2)[0]
        centres = scene.boxes[:, :2]
        assert [column + 0.5, 5 - row - 0.5] in centres.tolist()
        assert [2.5, 2.5] in centres[1:].tolist()
