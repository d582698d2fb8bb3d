"""The pruners that ship, registered as everybody's are."""

from __future__ import annotations

from asyncsweep.hooks.specs import hookimpl


@hookimpl
def asyncsweep_pruners() -> dict[str, str]:
    """Named by path, so that nothing is imported before somebody asks for it."""
    return {
        "nop": "asyncsweep.pruners.nop:NopPruner",
        "median": "asyncsweep.pruners.percentile:MedianPruner",
        "percentile": "asyncsweep.pruners.percentile:PercentilePruner",
        "asha": "asyncsweep.pruners.asha:AshaPruner",
        "successive_halving": "asyncsweep.pruners.asha:AshaPruner",
        "hyperband": "asyncsweep.pruners.hyperband:HyperbandPruner",
        "threshold": "asyncsweep.pruners.threshold:ThresholdPruner",
        "patient": "asyncsweep.pruners.patient:PatientPruner",
        "nan": "asyncsweep.pruners.nan:NanPruner",
    }
