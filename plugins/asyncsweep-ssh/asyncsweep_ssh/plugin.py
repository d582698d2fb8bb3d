"""The name that this distribution offers. Nothing behind it is imported before somebody asks for it."""

from __future__ import annotations

from asyncsweep import hookimpl


@hookimpl
def asyncsweep_executors() -> dict[str, str]:
    """The executor `ssh`."""
    return {"ssh": "asyncsweep_ssh.executor:SshExecutor"}
