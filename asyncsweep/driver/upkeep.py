"""Upkeep: what stays of final trials' logs and checkpoints, as `keep` says.

    "all"     everything
    "failed"  those of FAILED trials
    "best"    those of FAILED trials and of the best one; with several directions, of the front

Those of trials that are not final always stay. A trial's files go when it is final, or when it is no longer best; what an earlier
process left goes at the beginning, and what could not be deleted at once, at the end. Only records decide that are in the
journal: updates come after the write, and at the end nothing is deleted when the journal is broken. With `reproducible` a
trial may be dropped until all before it are final; only then it counts. A dropped trial's files always go, before its number
is used again: a checkpoint must not be taken for another trial's.

Deciding and deleting is done in a thread, by one call at a time. What cannot be deleted is logged, and never fails a sweep.
"""

from __future__ import annotations

import logging
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from asyncsweep.core.effects import TrialFinished, Update, UpdatesSkipped
from asyncsweep.core.records import State, SweepSpec, TrialRecord
from asyncsweep.driver.driver import Driver
from asyncsweep.driver.plan import Plan
from asyncsweep.driver.removal import numbers_in, remove_tree, remove_trial
from asyncsweep.driver.updates import Watcher
from asyncsweep.errors import ConfigError
from asyncsweep.worker.folders import CHECKPOINT

# How long the end of a sweep may wait for the last deletions.
UPKEEP_GRACE_S = 10.0

_BUFFERED = 1_000

log = logging.getLogger("asyncsweep")


@asynccontextmanager
async def trial_folders(plan: Plan, driver: Driver) -> AsyncIterator[str]:
    """The folder of the trials' folders, looked after while the context is entered: before an attempt begins.

    Raises:
        ConfigError: There are checkpoints that trials would take for their own, and they cannot be deleted, or must not be.
    """
    thread = anyio.CapacityLimiter(1)
    began = {trial.number for trial in driver.machine.trials if trial.attempt}
    folders = await anyio.to_thread.run_sync(_prepared, plan, began, limiter=thread)
    keeper = Keeper(folders, plan.spec)
    finals = _Finals(driver, plan.spec.reproducible)
    earlier = finals.all()
    try:
        if plan.spec.keep == "all":
            yield str(folders)
        else:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_follow, keeper, finals, earlier, driver.watchers.add(_BUFFERED), thread)
                try:
                    yield str(folders)
                finally:
                    tasks.cancel_scope.cancel()
    finally:
        with anyio.move_on_after(UPKEEP_GRACE_S, shield=True):
            if plan.directory is None:
                await _in_thread(thread, _remove_all, folders)
            elif driver.fault is None:
                await _in_thread(thread, keeper.tidy, finals.all(), len(driver.machine.trials))


async def _follow(
    keeper: Keeper,
    finals: _Finals,
    earlier: Sequence[TrialRecord],
    watcher: Watcher,
    thread: anyio.CapacityLimiter,
) -> None:
    """Delete what is not kept, as trials end. What an earlier process left is the first."""
    await _in_thread(thread, keeper.tidy, earlier, None)
    while batch := await watcher.take():
        found = finals.among(batch)
        if found:
            await _in_thread(thread, keeper.take, found)


async def _in_thread(thread: anyio.CapacityLimiter, call: Callable[..., None], *args: Any) -> None:
    """Have a thread of ours do it. A disk that never answers is not waited for at the end."""
    await anyio.to_thread.run_sync(call, *args, limiter=thread, abandon_on_cancel=True)


class _Finals:
    """The final trials of a sweep; nobody changes their records any more. Used on the loop."""

    def __init__(self, driver: Driver, window: int) -> None:
        self._driver = driver
        self._window = window

    def all(self) -> list[TrialRecord]:
        """Every one that no stop can drop any more; none when the journal may not have them."""
        if self._driver.fault is not None:
            return []
        trials = self._driver.machine.trials
        if not self._window:
            return [trial for trial in trials if trial.is_final]
        first_open = next((trial.number for trial in trials if not trial.is_final), len(trials))
        return trials[:first_open]

    def among(self, updates: Sequence[Update]) -> list[TrialRecord]:
        """Those that the updates tell of; all of them when that is not known."""
        trials = self._driver.machine.trials
        numbers = [update.trial for update in updates if isinstance(update, TrialFinished)]
        if any(isinstance(update, UpdatesSkipped) for update in updates) or (self._window and numbers):
            return self.all()
        return [trials[number] for number in numbers if number < len(trials)]


