"""The names that this distribution offers. Nothing behind them is imported before somebody asks for one."""

from __future__ import annotations

from asyncsweep import hookimpl


@hookimpl
def asyncsweep_executors() -> dict[str, str]:
    """The executor `dask`."""
    return {"dask": "asyncsweep_dask.executor:DaskExecutor"}
