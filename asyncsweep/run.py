"""A running sweep: watched, steered, waited for."""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from asyncsweep import checks, logs, settings
from asyncsweep.core import effects as ef
from asyncsweep.core.events import (
    Enqueued,
    ExternalAsked,
    Failed,
    Finished,
    Paused,
    Pruned,
    StopRequested,
    TrialCancelled,
    Unpaused,
)
from asyncsweep.core.machine import Phase
from asyncsweep.core.records import ErrorInfo, State, TrialRecord
from asyncsweep.core.resources import refusal
from asyncsweep.driver.driver import Driver
from asyncsweep.driver.plan import Plan
from asyncsweep.driver.session import session
from asyncsweep.driver.updates import Watcher
from asyncsweep.errors import AsyncSweepError, ConfigError, PluginError, TooManyFailures, TrialError
from asyncsweep.result import Result
from asyncsweep.worker.loading import refuse_while_loading
from asyncsweep.worker.outcome import metrics_of
from asyncsweep.worker.secrets import redacted

log = logging.getLogger("asyncsweep")


class SweepRun:
    """A sweep that runs while its `async with` block is entered; made by `Sweep.start()`.

    Leaving the block normally waits for the end of the sweep; leaving it by an exception, or by cancellation, stops the
    trials at once and leaves nothing behind.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._session: AbstractAsyncContextManager[None] | None = None
        self._driver_or_none: Driver | None = None
        self._from_start: Watcher | None = None
        self._has_other_slots = False

    async def __aenter__(self) -> SweepRun:
        if self._session is not None:
            raise ConfigError("this run was started already: each `async with` needs a start() of its own")
        refuse_while_loading()
        self._session = session(self._plan, self._on_ready, self._on_batch)
        await self._session.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> bool | None:
        assert self._session is not None
        try:
            return await self._session.__aexit__(*exc)
        finally:
            if self._driver_or_none is not None and self._driver_or_none.finish is not None:
                for source, error in self._plan.registry.finished(self.snapshot()):
                    log.error("the plugin %s failed in asyncsweep_finished: %s", source, redacted(repr(error)))

    def _repr_html_(self) -> str | None:
        """What a notebook shows; None before the sweep has started."""
        if self._driver_or_none is None:
            return None
        from asyncsweep.result_html import run_html  # for notebooks alone

        return run_html(self)

    # -- watching -----------------------------------------------------------------------------------------------------

    @property
    def trials(self) -> Sequence[TrialRecord]:
        """Every trial so far by its number; the records change while the sweep runs, so only read them."""
        return tuple(self._driver.machine.trials)

    @property
    def counts(self) -> dict[State, int]:
        """How many trials are in each state."""
        return dict(self._driver.machine.life.counts)

    @property
    def best(self) -> TrialRecord | None:
        """The best COMPLETE trial; None before the first, and with several directions."""
        return self._driver.machine.best

    @property
    def n_trials(self) -> int | None:
        """How many trials there will be; None for no limit."""
        return self._plan.spec.n_trials

    @property
    def concurrency(self) -> int:
        """How many trials run at a time; how many slots there are now, where that was left out, or slots were changed."""
        if self._driver_or_none is None:
            return self._plan.spec.concurrency or 1
        machine = self._driver.machine
        return max(1, machine.life.slots.n_slots) if self._has_other_slots else machine.concurrency

    @property
    def executors(self) -> tuple[str, ...]:
        """The names of the executors."""
        return self._driver.crew.names

    @property
    def is_over(self) -> bool:
        """True once the sweep has ended."""
        return self._driver.is_over

    @property
    def is_paused(self) -> bool:
        """True between `pause` and `unpause`, also when another process paused the sweep and this one resumed it."""
        return self._driver.machine.paused

    @property
    def is_stopping(self) -> bool:
        """True from a stop on, when no more trials begin, until the sweep has ended."""
        return self._driver.machine.phase is Phase.STOPPING

    @property
    def directory(self) -> Path | None:
        """Where the journal and the logs are; None for a sweep in memory."""
        return self._plan.directory

    def updates(self) -> AsyncIterator[ef.Update]:
        """What happens, in order, until the sweep has ended: the first call from the start on, others from then on.

        The buffer holds 10,000 updates. A consumer that falls behind misses some and gets `UpdatesSkipped(count)`; the
        sweep never waits for it.
        """
        watcher, self._from_start = self._from_start or self._driver.watchers.add(), None
        return watcher

    async def log(
        self, number: int, attempt: int | None = None, *, offset: int = 0, limit_bytes: int = logs.PIECE_BYTES
    ) -> logs.Log:
        """A piece of what a trial printed to stdout and stderr, also while it runs; without secrets, see the docs.

        Args:
            number: The trial.
            attempt: From 1; None is the current or last one.
            offset: Where to begin, in bytes printed; negative: so many before the end. Go on with `next_offset`.
            limit_bytes: The most bytes to read, up to 1 MiB.

        Raises:
            ConfigError: There is no such trial or attempt, or the sweep is in memory, where nothing is kept.
            OSError: The log cannot be read.
        """
        trial = self._known(number)
        if self.directory is None:
            raise ConfigError("log(): a sweep in memory keeps no output; give Sweep(directory=...)")
        logs.check_offset(offset)
        checks.count("limit_bytes", limit_bytes, least=1, most=2**20)
        if attempt is None:
            attempt = trial.attempt
        elif checks.count("attempt", attempt, least=1) > trial.attempt:
            raise ConfigError(f"attempt={attempt}: trial {number} has had {trial.attempt}")
        return await logs.read(self._driver.executor, self.directory, trial, attempt, offset, limit_bytes)

    def snapshot(self) -> Result:
        """The trials as they are now; what happens later changes nothing of it."""
        trials = [trial if trial.is_final else trial.copied() for trial in self._driver.machine.trials]
        return Result(self._plan.spec, trials, self._driver.finish.reason if self._driver.finish else "")

    async def result(self) -> Result:
        """Wait for the end of the sweep.

        Raises:
            TooManyFailures: More than `max_failures` trials failed.
            ConfigError: The objective cannot be loaded in a worker.
            PluginError: The sampler or executor broke.
            JournalError: The journal cannot be written.
        """
        await self._driver.ended.wait()
        result = self.snapshot()
        fault = self._driver.fault
        if fault is not None:
            if isinstance(fault, PluginError) and fault.result is None:
                fault.result = result
            raise fault
        finish = self._driver.finish
        if finish is not None and finish.error is not None:
            raise _fault_of(finish.error, result)
        return result

    # -- steering -----------------------------------------------------------------------------------------------------

    def stop(self, reason: str = "stopped", *, now: bool = False) -> None:
        """Start no more trials; with `now` also end the running ones, which become CANCELLED.

        Raises:
            ConfigError: `reason` is no text of at most 10,000 characters, or `now` is neither True nor False.
        """
        self._driver.post(StopRequested(checks.text("reason", reason), checks.flag("now", now)))

    def pause(self) -> None:
        """Start no more trials until `unpause`; running ones go on."""
        self._driver.post(Paused())

    def unpause(self) -> None:
        """Start trials again."""
        self._driver.post(Unpaused())

    def cancel_trial(self, number: int) -> None:
        """End one trial, running or not; it becomes CANCELLED. Nothing happens to one that is final.

        Raises:
            ConfigError: There is no such trial.
        """
        self._known(number)
        self._driver.post(TrialCancelled(number))

    def enqueue(self, params: Mapping[str, Any]) -> None:
        """Have these parameters tried next; the sampler fills in what is missing. See also `Sweep(enqueue=...)`.

        Raises:
            ConfigError: A name is not in the space (an empty one takes any), a value is not in its domain, or the sweep takes
                no more trials: as many as `n_trials` have begun, are enqueued, or were fetched ahead.
        """
        checked = self._plan.space.wanted(params)
        machine, limit = self._driver.machine, self.n_trials
        waiting = len(machine.trials) + len(machine.life.enqueued)
        if not machine.may_ask or self._driver.is_over or (limit is not None and waiting >= limit):
            raise ConfigError("enqueue(): the sweep takes no more trials (n_trials reached, stopped, or ended)")
        self._driver.post(Enqueued(checked))

    async def add_executor(self, executor: Any) -> str:
        """Have trials run there, too, from now on until the sweep ends; gives the executor's name.

        Args:
            executor: As for `Sweep(executor=...)`; not a list.

        Raises:
            ConfigError: It cannot be used, or the sweep has ended.
            PluginError: Its code is broken.
        """
        if settings.members_of(executor) is not None:
            raise ConfigError("add_executor(): expected one executor; add several one by one")
        made = settings.make("executor", executor, self._plan.registry)
        name = settings.spec_of("executor", executor).name
        self._plan.objective.check_executor(name, made)
        refused = refusal(self._plan.spec.needs, {name: made})
        if refused is not None:
            raise ConfigError(f"add_executor(): {refused}")
        name = await self._driver.add_executor(name, made)
        self._has_other_slots = True
        return name

    async def resize(self, executor: str, slots: int) -> None:
        """Have an executor offer so many slots from now on. With fewer, what runs there goes on.

        Args:
            executor: Its name, one of `executors`.
            slots: A whole number >= 1.

        Raises:
            ConfigError: There is no such executor, it cannot change its slots, or the sweep has ended.
        """
        checks.count("slots", slots, least=1, most=checks.MOST_CONCURRENT)
        if self._driver.is_over:
            raise ConfigError("resize(): the sweep has ended")
        self._driver.crew.resize(executor, slots)
        self._has_other_slots = True

    async def ask(self) -> TrialRecord:
        """Take a trial to evaluate elsewhere; it counts towards `n_trials` and holds no slot.

        When waiting for it is cancelled, the trial is CANCELLED: nobody would tell it.

        Raises:
            ConfigError: The sweep takes no more trials.
        """
        machine = self._driver.machine
        if self._plan.spec.reproducible:
            raise ConfigError("ask(): a sweep with `reproducible` runs its trials itself; leave `reproducible` out")
        if not machine.may_ask or self._driver.is_over:
            raise ConfigError("ask(): the sweep takes no more trials (n_trials reached, stopped, or ended)")
        number = len(machine.trials)
        watcher = self._driver.watchers.add()
        self._driver.post(ExternalAsked())
        # It is shown when it is in the journal; there are no updates any more once the sweep has ended.
        try:
            while number < len(machine.trials) and (batch := await watcher.take()):
                if (
                    any(_settles(update, number) for update in batch)
                    and machine.trials[number].state is not State.WAITING
                ):
                    break
        except BaseException:
            self._driver.post(TrialCancelled(number))
            raise
        if number >= len(machine.trials) or machine.trials[number].state is not State.RUNNING:
            raise ConfigError("ask(): the sweep takes no more trials (the sampler has none, or it was stopped)")
        return machine.trials[number]

    def tell(self, trial: TrialRecord | int, value: Any = None, *, state: State | str | None = None) -> None:
        """Finish a trial taken with `ask`.

        Args:
            trial: The trial or its number.
            value: A number, a tuple in the order of the directions, or metric names with numbers.
            state: Left out, or COMPLETE; PRUNED or FAILED without a value.

        Raises:
            ConfigError: It is no such trial, it is final already, or value and state do not fit.
        """
        record = self._known(trial.number if isinstance(trial, TrialRecord) else trial)
        number = record.number
        if not record.external or record.state is not State.RUNNING:
            raise ConfigError(
                f"tell(): trial {number} was not taken with ask(), or is final already ({record.state.value})"
            )
        state = _told_state(state)
        if state is State.COMPLETE:
            try:
                metrics = metrics_of(value, tuple(self._plan.spec.directions))
            except TrialError as error:
                raise ConfigError(f"tell(): {error}") from error
            missing = [name for name in self._plan.spec.directions if name not in metrics]
            if missing:
                raise ConfigError(f"tell(): value={value!r} lacks the metric {missing[0]!r}")
            self._driver.post(Finished(number, record.attempt, metrics))
        elif value is not None:
            raise ConfigError(
                f"tell(): state={state.value} with value={value!r}: give PRUNED and FAILED without a value"
            )
        elif state is State.PRUNED:
            self._driver.post(Pruned(number, record.attempt))
        else:
            self._driver.post(Failed(number, record.attempt, ErrorInfo("TrialError", "told as FAILED")))

    # -- inside -------------------------------------------------------------------------------------------------------

    @property
    def _driver(self) -> Driver:
        if self._driver_or_none is None:
            raise ConfigError("the sweep has not started: use `async with sweep.start() as run`")
        return self._driver_or_none

    def _on_ready(self, driver: Driver) -> None:
        self._driver_or_none = driver
        self._from_start = driver.watchers.add()

    def _known(self, number: Any) -> TrialRecord:
        trials = self._driver.machine.trials
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(trials):
            raise ConfigError(f"there is no trial {number!r}; the sweep has {len(trials)}")
        return trials[number]

    def _on_batch(self, updates: Sequence[ef.Update]) -> None:
        """See what the driver shows, before anybody else's task does."""
        stop_when = self._plan.stop_when
        if stop_when is not None and not self.is_over and any(isinstance(u, ef.TrialFinished) for u in updates):
            try:
                answer = stop_when(self)
                if inspect.isawaitable(answer):
                    raise TypeError("it returned a coroutine; it must be a plain function")
                enough = bool(answer)
            except Exception as error:
                raise PluginError(f"stop_when raised {type(error).__name__}: {error}", self.snapshot()) from error
            if enough:
                self.stop("stop_when", now=True)


def _settles(update: ef.Update, number: int) -> bool:
    """Whether an update tells what became of a trial that waited for its parameters, or was among those that were missed."""
    if isinstance(update, ef.TrialStarted | ef.TrialFinished | ef.TrialDropped):
        return update.trial == number
    return isinstance(update, ef.UpdatesSkipped)


def _told_state(state: Any) -> State:
    if state is None:
        return State.COMPLETE
    if state not in (State.COMPLETE, State.PRUNED, State.FAILED):
        raise ConfigError(f"tell(): state={state!r}: expected COMPLETE, PRUNED or FAILED, or None for COMPLETE")
    return State(state)


def _fault_of(error: ErrorInfo, result: Result) -> AsyncSweepError:
    """The exception that a sweep ends with."""
    if error.type == "TooManyFailures":
        return TooManyFailures(error.message, result)
    if error.type == "ConfigError":
        return ConfigError(error.message)
    text = f"{error}\n{error.traceback}" if error.traceback else str(error)
    if not result.trials:
        return ConfigError(f"no trial could start: {text}")
    return PluginError(text, result)
