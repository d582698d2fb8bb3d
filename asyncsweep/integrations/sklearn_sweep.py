"""The sweep of a search: how its data reaches the trials, and on which event loop it runs."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread

from asyncsweep import settings
from asyncsweep.errors import TooManyFailures, TrialError
from asyncsweep.integrations.sklearn_folds import CrossValidation, Task, store
from asyncsweep.result import Result
from asyncsweep.space import Space
from asyncsweep.sweep import Sweep


def goes_by_file(executor: Any) -> bool:
    """Whether trials run in processes of this machine, which can read the data from a file."""
    if executor is None:
        return True
    choice = settings.choose("executor", executor)
    return choice is not None and choice.name == "process"


async def sweep(task: Task, space: Space, chosen: Mapping[str, Any], *, progress: bool) -> Result:
    """Run the sweep of a search.

    Args:
        task: What its trials do.
        space: What it searches.
        chosen: Settings of `Sweep`.
        progress: See `Sweep.run`.

    Raises:
        TrialError: A fit failed, and the task's `error_score` is "raise".
        AsyncSweepError: Whatever `Sweep` and its `run` raise.
        OSError: The data cannot be written to the folder for temporary files.
    """
    if not goes_by_file(chosen["executor"]):
        return await _run_sweep(CrossValidation(task), task, space, chosen, progress)
    limiter = anyio.CapacityLimiter(1)
    folder = await anyio.to_thread.run_sync(partial(tempfile.mkdtemp, prefix="asyncsweep-search-"), limiter=limiter)
    try:
        path = os.path.join(folder, "task")
        await anyio.to_thread.run_sync(store, task, path, limiter=limiter)
        return await _run_sweep(CrossValidation(None, path), task, space, chosen, progress)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(shutil.rmtree, folder, limiter=limiter)


async def _run_sweep(
    objective: CrossValidation, task: Task, space: Space, chosen: Mapping[str, Any], progress: bool
) -> Result:
    raises = task.error_score == "raise"
    options = {"max_failures": 0, **chosen} if raises else dict(chosen)
    try:
        return await Sweep(objective, space, direction="maximize", **options).run(progress=progress)
    except TooManyFailures as error:
        if not raises or not isinstance(error.result, Result):
            raise
        failed = next(trial.error for trial in error.result.trials if trial.error is not None)
        raise TrialError(f"a fit failed, and error_score is 'raise': {failed}\n{failed.traceback}") from error


def run(search: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run a search to its end; in a thread of its own where this one has an event loop already."""
    try:
        anyio.get_current_task()
    except RuntimeError:  # the ordinary case: no loop runs here
        return anyio.run(search)
    with anyio.from_thread.start_blocking_portal() as portal:
        result: Result = portal.call(search)
        return result
