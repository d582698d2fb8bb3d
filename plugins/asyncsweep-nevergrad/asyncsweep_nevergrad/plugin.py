"""The names that this distribution offers. Nothing behind them is imported before somebody asks for one."""

from __future__ import annotations

from asyncsweep import hookimpl


@hookimpl
def asyncsweep_samplers() -> dict[str, str]:
    """The sampler `nevergrad`."""
    return {"nevergrad": "asyncsweep_nevergrad.sampler:NevergradSampler"}
