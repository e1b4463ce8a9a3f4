"""The vectorizer: buffers, settings, threads, next-step autoreset, log, libraries from outside."""

import ctypes
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from matdesign import envs
from matdesign.errors import InputError, MatdesignError
from matdesign.vector import Vector

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def walkers(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The several-agent environment of tests/c, compiled as a user would."""
    return compiled(HERE / "c" / "walkers.c", tmp_path_factory.mktemp("walkers") / "walkers.so")


def compiled(source: Path, library: Path, *flags: str) -> str:
    command = ["cc", "-O3", "-shared", "-fPIC", "-I", str(envs.INCLUDE), *flags, str(source), "-o", str(library), "-lm"]
    subprocess.run(command, check=True)
    return str(library)


def test_built_in_environments_describe_themselves() -> None:
    assert "squared" in envs.built_in()
    for name in envs.built_in():
        environment = envs.load(name)
        assert environment.name == name
        assert environment.summary
        assert environment.log_names[:2] == ("score", "perf")
        for setting in environment.settings:
            assert setting.help
            if setting.kind == "number" and not np.isnan(setting.default):  # NaN: none
                assert setting.low <= setting.default <= setting.high
    assert (envs.INCLUDE / "env.h").is_file()


def test_buffers(walkers: str) -> None:
    with Vector(walkers, {"agents": 5}, envs=3) as vector:
        assert (vector.envs, vector.agents, vector.rows, vector.features) == (3, 5, 15, 4)
        assert (vector.action_dims, vector.choices) == (2, 0)
        shapes = {"observations": (15, 4), "actions": (15, 2)}
        kinds = {"terminals": np.bool_, "truncations": np.bool_, "masks": np.bool_}
        before = {}
        for name in ("observations", "actions", "rewards", "terminals", "truncations", "masks"):
            buffer = getattr(vector, name)
            assert buffer.shape == shapes.get(name, (15,))
            assert buffer.dtype == kinds.get(name, np.float32)
            assert buffer.flags.c_contiguous
            assert buffer.ctypes.data % 64 == 0
            before[name] = buffer
        vector.reset(0)
        vector.step()
        assert all(getattr(vector, name) is buffer for name, buffer in before.items())
    with Vector("squared", {}, envs=2) as vector:
        assert vector.observations.dtype == np.uint8
        assert vector.actions.dtype == np.int32
        assert (vector.choices, vector.low, vector.high) == (5, 0.0, 2.0)


def test_settings_reach_the_environment(walkers: str) -> None:
    settings = {"agents": np.int64(2), "starts": np.array([-5.0, 7.0]), "label": "two walkers", "horizon": True}
    with Vector(walkers, settings, envs=4) as vector:
        vector.reset(0)
        assert np.abs(vector.observations.reshape(4, 2, 4)[:, :, 0] - [-5.0, 7.0]).max() < 1.0
        assert vector.scene(3).texts[0].text == "two walkers"
        vector.step()
        assert vector.truncations.all()
    Vector(walkers, {"starts": [], "label": ""}, envs=1).close()  # empty is as good as not given


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"agent": 3},
            r"walkers has no setting 'agent'; did you mean agents\? \(it has agents, horizon, bound",
        ),
        ({"agents": 0}, r"walkers\.agents is 0: give a number from 1 to 1000"),
        ({"agents": float("nan")}, r"agents is -?nan: give a number from 1"),
        ({"bound": float("inf")}, r"bound is inf: give"),
        ({"agents": "three"}, r"agents is .*: it takes one number"),
        ({"agents": [1, 2]}, r"agents is .*: it takes one number"),
        ({"agents": []}, r"agents is .*: it takes one number"),
        ({"agents": None}, r"setting 'agents' is None: give a number"),
        ({"agents": {"a": 1}}, r"setting 'agents' is \{'a': 1\}: give a number, text or a list"),
        ({"starts": [1, "x", 2]}, r"setting 'starts' is \[1, 'x', 2\]"),
        ({"starts": [[1, 2], [3]]}, r"setting 'starts' is"),
        ({"starts": "1 2 3"}, r"starts is '1 2 3': it takes a list of numbers"),
        ({"starts": [1, 2, 99]}, r"starts is 99: give a number from -10 to 10"),
        ({"starts": [1, 2]}, r"starts has 2 values for 3 agents"),
        ({"label": 3}, r"label is .*: it takes text"),
        ({"label": "a\0b"}, r"NUL character"),
    ],
)
def test_bad_settings(walkers: str, settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Vector(walkers, settings, envs=1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"envs": 0}, "envs is 0"),
        ({"envs": -1}, "envs is -1"),
        ({"envs": 10**13}, "envs is 10000000000000: their buffers do not fit"),
        ({"envs": 10**30}, "do not fit"),
        ({"envs": 1, "threads": 0}, "threads is 0"),
        ({"envs": 1, "threads": 100000}, "threads is 100000"),
    ],
)
def test_bad_counts(counts: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Vector("squared", {}, **counts)


def test_bad_libraries(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unknown environment 'sqared': give one of .*squared"):
        Vector("sqared", {}, envs=1)
    with pytest.raises(InputError, match="unknown environment"):
        Vector("squared\0", {}, envs=1)
    with pytest.raises(InputError, match="is not a file"):
        Vector(str(tmp_path / "missing.so"), {}, envs=1)
    with pytest.raises(InputError, match="is not a file"):
        Vector(str(tmp_path), {}, envs=1)
    text = tmp_path / "text.so"
    text.write_text("this is no library")
    with pytest.raises(InputError, match="does not load"):
        Vector(str(text), {}, envs=1)
    empty = tmp_path / "empty.c"
    empty.write_text("int nothing;\n")
    with pytest.raises(InputError, match="exports no environment: end its C file"):
        Vector(compiled(empty, tmp_path / "empty.so"), {}, envs=1)
    (tmp_path / "env.h").write_text(
        (envs.INCLUDE / "env.h").read_text().replace("#define ENV_ABI ", "#define ENV_ABI 9")
    )
    shutil.copy(envs.INCLUDE / "archive.h", tmp_path)
    shutil.copy(HERE / "c" / "walkers.c", tmp_path)
    old = tmp_path / "old.so"
    subprocess.run(
        ["cc", "-shared", "-fPIC", str(tmp_path / "walkers.c"), "-I", str(tmp_path), "-o", str(old)], check=True
    )
    with pytest.raises(
        InputError, match=rf"compiled against version 9\d of env\.h, this is version {envs.ABI}: compile it again"
    ):
        Vector(str(old), {}, envs=1)


def test_careless_setting_tables(tmp_path: Path) -> None:
    source = (HERE / "c" / "walkers.c").read_text()
    mine = tmp_path / "mine.c"
    mine.write_text(source.replace(', .help = "walkers"', ""))
    assert envs.load(compiled(mine, tmp_path / "mine.so")).settings[0].help == ""
    other = tmp_path / "other.c"
    other.write_text(source.replace('.help = "walkers"', '.help = "walkers", .count = 3'))
    with pytest.raises(InputError, match="setting 'agents' of count 3: use 0"):
        Vector(compiled(other, tmp_path / "other.so"), {}, envs=1)


def test_failed_init_closes_what_was_open(walkers: str) -> None:
    for _ in range(3):
        with pytest.raises(InputError, match="capacity is 5 and all places are taken"):
            Vector(walkers, {"capacity": 5}, envs=6)
    Vector(walkers, {"capacity": 5}, envs=5).close()


def rollout(vector: Vector, steps: int, seed: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    vector.reset(seed)
    frames = [vector.observations.copy()]
    for _ in range(steps):
        vector.actions[:] = (
            random.integers(0, 5, vector.actions.shape)
            if vector.choices
            else random.uniform(-1, 1, vector.actions.shape)
        )
        vector.step()
        frames += [
            b.copy() for b in (vector.observations, vector.rewards, vector.terminals, vector.truncations, vector.masks)
        ]
    return frames


@pytest.mark.parametrize(("count", "threads"), [(1, 4), (3, 2), (64, 2), (513, 3)])
def test_threads_change_nothing(walkers: str, count: int, threads: int) -> None:
    for environment in ("squared", walkers):
        with (
            Vector(environment, {}, envs=count) as serial,
            Vector(environment, {}, envs=count, threads=threads) as pool,
        ):
            for expected, got in zip(rollout(serial, 60, 5), rollout(pool, 60, 5), strict=True):
                assert np.array_equal(expected, got)
            assert serial.log() == pool.log()


def test_seeds(walkers: str) -> None:
    with Vector(walkers, {}, envs=3) as vector:
        first, again, other = rollout(vector, 5, 1), rollout(vector, 5, 1), rollout(vector, 5, 2)
        assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
        assert not np.array_equal(first[0], other[0])
        starts = first[0].reshape(3, 3, 4)[:, :, 0]
        assert len(np.unique(starts)) == 9  # environments differ from each other
        vector.reset(-1)
        negative = vector.observations.copy()
        vector.reset(2**64 - 1)
        assert np.array_equal(negative, vector.observations)


def test_next_step_autoreset_of_a_truncated_episode(walkers: str) -> None:
    with Vector(walkers, {"horizon": 3, "starts": [4, 5, 6]}, envs=2) as vector:
        vector.reset(0)
        vector.actions[:] = 1.0
        for cycle in range(3):
            for tick in (1, 2, 3):
                vector.step()
                assert (vector.observations[:, 2] == tick).all()
                assert vector.masks.all()
                assert (vector.truncations == (tick == 3)).all()
                assert (vector.rewards < 0).all()
            final = vector.observations.copy()
            assert (final[:, 0] > 6).all(), cycle  # the last observation is of the old episode
            vector.step()
            assert (vector.observations[:, 2] == 0).all()
            assert np.abs(vector.observations[:, 0] - [4, 5, 6, 4, 5, 6]).max() < 1  # the action was ignored
            for buffer in (vector.masks, vector.rewards, vector.truncations):
                assert not buffer.any()
        assert not vector.terminals.any()


def test_termination_is_apart_from_truncation_and_of_one_environment(walkers: str) -> None:
    with Vector(walkers, {"bound": 3, "horizon": 100}, envs=2) as vector:
        vector.reset(0)
        vector.actions[3, 0] = 1.0  # first agent of the second environment
        for _ in range(10):
            vector.step()
            if vector.terminals.any():
                break
        assert vector.terminals.tolist() == [False] * 3 + [True] * 3
        assert not vector.truncations.any()
        vector.step()
        assert vector.masks.tolist() == [True] * 3 + [False] * 3
        assert vector.log() == {
            "score": pytest.approx(-3.5, abs=0.7),
            "perf": 0.0,
            "length": pytest.approx(4, abs=1),
            "episodes": 1.0,
        }


def test_log_averages_and_starts_again(walkers: str) -> None:
    with Vector(walkers, {"horizon": 4}, envs=10) as vector:
        vector.reset(0)
        assert vector.log() == {"episodes": 0.0}
        scores = []
        for _ in range(14):
            vector.step()
            scores += vector.rewards[::3][vector.truncations[::3]].tolist()
        log = vector.log()
        assert log == {"score": pytest.approx(np.mean(scores)), "perf": 1.0, "length": 4.0, "episodes": 30.0}
        assert vector.log() == {"episodes": 0.0}
        vector.step()
        vector.reset(0)
        assert vector.log() == {"episodes": 0.0}


def test_nan_actions_are_safe(walkers: str) -> None:
    with Vector(walkers, {}, envs=2) as vector:
        vector.reset(0)
        vector.actions[:] = np.nan
        vector.step()
        assert np.isfinite(vector.observations).all()


def test_scene(walkers: str) -> None:
    with Vector(walkers, {"label": "here", "starts": [-5, 0, 5]}, envs=2) as vector:
        vector.reset(0)
        scene = vector.scene(1)
        assert scene.spheres.shape == (3, 8)
        assert np.allclose(scene.spheres[:, :2], vector.observations[3:, :2])
        assert np.allclose(scene.spheres[0, 3:], [0.5, 1.0, 128 / 255, 0.0, 1.0])
        assert scene.lines.shape == (3, 10)
        assert scene.boxes.shape == (0, 10)
        assert (scene.texts[0].text, scene.texts[0].position) == ("here", (0.0, 0.0, 1.0))
        kept = scene.spheres.copy()
        vector.step()
        vector.scene(1)
        assert np.array_equal(scene.spheres, kept)  # a copy, not the C side's memory
        for index in (-1, 2):
            with pytest.raises(InputError, match=f"environment index is {index}: give 0 to 1"):
                vector.scene(index)


def test_pointer_leads_to_the_environments_own_rows(walkers: str) -> None:
    with Vector(walkers, {}, envs=2) as vector:
        vector.reset(0)
        for index in (0, 1):
            observations = ctypes.c_void_p.from_address(vector.pointer(index)).value  # the struct's first member
            assert observations == vector.observations[index * vector.agents :].ctypes.data
        with pytest.raises(InputError, match="environment index is 2: give 0 to 1"):
            vector.pointer(2)


def test_close_twice_and_use_after() -> None:
    vector = Vector("squared", {}, envs=2, threads=2)
    vector.reset(0)
    vector.close()
    vector.close()
    calls: list[Callable[[], object]] = [vector.step, vector.log, lambda: vector.reset(0), lambda: vector.scene(0)]
    for call in calls:
        with pytest.raises(MatdesignError, match="closed"):
            call()
    assert vector.observations.any()  # buffers outlive the environments


def test_reset_comes_first() -> None:
    with Vector("squared", {}, envs=2) as vector:
        calls: list[Callable[[], object]] = [vector.step, vector.log, lambda: vector.scene(0)]
        for call in calls:
            with pytest.raises(MatdesignError, match=r"call reset\(seed\) first"):
                call()


def test_two_vectors_at_the_same_time(walkers: str) -> None:
    """Stepped from two Python threads, each gives what it gives alone."""
    with Vector("squared", {}, envs=200, threads=2) as a, Vector(walkers, {}, envs=50, threads=2) as b:
        alone = rollout(a, 50, 1), rollout(b, 50, 2)
        together: dict[int, list[np.ndarray]] = {}
        runs = [
            threading.Thread(target=lambda: together.update({0: rollout(a, 50, 1)})),
            threading.Thread(target=lambda: together.update({1: rollout(b, 50, 2)})),
        ]
        for run in runs:
            run.start()
        for run in runs:
            run.join()
        for i in (0, 1):
            assert all(np.array_equal(x, y) for x, y in zip(alone[i], together[i], strict=True))


def test_thousands_of_environments(walkers: str) -> None:
    with Vector(walkers, {}, envs=2000, threads=2) as vector:
        assert vector.rows == 6000
        frames = rollout(vector, 12, 0)
        assert all(np.isfinite(frame).all() for frame in frames)
        assert vector.log()["episodes"] == 2000


def test_idle_threads_sleep() -> None:
    with Vector("squared", {}, envs=1000, threads=3) as vector:
        vector.reset(0)
        for _ in range(100):
            vector.step()
        threading.Event().wait(0.05)
        before = os.times()
        threading.Event().wait(0.3)
        after = os.times()
    assert after.user + after.system - before.user - before.system < 0.1


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize(("target", "sanitizers"), [("memory", "address,undefined"), ("races", "thread")])
def test_c_code_under_sanitizers(compiler: str, target: str, sanitizers: str, tmp_path: Path) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    empty = tmp_path / "empty.c"
    empty.write_text("int main(void) { return 0; }\n")
    probe = [compiler, f"-fsanitize={sanitizers}", str(empty), "-o", str(tmp_path / "empty")]
    # Several runs: some kernels' address layouts suit the thread sanitizer only now and then.
    for command in [probe, *[[str(tmp_path / "empty")]] * 10]:
        if subprocess.run(command, capture_output=True).returncode != 0:
            pytest.skip(f"{compiler} -fsanitize={sanitizers} does not work on this machine")
    result = subprocess.run(
        ["make", "-s", "-C", str(HERE / "c"), target, f"CC={compiler}", f"BUILD={tmp_path}"],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
