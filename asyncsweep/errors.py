"""What can go wrong, and whose fault it was.

    AsyncSweepError
    |-- ConfigError          the user's settings; raised before the first trial
    |-- PluginError          someone else's code: a sampler, pruner, executor or exporter
    |-- TrialError           an objective broke the rules; becomes data in the result
    |   |-- ProgramFailed    a program could not be started, or did not end well
    |   |-- TrialTimeout     an attempt ran longer than `trial_timeout`
    |   `-- WorkerLost       the process that ran an attempt is gone
    |       |-- MemoryLimitExceeded   it was ended, because it took more memory than it may
    |       |-- CpuTimeLimitExceeded  it was ended, because it took more processor time than it may
    |       `-- DeviceLost            a GPU that it used is gone
    |-- TrialPruned          not an error: an objective raises it to stop early
    |-- SpaceExhausted       a sampler has no further suggestion
    |-- JournalError         the file on disk (has .path and .offset)
    |-- InvalidTransition    ours: the state machine was told something impossible (has .story)
    `-- TooManyFailures      the sweep passed `max_failures` (has .result)

This module imports the standard library alone and runs on Python 3.10, because workers on other hosts use it.
"""

from __future__ import annotations

from collections.abc import Sequence


class AsyncSweepError(Exception):
    """The root of every exception that asyncsweep raises on purpose."""


class ConfigError(AsyncSweepError, ValueError):
    """A setting is wrong: the message names the argument, the value and what is accepted."""


class PluginError(AsyncSweepError, RuntimeError):
    """A sampler, pruner, executor, exporter or hook failed; the cause is chained.

    Attributes:
        result: The `Result` up to then, when it broke a running sweep; None otherwise.
    """

    def __init__(self, message: str, result: object = None) -> None:
        super().__init__(message)
        self.result = result


class TrialError(AsyncSweepError, ValueError):
    """An objective returned or asked for something that a trial cannot have; where Optuna raises a `ValueError`, as one."""


class ProgramFailed(TrialError):
    """A program could not be started, or ended with another exit code than 0. Known by its name in results, and to `Retry(on=...)`."""


class TrialTimeout(TrialError):
    """An attempt ran longer than `trial_timeout`. Known by its name in results, and to `Retry(on=...)`."""


class WorkerLost(TrialError):
    """The process that ran an attempt is gone. Known by its name in results, and to `Retry(on=...)`."""


class MemoryLimitExceeded(WorkerLost):
    """An attempt took more memory than it may, and its process was ended."""


class CpuTimeLimitExceeded(WorkerLost):
    """An attempt took more processor time than it may, and its process was ended."""


class DeviceLost(WorkerLost):
    """A GPU that an attempt used is gone. The trial is tried again elsewhere, which does not count as a retry."""


class TrialPruned(AsyncSweepError):
    """Raise it inside an objective to end the trial as PRUNED."""


class SpaceExhausted(AsyncSweepError):
    """A sampler raises it from `ask` when every point of the space was suggested."""


class JournalError(AsyncSweepError, OSError):
    """A journal cannot be read or written.

    Attributes:
        path: The journal's path.
        offset: The byte at which the fault lies, or None.
    """

    def __init__(self, message: str, *, path: str = "", offset: int | None = None) -> None:
        super().__init__(message)
        self.path = path
        self.offset = offset


class InvalidTransition(AsyncSweepError, RuntimeError):
    """The machine was given an event that cannot happen in its state; nothing was changed.

    Attributes:
        story: What happened to the trial or sweep so far, oldest first.
    """

    def __init__(self, message: str, story: Sequence[str] = ()) -> None:
        super().__init__("\n  ".join([message, *story]))
        self.story = tuple(story)


class TooManyFailures(AsyncSweepError):
    """More trials failed than `max_failures` allows.

    Attributes:
        result: The `Result` of the sweep up to then.
    """

    def __init__(self, message: str, result: object = None) -> None:
        super().__init__(message)
        self.result = result
