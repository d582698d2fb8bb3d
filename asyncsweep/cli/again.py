"""What has to be given again by --env when a sweep goes on, as words of the command that the user is told."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Mapping

from asyncsweep.worker.secrets import is_secret_variable


def env_again(env: Mapping[str, str], asked: Collection[str]) -> str:
    """Such as " --env API_KEY=... --env MODE=fast": a secret's value is left to the user.

    Args:
        env: Variables that no record has.
        asked: Those that are taken from the environment when they are not given; what it has is left out.
    """
    words = [
        f"{shlex.quote(name)}=..." if is_secret_variable(name) else shlex.quote(f"{name}={value}")
        for name, value in env.items()
        if not (name in asked and os.environ.get(name) == value)
    ]
    return "".join(f" --env {word}" for word in words)
