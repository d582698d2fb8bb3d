"""Upkeep: what stays of final trials' logs, checkpoints and artifacts, as `keep` says.

    "all"     everything
    "failed"  those of FAILED trials
    "best"    those of FAILED trials and of the best one; with several directions, of the front

Those of trials that are not final always stay. A trial's files go when it is final, or when it is no longer best; what an earlier
process left goes at the beginning, and what could not be deleted at once, at the end. Only records decide that are in the
journal: updates come after the write, and at the end nothing is deleted when the journal is broken. With `reproducible` a
trial may be dropped until all before it are final; only then it counts. A dropped trial's files always go, before its number
is used again: a checkpoint or artifact must not be taken for another trial's.

Deciding and deleting is done in threads, by one call at a time. What cannot be deleted is logged, and never fails a sweep. A
disk may not answer, so the end waits for the threads with a limit. Those that are left then delete nothing more, but for the one
file that the system is at: another process may have the directory by then.
"""

from __future__ import annotations

import logging
import os
import secrets
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from asyncsweep.core.effects import TrialFinished, Update, UpdatesSkipped
from asyncsweep.core.records import State, SweepSpec, TrialRecord
from asyncsweep.driver import leftovers
from asyncsweep.driver.driver import Driver
from asyncsweep.driver.plan import Plan
from asyncsweep.driver.removal import Stopped, remove_tree, remove_trial
from asyncsweep.driver.updates import Watcher
from asyncsweep.errors import ConfigError
from asyncsweep.worker.folders import ARTIFACTS, CHECKPOINT, numbers_in

# How long the end of a sweep may wait for the last deletions.
UPKEEP_GRACE_S = 10.0

_BUFFERED = 1_000

log = logging.getLogger("asyncsweep")


@asynccontextmanager
async def trial_folders(plan: Plan, driver: Driver) -> AsyncIterator[str]:
    """The folder of the trials' folders, looked after while the context is entered: before an attempt begins.

    Raises:
        ConfigError: There are checkpoints or artifacts that trials would take for their own, and they cannot be deleted, or must
            not be.
    """
    thread = anyio.CapacityLimiter(1)
    began = {trial.number for trial in driver.machine.trials if trial.attempt}
    folders = await anyio.to_thread.run_sync(_prepared, plan, began, limiter=thread)
    if plan.is_resumed and plan.directory is not None:
        attempts = leftovers.cut_short(driver.machine.trials)
        await anyio.to_thread.run_sync(leftovers.collect, plan.directory, attempts, limiter=thread)
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
        try:
            with anyio.move_on_after(UPKEEP_GRACE_S, shield=True) as grace:
                if plan.directory is None:
                    await keeper.in_thread(thread, keeper.clear)
                elif driver.fault is None:
                    await keeper.in_thread(thread, keeper.tidy, finals.all(), len(driver.machine.trials))
                else:
                    keeper.stop.set()
                    await keeper.in_thread(thread, keeper.settle)
            if grace.cancelled_caught:
                keeper.complain("files", f"it takes longer than {UPKEEP_GRACE_S} s; what is left is in {folders}")
        finally:
            keeper.stop.set()


async def _follow(
    keeper: Keeper,
    finals: _Finals,
    earlier: Sequence[TrialRecord],
    watcher: Watcher,
    thread: anyio.CapacityLimiter,
) -> None:
    """Delete what is not kept, as trials end. What an earlier process left is the first."""
    await keeper.in_thread(thread, keeper.tidy, earlier, None)
    while batch := await watcher.take():
        found = finals.among(batch)
        if found:
            await keeper.in_thread(thread, keeper.take, found)


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
    """Deletes what a sweep's policy does not keep. Every method may be called in any thread; they take turns.

    Args:
        folders: The folder of the trials' folders.
        spec: Of the sweep.

    Attributes:
        stop: Once it is set nothing more is deleted.
    """

    def __init__(self, folders: Path, spec: SweepSpec) -> None:
        self._folders = folders
        self._keep = spec.keep
        self._signs = tuple(1.0 if direction == "minimize" else -1.0 for direction in spec.directions.values())
        self._front: dict[int, tuple[float, ...]] = {}
        self._complained: set[str] = set()
        self._turn = threading.Lock()  # a call whose task was cancelled goes on, beside the next one
        self.stop = threading.Event()

    async def in_thread(self, thread: anyio.CapacityLimiter, call: Callable[..., None], *args: Any) -> None:
        """Have a thread of ours call one of the methods below. A disk that never answers is not waited for at the end."""
        try:
            await anyio.to_thread.run_sync(call, *args, limiter=thread, abandon_on_cancel=True)
        except Exception as error:  # there is no thread to be had
            self.complain("files", error)

    def take(self, trials: Iterable[TrialRecord]) -> None:
        """These are final; some may have been given before."""
        with self._in_turn():
            for trial in trials:
                for number in self._losers(trial):
                    self._remove(number)

    def tidy(self, trials: Sequence[TrialRecord], n_trials: int | None) -> None:
        """Delete whatever is there and not kept: of these final trials and, if it is known, from number `n_trials` on."""
        with self._in_turn():
            lost = set()
            if self._keep != "all":
                for trial in trials:
                    lost.update(self._losers(trial))
            for number in numbers_in(self._folders):
                if number in lost or (n_trials is not None and number >= n_trials):
                    self._remove(number)

    def clear(self) -> None:
        """Delete all of it."""
        with self._in_turn():
            remove_tree(self._folders, self.stop)

    def settle(self) -> None:
        """Return when the call that is at it has returned."""
        with self._turn:
            pass

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Alone, until it is stopped. What fails is logged here, where it is also seen if nobody waits for the call any more."""
        with self._turn:
            try:
                yield
            except Stopped:
                return
            except Exception as error:  # upkeep is not worth a sweep
                self.complain("files", error)

    def complain(self, what: str, error: object) -> None:
        """Log that something could not be deleted, once for each such thing."""
        if what not in self._complained:
            self._complained.add(what)
            log.warning("keep=%r: %s cannot be deleted: %s", self._keep, what, error)

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
            remove_trial(self._folders, number, self.stop)
        except Stopped:
            raise
        except Exception as error:  # whatever a disk can raise: the others have their turn
            self.complain(f"files of trial {number}", error)


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
    if folders.is_symlink():
        raise ConfigError(
            f"directory={str(plan.directory)!r}: its folder 'trials' is a symbolic link, which is never followed: nothing could "
            "be kept there; remove the link"
        )
    try:
        numbers = numbers_in(folders)
    except OSError as error:
        raise ConfigError(f"directory={str(plan.directory)!r}: {folders} cannot be read: {error}") from error
    for number in numbers:
        mine = (folders / str(number) / name for name in (CHECKPOINT, ARTIFACTS))
        left = next(filter(os.path.lexists, mine), None)
        if number in began or left is None:
            continue
        if not plan.is_resumed:
            raise ConfigError(
                f"directory={str(plan.directory)!r}: {left} is of another sweep, and the new trial {number} would take it for "
                "its own; delete it, or name another directory"
            )
        try:
            remove_trial(folders, number)
        except Exception as error:  # of a disk, or of folders in one another, deeper than the interpreter goes
            raise ConfigError(
                f"directory={str(plan.directory)!r}: {left} is of a trial that is not known any more, and cannot be deleted: "
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
