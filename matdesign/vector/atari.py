"""Atari games of the Arcade Learning Environment with the field's standard preprocessing."""

from typing import Any

import gymnasium
from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation

from matdesign.errors import InputError

FRAMES = 4


def atari(game: str, screen_size: int = 84, **settings: Any) -> gymnasium.Env[Any, Any]:
    """An Atari game as Machado et al. 2018 (doi:10.1613/jair.5699) and Mnih et al. 2015 prepare it.

    Up to 30 no-ops at the start, each action for 4 frames, the maximum of the last two of them, grey, 84 x 84, and the
    last 4 such pictures: uint8 [4, 84, 84]. Rewards are the game's own, and a life lost ends nothing.

    Args:
        game: such as "ALE/Pong-v5"; its actions are repeated with probability 0.25 unless
            `repeat_action_probability` says otherwise.
        screen_size: edge of the pictures; 42 takes a sixth of the computing time.
        settings: of the game itself.

    Raises:
        InputError: ale-py or OpenCV is not installed, or has no such game.
    """
    try:
        import ale_py

        gymnasium.register_envs(ale_py)
        env = gymnasium.make(game, frameskip=1, disable_env_checker=True, **settings)
        return FrameStackObservation(AtariPreprocessing(env, screen_size=screen_size), FRAMES)
    except (ImportError, gymnasium.error.Error) as error:
        raise InputError(
            f"cannot make {game!r} ({error}): install matdesign[atari], take names such as ALE/Pong-v5"
        ) from error
