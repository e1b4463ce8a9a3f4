"""Trains one of PufferLib's environments, an iteration for every line read; run by PufferLib's own Python.

The argument is JSON: {"name", "settings", "agents", "memory", "horizon", "minibatch", "threads"}. The policy is its
Default one with 128 hidden units, behind it with "memory" its LSTM of 128. For every line read, an iteration's
agent steps, wall-clock seconds of the rollout and of the learning, and CPU seconds of both are written, as JSON.
"""

import contextlib
import io
import json
import sys
import time

import torch

request = json.loads(sys.argv.pop(1))  # PufferLib reads the command line too
torch.set_num_threads(request["threads"])
torch.manual_seed(0)

with contextlib.redirect_stdout(io.StringIO()):  # its dashboard
    from pufferlib import pufferl

    name = f"puffer_{request['name']}"
    settings = pufferl.load_config(name)
    environments = settings["env"] | request["settings"]
    each = min(request["agents"], environments["num_envs"])
    settings["env"] = environments | {"num_envs": each}
    settings["vec"] = {"backend": "Serial", "num_envs": request["agents"] // each, "seed": 0}
    settings["rnn_name"] = settings["rnn_name"] if request["memory"] else None
    settings["train"] |= {
        "device": "cpu",
        "seed": 0,
        "bptt_horizon": request["horizon"],
        "minibatch_size": request["minibatch"],
        "max_minibatch_size": request["minibatch"],
        "use_rnn": request["memory"],
        "total_timesteps": 1_000_000_000,
    }
    environments = pufferl.load_env(name, settings)
    policy = pufferl.load_policy(settings, environments)
    learner = pufferl.PuffeRL(dict(**settings["train"], env=name), environments, policy)
parameters = sum(parameter.numel() for parameter in policy.parameters())
for _ in sys.stdin:
    with contextlib.redirect_stdout(io.StringIO()):
        learner.stats.clear()
        start, cpu, steps = time.perf_counter(), time.process_time(), learner.global_step
        learner.evaluate()
        learning = time.perf_counter()
        learner.train()
        end = time.perf_counter()
        figures = {
            "agent_steps": learner.global_step - steps,
            "rollout": learning - start,
            "learn": end - learning,
            "cpu": time.process_time() - cpu,
            "parameters": parameters,
        }
    print(json.dumps(figures), flush=True)
