"""Hyperparameter sweeps that live inside an event loop.

    import asyncsweep as sw

    result = await sw.Sweep(objective, space={"lr": sw.Float(1e-5, 1e-1, log=True)}, n_trials=100).run()

The public names are resolved when they are first used, so that `import asyncsweep` in a worker or in a script on
another host imports no more than the worker needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what type checkers see of `_MODULES`; a test holds the two together
    from asyncsweep.core.effects import (
        PluginFailed,
        SweepFinished,
        SweepPaused,
        SweepStopping,
        SweepUnpaused,
        TrialFinished,
        TrialReported,
        TrialRetried,
        TrialStarted,
        TrialSuggested,
        Update,
        UpdatesSkipped,
    )
    from asyncsweep.core.records import State, TrialRecord
    from asyncsweep.errors import (
        AsyncSweepError,
        ConfigError,
        InvalidTransition,
        JournalError,
        PluginError,
        SpaceExhausted,
        TooManyFailures,
        TrialError,
        TrialPruned,
    )
    from asyncsweep.history import History
    from asyncsweep.hooks import hookimpl
    from asyncsweep.result import Result
    from asyncsweep.run import SweepRun
    from asyncsweep.settings import executor, pruner, sampler
    from asyncsweep.space import Categorical, Float, Int, Space
    from asyncsweep.sweep import Sweep
    from asyncsweep.worker import current_trial, report

__version__ = "0.1.0"

__all__ = [
    "AsyncSweepError",
    "Categorical",
    "ConfigError",
    "Float",
    "History",
    "Int",
    "InvalidTransition",
    "JournalError",
    "PluginError",
    "PluginFailed",
    "Result",
    "Space",
    "SpaceExhausted",
    "State",
    "Sweep",
    "SweepFinished",
    "SweepPaused",
    "SweepRun",
    "SweepStopping",
    "SweepUnpaused",
    "TooManyFailures",
    "TrialError",
    "TrialFinished",
    "TrialPruned",
    "TrialRecord",
    "TrialReported",
    "TrialRetried",
    "TrialStarted",
    "TrialSuggested",
    "Update",
    "UpdatesSkipped",
    "__version__",
    "current_trial",
    "executor",
    "hookimpl",
    "pruner",
    "report",
    "sampler",
]

_MODULES = {
    "AsyncSweepError": "errors",
    "Categorical": "space",
    "ConfigError": "errors",
    "Float": "space",
    "History": "history",
    "Int": "space",
    "InvalidTransition": "errors",
    "JournalError": "errors",
    "PluginError": "errors",
    "PluginFailed": "core.effects",
    "Result": "result",
    "Space": "space",
    "SpaceExhausted": "errors",
    "State": "core.records",
    "Sweep": "sweep",
    "SweepFinished": "core.effects",
    "SweepPaused": "core.effects",
    "SweepRun": "run",
    "SweepStopping": "core.effects",
    "SweepUnpaused": "core.effects",
    "TooManyFailures": "errors",
    "TrialError": "errors",
    "TrialFinished": "core.effects",
    "TrialPruned": "errors",
    "TrialRecord": "core.records",
    "TrialReported": "core.effects",
    "TrialRetried": "core.effects",
    "TrialStarted": "core.effects",
    "TrialSuggested": "core.effects",
    "Update": "core.effects",
    "UpdatesSkipped": "core.effects",
    "current_trial": "worker",
    "executor": "settings",
    "hookimpl": "hooks",
    "pruner": "settings",
    "report": "worker",
    "sampler": "settings",
}


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
