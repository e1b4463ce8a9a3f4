"""Steps one of PufferLib's environments with random actions; run by PufferLib's own Python.

The argument is JSON: {"name", "settings", "envs", "steps", "through"}. For every line read, one is written: agent
steps per second over `steps` steps, through its binding alone ("binding") or through its Python step ("python").
"""

import importlib
import json
import sys
import time

import numpy as np

TAPE = 64  # batches of actions prepared in advance

request = json.loads(sys.argv[1])
module = importlib.import_module(f"pufferlib.ocean.{request['name']}.{request['name']}")
environment = getattr(module, request["name"].capitalize())(num_envs=request["envs"], **request["settings"])
environment.reset(seed=0)
random, shape = np.random.default_rng(0), (TAPE, *environment.actions.shape)
choices = getattr(environment.single_action_space, "n", 0)
tape = random.integers(0, choices, shape) if choices else random.uniform(-1, 1, shape)
tape = tape.astype(environment.actions.dtype)
for _ in sys.stdin:
    seconds = 0.0
    for i in range(request["steps"]):
        actions = tape[i % TAPE]
        if request["through"] == "binding":
            environment.actions[:] = actions
            start = time.perf_counter()
            module.binding.vec_step(environment.c_envs)
        else:
            start = time.perf_counter()
            environment.step(actions)
        seconds += time.perf_counter() - start
    print(request["steps"] * environment.num_agents / seconds, flush=True)
