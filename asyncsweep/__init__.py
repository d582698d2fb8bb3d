"""Hyperparameter sweeps that live inside an event loop.

    import asyncsweep as sw

    result = await sw.Sweep(objective, space={"lr": sw.Float(1e-5, 1e-1, log=True)}, n_trials=100).run()

The public names are resolved when they are first used, so that `import asyncsweep` in a worker or in a script on
another host imports no more than the worker needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what type checkers see of `_MODULES`; a test holds the two together
    import asyncsweep.viewer as viewer  # noqa: F401 - a module, and so not in `__all__`
    from asyncsweep.core.effects import (
        PluginFailed,
        SweepFinished,
        SweepPaused,
        SweepStopping,
        SweepUnpaused,
        TrialDropped,
        TrialFinished,
        TrialReported,
        TrialRetried,
        TrialStarted,
        TrialSuggested,
        TrialUsage,
        Update,
        UpdatesSkipped,
    )
    from asyncsweep.core.records import Retry, State, TrialRecord
    from asyncsweep.errors import (
        AsyncSweepError,
        ConfigError,
        CpuTimeLimitExceeded,
        DeviceLost,
        InvalidTransition,
        JournalError,
        MemoryLimitExceeded,
        PluginError,
        ProgramFailed,
        SpaceExhausted,
        TooManyFailures,
        TrialError,
        TrialPruned,
        TrialTimeout,
        WorkerLost,
    )
    from asyncsweep.exporters.threaded import ThreadedExporter
    from asyncsweep.history import History
    from asyncsweep.hooks import hookimpl
    from asyncsweep.hooks.contracts import (
        Executor,
        Exporter,
        FinishedTrial,
        Pruner,
        Sampler,
        SweepInfo,
        TrialRef,
        VerdictSteps,
    )
    from asyncsweep.result import Result
    from asyncsweep.run import SweepRun
    from asyncsweep.settings import executor, pruner, sampler
    from asyncsweep.space import Categorical, Domain, Float, Int, Space
    from asyncsweep.steering.server import control
    from asyncsweep.sweep import Sweep
    from asyncsweep.viewer.client import connect
    from asyncsweep.viewer.serving import serve
    from asyncsweep.worker import current_trial, finish, report
    from asyncsweep.worker.command import Command
    from asyncsweep.worker.script import Script
    from asyncsweep.worker.trial import Trial

__version__ = "0.1.0"

__all__ = [
    "AsyncSweepError",
    "Categorical",
    "Command",
    "ConfigError",
    "CpuTimeLimitExceeded",
    "DeviceLost",
    "Domain",
    "Executor",
    "Exporter",
    "FinishedTrial",
    "Float",
    "History",
    "Int",
    "InvalidTransition",
    "JournalError",
    "MemoryLimitExceeded",
    "PluginError",
    "PluginFailed",
    "ProgramFailed",
    "Pruner",
    "Result",
    "Retry",
    "Sampler",
    "Script",
    "Space",
    "SpaceExhausted",
    "State",
    "Sweep",
    "SweepFinished",
    "SweepInfo",
    "SweepPaused",
    "SweepRun",
    "SweepStopping",
    "SweepUnpaused",
    "ThreadedExporter",
    "TooManyFailures",
    "Trial",
    "TrialDropped",
    "TrialError",
    "TrialFinished",
    "TrialPruned",
    "TrialRecord",
    "TrialRef",
    "TrialReported",
    "TrialRetried",
    "TrialStarted",
    "TrialSuggested",
    "TrialTimeout",
    "TrialUsage",
    "Update",
    "UpdatesSkipped",
    "VerdictSteps",
    "WorkerLost",
    "__version__",
    "connect",
    "control",
    "current_trial",
    "executor",
    "finish",
    "hookimpl",
    "pruner",
    "report",
    "sampler",
    "serve",
]

_MODULES = {
    "AsyncSweepError": "errors",
    "Categorical": "space",
    "Command": "worker.command",
    "ConfigError": "errors",
    "CpuTimeLimitExceeded": "errors",
    "DeviceLost": "errors",
    "Domain": "space",
    "Executor": "hooks.contracts",
    "Exporter": "hooks.contracts",
    "FinishedTrial": "hooks.contracts",
    "Float": "space",
    "History": "history",
    "Int": "space",
    "InvalidTransition": "errors",
    "JournalError": "errors",
    "MemoryLimitExceeded": "errors",
    "PluginError": "errors",
    "PluginFailed": "core.effects",
    "ProgramFailed": "errors",
    "Pruner": "hooks.contracts",
    "Result": "result",
    "Retry": "core.records",
    "Sampler": "hooks.contracts",
    "Script": "worker.script",
    "Space": "space",
    "SpaceExhausted": "errors",
    "State": "core.records",
    "Sweep": "sweep",
    "SweepFinished": "core.effects",
    "SweepInfo": "hooks.contracts",
    "SweepPaused": "core.effects",
    "SweepRun": "run",
    "SweepStopping": "core.effects",
    "SweepUnpaused": "core.effects",
    "ThreadedExporter": "exporters.threaded",
    "TooManyFailures": "errors",
    "Trial": "worker.trial",
    "TrialDropped": "core.effects",
    "TrialError": "errors",
    "TrialFinished": "core.effects",
    "TrialPruned": "errors",
    "TrialRecord": "core.records",
    "TrialRef": "hooks.contracts",
    "TrialReported": "core.effects",
    "TrialRetried": "core.effects",
    "TrialStarted": "core.effects",
    "TrialSuggested": "core.effects",
    "TrialTimeout": "errors",
    "TrialUsage": "core.effects",
    "Update": "core.effects",
    "UpdatesSkipped": "core.effects",
    "VerdictSteps": "hooks.contracts",
    "WorkerLost": "errors",
    "connect": "viewer.client",
    "control": "steering.server",
    "current_trial": "worker",
    "executor": "settings",
    "finish": "worker",
    "hookimpl": "hooks",
    "pruner": "settings",
    "report": "worker",
    "sampler": "settings",
    "serve": "viewer.serving",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "viewer":  # `sw.viewer.asgi`
        return import_module(f"{__name__}.viewer")
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
