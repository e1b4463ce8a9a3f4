"""Evaluation while training: it touches nothing, costs its share, keeps the best checkpoint, and can be repeated."""

import csv
import json
from dataclasses import replace

import pytest
import torch
from test_train_loop import FakeTrainer, ignore, rows

from matdesign.agents.checkpoint import load_checkpoint
from matdesign.agents.softexit import Interrupted
from matdesign.agents.train import SCORE_WINDOW, Evaluation, best_checkpoint, last_checkpoint, train
from matdesign.config import load
from matdesign.design import job
from matdesign.design.assembly import make_policy, open_vector
from matdesign.design.evaluation import flights, training_rounds
from matdesign.design.run import RunFolder
from matdesign.design.training import train_run, training_evaluations

COMMON = ("evaluation.training_share=1", "agent.policy.hidden=[8]", "quiet=true")
CASES = {
    "grid": ("env=squared", "env.envs=12", "agent.ppo.total_agent_steps=6000", "evaluation.training_episodes=20",
             "evaluation.deterministic=false", "evaluation.episodes=50"),
    "atoms": ("env=atoms/steer", "env.envs=4", "env.settings.horizon=8", "material.structure.atoms=5",
              "agent.ppo.total_agent_steps=2400", "agent.ppo.horizon=9", "evaluation.training_episodes=4",
              "evaluation.episodes=10"),
    "gymnasium": ("env=gymnasium", "env.envs=4", "agent.ppo.total_agent_steps=1500", "evaluation.training_episodes=4",
                  "evaluation.episodes=12"),
    "memory": ("env=squared", "env.envs=8", "agent.ppo.total_agent_steps=3000", "evaluation.training_episodes=8",
               "agent.policy.memory=gru", "agent.policy.memory_size=8", "evaluation.episodes=20"),
    "snakes": ("env=snake", "env.envs=2", "env.settings.snakes=3", "agent.ppo.total_agent_steps=3000",
               "evaluation.training_episodes=2", "evaluation.episodes=6"),
}  # fmt: skip


class Examined(FakeTrainer):
    """Ends one episode an iteration; an evaluation takes 20 agent-steps and gives the score of its iteration."""

    def __init__(self, scores, **options):
        super().__init__([0.0] * len(scores), **options)
        self.found = scores
        self.examined = []

    def iterate(self):
        return {**super().iterate(), "env/episodes": 1.0}

    def examine(self):
        number = int(self.iterations)
        self.examined.append(number)
        return {"evaluation/score": self.found[number - 1]}, 20

    def train(self, folder, steps, share=0.2):
        evaluation = Evaluation(examine=self.examine, score="evaluation/score", episodes=1, share=share)
        train(self, folder, total_agent_steps=steps, evaluation=evaluation, show=ignore)


def test_evaluations_cost_their_share_and_decide_which_checkpoint_is_best(tmp_path):
    scores = [0.0, 5.0, 9.0, 3.0, 8.0, 7.0, 7.0, 7.0, 7.0, 1.0, 9.0, 9.0, 9.0, 9.0, 8.5, 9.0, 2.0]
    trainer = Examined(scores)
    trainer.train(tmp_path, 170)
    # An episode in training takes 10 agent-steps, so the first evaluation may cost as much: 10 of 50. It cost 20, and
    # so will the second: 40 of 200 are never reached. The last iteration is examined whatever it costs.
    assert trainer.examined == [5, 17]
    assert load_checkpoint(best_checkpoint(tmp_path))[0]["iterations"] == 5
    assert [row["evaluation/score"] for row in rows(tmp_path) if row["evaluation/score"]] == ["8.0", "2.0"]
    assert float(rows(tmp_path)[4]["time/evaluation"]) >= 0


def test_a_first_evaluation_takes_the_place_of_training_scores(tmp_path):
    trainer = Examined([-5.0] * 30)
    trainer.scores = [1.0] * SCORE_WINDOW + [2.0] * 20
    trainer.train(tmp_path, 120, share=0.05)  # never: 10 of 120 would be too much
    assert trainer.examined == []
    assert load_checkpoint(best_checkpoint(tmp_path))[0]["iterations"] == 12
    trainer.train(tmp_path, 300, share=0.05)
    assert trainer.examined == [20, 30]
    assert load_checkpoint(best_checkpoint(tmp_path))[0]["iterations"] == 20