class Keeper:
    """Deletes what a sweep's policy does not keep. Every method may be called in a thread, one at a time.

    Args:
        folders: The folder of the trials' folders.
        spec: Of the sweep.
    """

    def __init__(self, folders: Path, spec: SweepSpec) -> None:
        self._folders = folders
        self._keep = spec.keep
        self._signs = tuple(1.0 if direction == "minimize" else -1.0 for direction in spec.directions.values())
        self._front: dict[int, tuple[float, ...]] = {}
        self._complained: set[int] = set()

    def take(self, trials: Iterable[TrialRecord]) -> None:
        """These are final; some may have been given before."""
        for trial in trials:
            for number in self._losers(trial):
                self._remove(number)

    def tidy(self, trials: Sequence[TrialRecord], n_trials: int | None) -> None:
        """Delete whatever is there and not kept: of these final trials and, if it is known, from number `n_trials` on."""
        lost = set()
        if self._keep != "all":
            for trial in trials:
                lost.update(self._losers(trial))
        for number in numbers_in(self._folders):
            if number in lost or (n_trials is not None and number >= n_trials):
                self._remove(number)

    def _losers(self, trial: TrialRecord) -> list[int]:
        """Whose files go now that this trial is final."""
        if self._keep == "all" or trial.state is State.FAILED:
            return []
        width = len(self._signs)
        values = trial.metric_values[:width]
        is_candidate = trial.state is State.COMPLETE and trial.is_feasible and len(values) == width
        if self._keep == "failed" or not is_candidate or any(value != value for value in values):
            return [trial.number]
        point = tuple(sign * value for sign, value in zip(self._signs, values, strict=True))
        return self._added(trial.number, point)

    def _added(self, number: int, point: tuple[float, ...]) -> list[int]:
        """Hold a point against the front; the numbers that are not of it, this one or those that it drove out."""
        if number in self._front:
            return []
        front = self._front
        if any(_beats(other, known, number, point) for other, known in front.items()):
            return [number]
        out = [other for other, known in front.items() if _beats(number, point, other, known)]
        for other in out:
            del front[other]
        front[number] = point
        return out

    def _remove(self, number: int) -> None:
        try:
            remove_trial(self._folders, number)
        except Exception as error:  # whatever a disk can raise: the sweep goes on
            if number not in self._complained:
                self._complained.add(number)
                log.warning("keep=%r: files of trial %d cannot be deleted: %s", self._keep, number, error)


def _beats(one: int, first: tuple[float, ...], other: int, second: tuple[float, ...]) -> bool:
    """Whether the second point is not kept beside the first: of several directions equal points are, of one the earlier."""
    if first == second:
        return len(first) == 1 and one < other
    return all(a <= b for a, b in zip(first, second, strict=True))


def _prepared(plan: Plan, began: set[int]) -> Path:
    """The folder of the trials' folders, without any that a trial which has not begun yet would take for its own."""
    if plan.directory is None:
        return _temporary()
    folders = plan.directory / "trials"
    for number in numbers_in(folders):
        checkpoint = folders / str(number) / CHECKPOINT
        if number in began or not os.path.lexists(checkpoint):
            continue
        if not plan.is_resumed:
            raise ConfigError(
                f"directory={str(plan.directory)!r}: {checkpoint} is of another sweep, and the new trial {number} would go "
                "on from it; delete it, or name another directory"
            )
        try:
            remove_trial(folders, number)
        except OSError as error:
            raise ConfigError(
                f"directory={str(plan.directory)!r}: {checkpoint} is of a trial that is not known any more, and cannot be deleted: "
                f"{error}; delete it"
            ) from error
    return folders


def _temporary() -> Path:
    """A path that nobody can guess, in the system's folder for temporary files."""
    try:
        above = tempfile.gettempdir()
    except OSError:  # there is none: told to the objective that asks for a checkpoint, if one does
        above = os.path.join(os.sep, "tmp")
    return Path(os.path.realpath(above), f"asyncsweep-{secrets.token_hex(16)}")


def _remove_all(folders: Path) -> None:
    try:
        remove_tree(folders)
    except Exception as error:
        log.warning("temporary files of the sweep cannot be deleted: %s", error)
