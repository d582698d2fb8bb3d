"""For authors of plugins and for our own tests: builders, a manual clock, fakes, test suites; and sweeps in virtual time.

Names are looked up when they are first used. The suites need pytest, and the modules beside them do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncsweep.testing.executors import ExecutorSuite
    from asyncsweep.testing.pruners import PrunerSuite
    from asyncsweep.testing.samplers import SamplerSuite
    from asyncsweep.testing.simulation.faults import Faults
    from asyncsweep.testing.simulation.report import Report, SimulationFailed
    from asyncsweep.testing.simulation.simulation import Simulation
    from asyncsweep.testing.simulation.tables import Curve
    from asyncsweep.testing.simulation.tabulated import Simulated, simulate

__all__ = [
    "Curve",
    "ExecutorSuite",
    "Faults",
    "PrunerSuite",
    "Report",
    "SamplerSuite",
    "Simulated",
    "Simulation",
    "SimulationFailed",
    "simulate",
]

_SUITES = {"ExecutorSuite": "executors", "PrunerSuite": "pruners", "SamplerSuite": "samplers"}
_MODULES = {
    **_SUITES,
    "Curve": "simulation.tables",
    "Faults": "simulation.faults",
    "Report": "simulation.report",
    "Simulated": "simulation.tabulated",
    "Simulation": "simulation.simulation",
    "SimulationFailed": "simulation.report",
    "simulate": "simulation.tabulated",
}


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    path = f"{__name__}.{module}"
    if name in _SUITES:
        import pytest

        pytest.register_assert_rewrite(path)  # else a failed assertion in a suite would not show its values
    return getattr(import_module(path), name)
