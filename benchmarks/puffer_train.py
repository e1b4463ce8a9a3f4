"""Trains one of PufferLib's environments; run by PufferLib's own Python.

The argument is JSON: {"name", "seconds", "threshold", "seed"}; sizes and hyperparameters are those that PufferLib ships
for the environment, stepped in this process and on one thread. Stops after the iteration whose episodes have a mean
perf of `threshold`, or after `seconds`. Prints {"agent_steps", "wall", "cpu", "perf"} as JSON: the last iteration's
perf, and seconds of training.
"""

import contextlib
import io
import json
import statistics
import sys
import time

import torch

request = json.loads(sys.argv.pop(1))  # PufferLib reads the command line too
torch.set_num_threads(1)
torch.manual_seed(request["seed"])

with contextlib.redirect_stdout(io.StringIO()):  # its dashboard
    from pufferlib import pufferl

    name = f"puffer_{request['name']}"
    settings = pufferl.load_config(name)
    settings["vec"] = {"backend": "Serial", "num_envs": settings["vec"]["num_envs"], "seed": request["seed"]}
    settings["train"].update(device="cpu", seed=request["seed"])
    environments = pufferl.load_env(name, settings)
    policy = pufferl.load_policy(settings, environments)
    learner = pufferl.PuffeRL(dict(**settings["train"], env=name), environments, policy)
    wall, cpu, perf = time.perf_counter(), time.process_time(), 0.0
    while learner.global_step < settings["train"]["total_timesteps"]:
        learner.stats.clear()
        perf = statistics.fmean(learner.evaluate()["perf"] or [perf])
        learner.train()
        if perf >= request["threshold"] or time.perf_counter() - wall > request["seconds"]:
            break
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(json.dumps({"agent_steps": learner.global_step, "wall": wall, "cpu": cpu, "perf": perf}))