def test_an_interrupted_run_makes_the_evaluations_of_an_uninterrupted_one(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for folder in (whole, parts):
        folder.mkdir()
    trainer = Examined([float(number % 7) for number in range(60)])
    trainer.train(whole, 600)

    def ask(number):
        if number in (8, 9, 30):
            (parts / "EXIT").touch()

    examined = []
    for _ in range(3):
        part = Examined(trainer.found, on_iteration=ask)
        with pytest.raises(Interrupted):
            part.train(parts, 600)
        examined += part.examined
    part = Examined(trainer.found)
    part.train(parts, 600)
    assert examined + part.examined == trainer.examined == [5, *range(20, 60, 10), 60]
    for which in (best_checkpoint, last_checkpoint):
        (one, meta), (other, expected) = load_checkpoint(which(parts)), load_checkpoint(which(whole))
        assert one == other
        meta["progress"]["seconds"] = expected["progress"]["seconds"]
        assert meta == expected


@pytest.mark.parametrize("case", CASES)
def test_evaluate_reproduces_the_figures_of_training_exactly(tmp_path, case):
    config = load([*COMMON, *CASES[case], f"output={tmp_path / 'run'}"])
    with RunFolder.create(config, "train") as run:
        train_run(config, run)
    job.evaluate(config, run)
    with (run.path / "metrics.csv").open(newline="") as file:
        evaluated = [row for row in csv.DictReader(file) if row.get("evaluation/stochastic/score")]
    assert len(evaluated) >= 2
    mode = "deterministic" if config.evaluation.deterministic else "stochastic"
    best = max(evaluated, key=lambda row: float(row[f"evaluation/{mode}/score"]))
    again = json.loads((run.path / "evaluation.json").read_text())
    for way in ("deterministic", "stochastic"):
        found = again[way]["while_training"]
        assert {f"evaluation/{way}/{name}": value for name, value in found.items()} == {
            name: float(value) for name, value in best.items() if name.startswith(f"evaluation/{way}/")
        }
        assert again[way]["figures"]["episodes"] > found["episodes"]
    assert again["deterministic"]["figures"] != again["stochastic"]["figures"]
    assert again["score"] == again[mode]["figures"]["score"]
    if case == "atoms":
        in_training, in_evaluations = (
            sum(float(row[f"{name}/evaluations"] or 0) * float(row[f"{name}/episodes"] or 0) for row in table)
            for name, table in (("env", rows(run.path)), ("evaluation/deterministic", evaluated))
        )
        assert training_evaluations(run.path) > in_training + in_evaluations > in_training > 0


def test_training_is_the_same_bit_for_bit_with_evaluations_and_without(tmp_path):
    states = []
    for share in (0.0, 1.0):
        folder = tmp_path / str(share)
        config = load([*COMMON, *CASES["grid"], f"evaluation.training_share={share}", f"output={folder}"])
        with RunFolder.create(config, "train") as run:
            train_run(config, run)
        states.append(load_checkpoint(last_checkpoint(folder))[0])
        assert any("evaluation" in name for name in rows(folder)[-1]) == bool(share)
    without, examined = states
    assert all(torch.equal(tensor, examined[name]) for name, tensor in without.items())


def test_spread_and_figures_by_hand():
    config = load([*COMMON, *CASES["grid"]])
    with open_vector(config) as vector:
        policy = make_policy(config, vector)
    flight = flights(config, policy, episodes=50)["stochastic"]
    assert len(flight.values) == 60  # rounded up to the same number in each of 12 environments
    assert training_rounds(config) == 2
    for index, name in enumerate(flight.names):
        values = flight.values[:, index]
        assert flight.figures[name] == pytest.approx(values.mean())
        assert flight.spread[name] == pytest.approx(values.std())
    few = replace(config, evaluation=replace(config.evaluation, episodes=3))
    assert training_rounds(few) == 1  # never more than afterwards
