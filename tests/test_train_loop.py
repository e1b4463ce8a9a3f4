import csv
import io
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import torch
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from matdesign.agents.checkpoint import load_checkpoint, save_checkpoint
from matdesign.agents.dashboard import Dashboard, count, duration
from matdesign.agents.metrics import Metrics
from matdesign.agents.softexit import Interrupted
from matdesign.agents.train import SCORE_WINDOW, best_checkpoint, last_checkpoint, train
from matdesign.errors import InputError


class FakeTrainer:
    """Ten agent-steps an iteration; its one tensor counts iterations; scores as told."""

    def __init__(self, scores=(), seconds=0.0, on_iteration=lambda number: None):
        self.scores, self.seconds, self.on_iteration = list(scores), seconds, on_iteration
        self.iterations = torch.zeros(())

    @property
    def agent_steps(self):
        return 10 * int(self.iterations)

    def iterate(self):
        time.sleep(self.seconds)
        number = int(self.iterations)
        self.iterations += 1
        self.on_iteration(number + 1)
        figures = {"loss/policy": 0.5 * number, "time/environment": 0.03, "time/learn": 0.01}
        return figures | ({"env/score": self.scores[number]} if number < len(self.scores) else {})

    def state(self):
        return {"iterations": self.iterations.clone()}, {"steps": self.agent_steps}

    def load_state(self, tensors, meta):
        self.iterations = tensors["iterations"].clone()
        assert meta["steps"] == self.agent_steps


def ignore(row):
    pass


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_stops_at_the_budget_and_leaves_its_state(tmp_path):
    shown = []
    trainer = FakeTrainer(scores=[1.0])
    train(trainer, tmp_path, total_agent_steps=95, show=shown.append)
    assert trainer.agent_steps == 100
    assert [row["iteration"] for row in shown] == list(range(1, 11))
    tensors, meta = load_checkpoint(last_checkpoint(tmp_path))
    assert tensors["iterations"] == 10
    assert meta["progress"]["iterations"] == 10
    written = rows(tmp_path)
    assert [int(row["agent_steps"]) for row in written] == list(range(10, 101, 10))
    assert [float(row["loss/policy"]) for row in written] == [0.5 * number for number in range(10)]
    assert [row["env/score"] for row in written] == ["1.0"] + [""] * 9


def test_figures_reach_tensorboard(tmp_path):
    train(FakeTrainer(), tmp_path, total_agent_steps=50, show=ignore)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss/policy")] == [
        (10 * (number + 1), 0.5 * number) for number in range(5)
    ]


def test_goes_on_where_it_stopped(tmp_path):
    train(FakeTrainer(), tmp_path, total_agent_steps=50, show=ignore)
    trainer = FakeTrainer()
    train(trainer, tmp_path, total_agent_steps=80, show=ignore)
    assert trainer.agent_steps == 80
    assert [int(row["iteration"]) for row in rows(tmp_path)] == list(range(1, 9))
    seconds = [float(row["seconds"]) for row in rows(tmp_path)]
    assert seconds == sorted(seconds)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("loss/policy")] == list(range(10, 81, 10))


def test_rows_after_the_last_checkpoint_are_dropped_on_resuming(tmp_path):
    train(FakeTrainer(), tmp_path, total_agent_steps=50, show=ignore)
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write("6,60,9.0,0,0,0\r\n7,70,9.0,0,0,0\r\n1")  # work lost in a crash, the last line cut
    train(FakeTrainer(), tmp_path, total_agent_steps=70, show=ignore)
    assert [int(row["iteration"]) for row in rows(tmp_path)] == list(range(1, 8))
    assert float(rows(tmp_path)[5]["loss/policy"]) == 2.5


@pytest.mark.parametrize("text", [b"\xff\xfe", b"iteration,a\n1,2,3\n", b"iteration,a\n1,x\n"])
def test_damaged_metrics_are_refused(tmp_path, text):
    train(FakeTrainer(), tmp_path, total_agent_steps=50, show=ignore)
    (tmp_path / "metrics.csv").write_bytes(text)
    with pytest.raises(InputError, match=r"metrics\.csv is damaged.*remove it"):
        train(FakeTrainer(), tmp_path, total_agent_steps=70, show=ignore)


@pytest.mark.parametrize(
    "meta",
    [{}, [], None, {"trainer": {}}, {"trainer": {}, "progress": {}}, {"trainer": {}, "progress": {"scores": ["x"]}}],
)
def test_checkpoint_with_another_content_is_refused(tmp_path, meta):
    train(FakeTrainer(), tmp_path, total_agent_steps=50, show=ignore)
    tensors, _ = load_checkpoint(last_checkpoint(tmp_path))
    save_checkpoint(last_checkpoint(tmp_path), tensors, meta)
    with pytest.raises(InputError, match=r"last\.safetensors is damaged.*take another checkpoint"):
        train(FakeTrainer(), tmp_path, total_agent_steps=70, show=ignore)


