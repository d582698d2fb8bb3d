"""The option `pass_env`: which environment variables workers get besides those that every child gets, and hints at missing ones."""

from __future__ import annotations

import os
import reprlib

import msgspec

from asyncsweep.core.records import ErrorInfo
from asyncsweep.errors import ConfigError
from asyncsweep.link.environment import missed
from asyncsweep.worker.secrets import redacted


def names_of(pass_env: object) -> tuple[str, ...]:
    """The option as a tuple of names; `*` in one stands for anything.

    Raises:
        ConfigError: It is something else.
    """
    if isinstance(pass_env, str):
        raise ConfigError(f"executor.pass_env={pass_env!r}: it must be a list of names, such as [{pass_env!r}]")
    if not isinstance(pass_env, list | tuple):
        raise ConfigError(
            f"executor.pass_env={reprlib.repr(pass_env)}: it must be a list of names of environment variables"
        )
    for name in pass_env:
        if not isinstance(name, str) or not name or "=" in name or "\0" in name:
            # What is behind the "=" may be a secret.
            shown = f"{name.partition('=')[0]}=..." if isinstance(name, str) and "=" in name else name
            raise ConfigError(
                f"executor.pass_env: {shown!r} is no name of an environment variable; give the name alone, its value is taken "
                "from this process"
            )
    return tuple(pass_env)


def explained(error: ErrorInfo, pass_env: tuple[str, ...]) -> ErrorInfo:
    """The error of a worker, without the secrets of this process, and with a hint at a variable that it may have missed."""
    message, traceback = redacted(error.message), redacted(error.traceback)
    names = missed(f"{error.type}: {message}", traceback, os.environ, pass_env)
    if names:
        option = {"name": "process", "pass_env": [*pass_env, *names]}
        is_one = len(names) == 1
        message += (
            f"; the variable{'' if is_one else 's'} {' and '.join(map(repr, names))} {'is' if is_one else 'are'} set in this "
            f"process and {'is' if is_one else 'are'} not passed on: executor={option!r} (on the command line "
            f"{' '.join(f'--pass-env {name}' for name in names)})"
        )
    if (message, traceback) == (error.message, error.traceback):
        return error
    return msgspec.structs.replace(error, message=message, traceback=traceback)
