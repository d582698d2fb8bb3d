"""The names that this distribution offers. Nothing behind them is imported before somebody asks for one."""

from __future__ import annotations

from asyncsweep import hookimpl


@hookimpl
def asyncsweep_executors() -> dict[str, str]:
    """The executor `ray`."""
    return {"ray": "asyncsweep_ray.executor:RayExecutor"}
