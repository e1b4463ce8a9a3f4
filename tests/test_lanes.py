"""Work shared out to threads: order, errors, and training that depends on their number in rounding alone."""

import threading
import time

import pytest
import torch

from matdesign.agents.lanes import Lanes
from matdesign.agents.policies import MLPPolicy
from matdesign.agents.ppo import PPO
from matdesign.agents.ppo_config import PPOConfig
from matdesign.vector import Vector


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_are_in_the_order_of_the_pieces(threads):
    lanes, seen = Lanes(threads), set()

    def slow(piece):
        seen.add(threading.get_ident())
        time.sleep(0.002 * (piece % 3))
        return piece * piece

    assert lanes.run(slow, range(20)) == [n * n for n in range(20)]
    assert 1 <= len(seen) <= threads
    assert threads == 1 or len(seen) > 1
    assert lanes.run(slow, []) == []


@pytest.mark.parametrize("bad", [0, 7])
def test_what_a_piece_raises_is_raised_and_the_threads_live_on(bad):
    lanes = Lanes(3)

    def fragile(piece):
        if piece == bad:
            raise ValueError(f"piece {piece}")
        return piece

    with pytest.raises(ValueError, match=f"piece {bad}"):
        lanes.run(fragile, range(8))
    assert lanes.run(fragile, range(8, 12)) == [8, 9, 10, 11]


@pytest.mark.parametrize("count", [1, 100, 4096, 10_000])
def test_sizes_of_pieces(count):
    size = Lanes(2).size(count, least=64, most=1000)
    assert 64 <= size <= 1000
    assert size == 1000 or size >= count / 2


@pytest.mark.parametrize("options", [{}, {"shared": True, "activation": "gelu"}, {"memory": "lstm"}])
def test_same_seed_same_run_on_several_threads(options):
    """Bit for bit at a fixed number of threads; between numbers, the first rollout and one step but for rounding."""

    def trained(threads, iterations):
        with Vector("cartpole", {}, envs=1200) as vector:
            policy = MLPPolicy(vector.features, vector.action_dims, vector.choices, hidden=(16,), seed=2, **options)
            config = PPOConfig(horizon=4, minibatch=4800, epochs=1, normaliser_iterations=0)
            ppo = PPO(vector, policy, config, threads=threads, seed=5)
            for _ in range(iterations):
                ppo.iterate()
            return torch.cat([parameter.detach().flatten() for parameter in policy.parameters()])

    first = trained(2, 3)
    assert torch.equal(first, trained(2, 3))
    torch.testing.assert_close(trained(1, 1), trained(2, 1), rtol=1e-4, atol=1e-5)
