"""The executors that ship, registered as everybody's are."""

from __future__ import annotations

from asyncsweep.hooks.specs import hookimpl


@hookimpl
def asyncsweep_executors() -> dict[str, str]:
    """Named by path, so that nothing is imported before somebody asks for it."""
    return {
        "inline": "asyncsweep.executors.inline:InlineExecutor",
        "thread": "asyncsweep.executors.thread:ThreadExecutor",
        "process": "asyncsweep.executors.process:ProcessExecutor",
        "gpu": "asyncsweep.executors.gpu:GpuExecutor",
    }
