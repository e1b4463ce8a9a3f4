"""raylib, which is an extra, loaded without a word; or a word on how to get it."""

import logging

from matdesign.errors import InputError

logging.getLogger("raylib").setLevel(logging.CRITICAL)  # it announces itself
try:
    from raylib import ffi, rl
except ImportError as missing:
    raise InputError(
        f"a window needs raylib ({missing}): pip install 'matdesign[window]', or view in a browser, without window=true"
    ) from missing

__all__ = ["ffi", "rl"]