def test_time_limit_counts_over_resumes(tmp_path):
    def limited() -> FakeTrainer:
        trainer = FakeTrainer(seconds=0.05)
        train(trainer, tmp_path, total_agent_steps=10_000, time_limit=0.3, show=ignore)
        return trainer

    steps = limited().agent_steps
    assert 10 <= steps <= 60
    assert limited().agent_steps == steps


def test_best_checkpoint_holds_the_best_window_even_after_resuming(tmp_path):
    scores = [0.0] * 5 + [1.0] * SCORE_WINDOW + [0.0] * 20
    train(FakeTrainer(scores), tmp_path, total_agent_steps=220, show=ignore)
    assert load_checkpoint(best_checkpoint(tmp_path))[0]["iterations"] == 5 + SCORE_WINDOW
    train(FakeTrainer(scores), tmp_path, total_agent_steps=350, show=ignore)
    assert load_checkpoint(best_checkpoint(tmp_path))[0]["iterations"] == 5 + SCORE_WINDOW


def test_checkpoints_while_training(tmp_path):
    on_disk = []

    def look(number):
        if last_checkpoint(tmp_path).exists():
            on_disk.append(number - int(load_checkpoint(last_checkpoint(tmp_path))[0]["iterations"]))

    train(FakeTrainer(on_iteration=look), tmp_path, total_agent_steps=100, checkpoint_every=0.0, show=ignore)
    assert on_disk == [1] * 9


def test_exit_file_stops_it_and_is_removed_on_resuming(tmp_path):
    def ask(number):
        if number == 3:
            (tmp_path / "EXIT").touch()

    trainer = FakeTrainer(on_iteration=ask)
    with pytest.raises(Interrupted, match="EXIT file at 30 agent-steps") as caught:
        train(trainer, tmp_path, total_agent_steps=100, show=ignore)
    assert caught.value.signum is None
    trainer = FakeTrainer()
    train(trainer, tmp_path, total_agent_steps=100, show=ignore)
    assert trainer.agent_steps == 100
    assert not (tmp_path / "EXIT").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_finishes_the_iteration_and_restores_the_handlers(tmp_path, number):
    before = signal.getsignal(number)

    def send(iteration):
        if iteration == 4:
            signal.raise_signal(number)

    with pytest.raises(Interrupted, match=f"{signal.Signals(number).name} at 40") as caught:
        train(FakeTrainer(on_iteration=send), tmp_path, total_agent_steps=100, show=ignore)
    assert caught.value.signum == number
    assert load_checkpoint(last_checkpoint(tmp_path))[0]["iterations"] == 4
    assert signal.getsignal(number) is before


