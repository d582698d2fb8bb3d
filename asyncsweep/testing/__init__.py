"""For authors of plugins and for our own tests: builders, a manual clock, fakes, test suites.

The suites are looked up when they are first used, because they need pytest and the modules beside them do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncsweep.testing.executors import ExecutorSuite
    from asyncsweep.testing.pruners import PrunerSuite
    from asyncsweep.testing.samplers import SamplerSuite

__all__ = ["ExecutorSuite", "PrunerSuite", "SamplerSuite"]

_MODULES = {"ExecutorSuite": "executors", "PrunerSuite": "pruners", "SamplerSuite": "samplers"}


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    import pytest

    path = f"{__name__}.{module}"
    pytest.register_assert_rewrite(path)  # else a failed assertion in a suite would not show its values
    return getattr(import_module(path), name)