def test_damaged_checkpoint_stops_before_training(tmp_path):
    train(FakeTrainer(), tmp_path, total_agent_steps=20, show=ignore)
    path = last_checkpoint(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    trainer = FakeTrainer()
    with pytest.raises(InputError, match="damaged"):
        train(trainer, tmp_path, total_agent_steps=40, show=ignore)
    assert trainer.agent_steps == 0


def test_metrics_take_new_columns(tmp_path):
    with Metrics(tmp_path) as metrics:
        metrics.write({"iteration": 1, "agent_steps": 1, "a/b": 1.5})
        metrics.write({"iteration": 2, "agent_steps": 2, "c/d": 2.5})
    assert rows(tmp_path) == [
        {"iteration": "1", "agent_steps": "1", "a/b": "1.5", "c/d": ""},
        {"iteration": "2", "agent_steps": "2", "a/b": "", "c/d": "2.5"},
    ]


def test_killed_training_goes_on_from_its_last_checkpoint(tmp_path):
    script = f"""
        import pathlib, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_train_loop import FakeTrainer, train
        trainer = FakeTrainer(seconds=0.01)
        train(trainer, pathlib.Path({str(tmp_path)!r}), total_agent_steps=10**9, checkpoint_every=0.05, show=print)
    """
    process = subprocess.Popen([sys.executable, "-u", "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        while not last_checkpoint(tmp_path).exists() or len(rows(tmp_path)) < 20:
            assert process.stdout.readline()
    finally:
        process.kill()
    process.communicate()
    done = load_checkpoint(last_checkpoint(tmp_path))[1]["progress"]["iterations"]
    assert len(rows(tmp_path)) >= done > 0
    shown = []
    train(FakeTrainer(), tmp_path, total_agent_steps=10 * (done + 3), show=shown.append)
    assert [row["iteration"] for row in shown] == [done + 1, done + 2, done + 3]
    assert [int(row["iteration"]) for row in rows(tmp_path)] == list(range(1, done + 4))


def test_second_signal_kills_at_once(tmp_path):
    script = textwrap.dedent(f"""
        import pathlib, signal, time
        from matdesign.agents.softexit import SoftExit
        with SoftExit(pathlib.Path({str(tmp_path / "EXIT")!r})) as stop:
            print("ready", flush=True)
            while not stop.requested:
                time.sleep(0.01)
            print(stop.requested, flush=True)
            while True:
                time.sleep(0.01)
    """)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "SIGINT\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == -signal.SIGINT


def iteration(number: int, **more: float) -> dict[str, float]:
    times = {"time/environment": 0.5, "time/forward": 0.25, "time/learn": 0.2, "time/other": 0.05}
    return {"iteration": number, "agent_steps": 1000 * number, "seconds": float(number), **times, **more}


def dashboard(text: io.StringIO, *, terminal: bool = False, **settings) -> Dashboard:
    console = Console(file=text, force_terminal=terminal, width=100, color_system=None)
    return Dashboard("a run", total_agent_steps=10_000, console=console, **settings)


def test_plain_lines_without_a_terminal():
    text = io.StringIO()
    with dashboard(text) as show:
        for number in range(1, 6):
            show(iteration(number, **{"env/score": 0.1 * number, "env/failures": 2.0}))
        assert show.speed == pytest.approx(1000.0)
        assert show.eta == pytest.approx(5.0)
        assert show.done == 0.5
    lines = text.getvalue().splitlines()
    assert len(lines) == 2  # the first row, and the last on leaving: ten seconds have not passed
    assert "a run:" in lines[-1]
    for part in (
        "50.0 %",
        "5.00k/10.0k agent-steps",
        "1.00k/s",
        "5s left",
        "environment 50 %",
        "failures 2",
        "score 0.5",
    ):
        assert part in lines[-1]


def test_quiet_shows_nothing_and_terminal_shows_a_panel():
    text = io.StringIO()
    with dashboard(text, quiet=True) as show:
        show(iteration(1))
    assert text.getvalue() == ""
    with dashboard(text, terminal=True) as show:
        show(iteration(1, **{"loss/policy": 0.25, "env/failures": 1.0}))
    for part in ("a run", "environment", "50.0 %", "loss/policy", "0.25", "failures", "agent-steps", "left"):
        assert part in text.getvalue()


def test_a_panel_is_drawn_once_a_second_and_on_leaving(monkeypatch):
    now, drawn = [0.0], []
    monkeypatch.setattr("matdesign.agents.dashboard.time.monotonic", lambda: now[0])
    with dashboard(io.StringIO(), terminal=True) as show:
        monkeypatch.setattr(show, "_panel", lambda: drawn.append(int(show._recent[-1]["iteration"])) or "")
        for number in range(1, 25):
            show(iteration(number))
            now[0] += 0.125
    assert drawn == [1, 9, 17, 24]


def test_evaluations_stay_on_the_panel_and_only_told_times_are_shared_out():
    text = io.StringIO()
    figures = {"time/copy": 0.25, "evaluation/deterministic/score": 0.75, "evaluation/stochastic/perf": 0.5}
    with dashboard(text) as show:
        show(iteration(1, **figures))
        show(iteration(2))
    assert "copy 11 %" in text.getvalue()  # 0.25 of 2.25
    assert "evaluation" not in text.getvalue().split("deterministic/score")[0]
    assert text.getvalue().splitlines()[-1].endswith("  deterministic/score 0.75")
    text = io.StringIO()
    with dashboard(text, terminal=True) as show:
        show(iteration(1, **figures))
        show(iteration(2))
    panel = text.getvalue().split("a run")[-1]
    for part in ("deterministic/score", "stochastic/perf", "copy"):
        assert part in panel


def test_time_limit_decides_progress_and_eta_where_it_comes_first():
    with dashboard(io.StringIO(), quiet=True, time_limit=5.0) as show:
        for number in (1, 2, 3, 4):
            show(iteration(number))
        assert show.done == pytest.approx(0.8)
        assert show.eta == pytest.approx(1.0)


def test_how_numbers_are_written():
    assert [duration(seconds) for seconds in (0, 59.4, 187, 7500)] == ["0s", "59s", "3m07s", "2h05m"]
    assert [count(number) for number in (0, 950, 12_345, 4_560_000, 1.2e9)] == ["0", "950", "12.3k", "4.56M", "1.20G"]
