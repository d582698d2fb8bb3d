"""The life of one run: everything that must be open while the driver works, opened in order and closed in reverse.

The journal comes first, so that nothing happens that is not on disk; then the sampler host and the executor, whose child
processes start side by side. Leaving by an exception of the body is not shown to the task group, which would wrap it.
"""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.abc
import anyio.to_thread
from msgspec.structs import replace

from asyncsweep.core.effects import PluginFailed, TrialFinished, Update
from asyncsweep.core.events import Adopted, Enqueued, Reopened, SweepOpened
from asyncsweep.core.invariants import Watch
from asyncsweep.core.machine import Machine
from asyncsweep.core.records import State, SweepSpec, TrialRecord
from asyncsweep.core.resources import refusal
from asyncsweep.driver.crew import Crew
from asyncsweep.driver.driver import Driver
from asyncsweep.driver.in_use import claimed
from asyncsweep.driver.objective import pickled
from asyncsweep.driver.plan import INLINE, Plan
from asyncsweep.driver.replay import earlier_one, new_one
from asyncsweep.driver.search import Answerer, OnLoop, Search, WithFirst
from asyncsweep.driver.syncing import keep_synced
from asyncsweep.driver.updates import Watcher
from asyncsweep.driver.upkeep import trial_folders
from asyncsweep.errors import AsyncSweepError, ConfigError, PluginError
from asyncsweep.hooks.contracts import Exporter, Setup, SweepInfo, VerdictSteps
from asyncsweep.journal.writer import Journal
from asyncsweep.samplers.random import RandomSampler
from asyncsweep.search.desk import Desk
from asyncsweep.search.hosted import Parts, SamplerHost
from asyncsweep.search.parts import Setting, desk_of
from asyncsweep.search.rest import Rest
from asyncsweep.worker.outcome import describe
from asyncsweep.worker.secrets import redacted

# How long an exporter may take to open: a large library is imported on a busy machine, or a server has to wake up.
EXPORT_OPEN_S = 60.0

# How long exporters may take to write what is left when the sweep has ended.
EXPORT_GRACE_S = 10.0

# After so many attempts that were cut short a trial is worth a word.
_MANY_INTERRUPTIONS = 3

# How many trials run at a time where nobody said, as far as a sampler's host need know: from more asks on it hurries.
_MANY = 8

# So many share one write of the journal.
_ADOPTED_AT_A_TIME = 16

# Set to anything, it has the invariants of the state machine watched, event by event.
DEBUG = "ASYNCSWEEP_DEBUG"

# What nobody may swallow in favour of a fault.
_ORDERS = (SystemExit, KeyboardInterrupt)

log = logging.getLogger("asyncsweep")


@asynccontextmanager
async def session(
    plan: Plan, on_ready: Callable[[Driver], None], on_batch: Callable[[Sequence[Update]], None]
) -> AsyncIterator[None]:
    """Run a sweep while the context is entered; leaving it normally waits for the end.

    Args:
        plan: What to run.
        on_ready: Gets the driver before anything happens.
        on_batch: Gets every batch of updates.
    """
    sampler = plan.sampler if plan.sampler_host == INLINE else None
    pruner = plan.pruner if plan.pruner_host == INLINE else None
    # The members of a crew are claimed where they are opened.
    executor = None if isinstance(plan.executor, Crew) else plan.executor
    with claimed(executor=executor, sampler=sampler, pruner=pruner):
        async with _driven(plan, on_ready, on_batch):
            yield


@asynccontextmanager
async def _driven(
    plan: Plan, on_ready: Callable[[Driver], None], on_batch: Callable[[Sequence[Update]], None]
) -> AsyncIterator[None]:
    """The same, when nobody else uses the plan's objects."""
    remote = getattr(plan.executor, "remote", True)
    metrics = tuple(plan.spec.directions)
    objective = plan.objective.packed(metrics, remote=remote)
    call = plan.objective.here() if getattr(plan.executor, "local", not remote) else None
    watch = Watch(Machine()) if os.environ.get(DEBUG) else None
    journal, machine = await _open_journal(plan, watch)
    failure: BaseException | None = None
    fsync = plan.spec.fsync
    if journal is not None and fsync == "never":
        journal.never_synced()
    driver: Driver = Driver(
        machine,
        journal,
        lambda updates: _show(plan, driver, updates, on_batch),
        watch,
        waits_for_sync=journal is not None and fsync == "always",
    )
    on_ready(driver)
    try:
        async with anyio.create_task_group() as tasks:
            try:
                async with (
                    _search(plan, driver, tasks) as verdicts,
                    _exporting(plan, driver),
                    trial_folders(plan, driver) as folders,
                ):
                    spec = plan.spec
                    setup = Setup(
                        *(call, objective, _slots(spec, machine), verdicts, plan.directory, spec.grace_s, folders),
                        needs=spec.needs,
                    )
                    crew = driver.crew = _crew(plan)
                    crew.set_up(lambda member: _setup_of(member, plan, setup))
                    if journal is not None:
                        tasks.start_soon(keep_synced, driver, journal, fsync)
                    tasks.start_soon(driver.timers.run)
                    driver.executor = plan.executor
                    if plan.is_resumed:
                        await driver.search.retell(spec.reproducible)
                        _warn_of_deadly(machine)
                        driver.post(Reopened(spec))
                    else:
                        await _begin(plan, driver)
                    async with _executing(plan.executor, crew, setup, driver):
                        try:
                            await driver.search.opened()
                            yield
                            await driver.ended.wait()
                        except Exception as error:
                            failure = error
                        finally:
                            driver.close()
            except Exception as error:  # a part could not be opened
                failure = failure or _first(error)
            finally:
                driver.close()
                tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        found = _first(group)
        failure = found if failure is None or isinstance(found, _ORDERS) else failure
    finally:
        driver.watchers.close()  # nothing more happens to a sweep that was broken off, either
        if journal is not None:
            await _close_journal(plan, driver, journal, failure)
    failure = failure or driver.fault
    if failure is not None:
        raise failure


def _warn_of_deadly(machine: Machine) -> None:
    """A trial that was cut short again and again may be what ends the process, with executors that run it there."""
    for trial in machine.trials:
        n_interrupted = trial.attempt - len(trial.failures)
        if not trial.is_final and trial.worker is not None and n_interrupted >= _MANY_INTERRUPTIONS:
            log.warning(
                "trial %d ran when the process ended, %d times by now, and is tried again; if it is the cause, cancel it by "
                "run.cancel_trial(%d), or resume with retries=Retry(interrupted='fail')",
                *(trial.number, n_interrupted, trial.number),
            )


async def _begin(plan: Plan, driver: Driver) -> None:
    """The first events: the settings, what the user wants tried first, and the trials of earlier searches, a few at a time."""
    driver.post(SweepOpened(plan.spec), *map(Enqueued, plan.enqueued))
    rest = Rest()
    for start in range(0, len(plan.history), _ADOPTED_AT_A_TIME):
        driver.post(*map(Adopted, plan.history[start : start + _ADOPTED_AT_A_TIME]))
        if rest.is_due:
            await rest.take()


async def _open_journal(plan: Plan, watch: Watch | None) -> tuple[Journal | None, Machine]:
    machine = Machine() if watch is None else watch.machine
    if plan.directory is None:
        return None, machine
    if not plan.is_resumed:
        return await new_one(plan.directory, machine).opened()
    return await earlier_one(plan.directory, watch).opened()


async def _close_journal(plan: Plan, driver: Driver, journal: Journal, failure: BaseException | None) -> None:
    """Let go of the journal; one of a sweep that failed before its first trial vanishes, so that it can be tried again."""
    failed = (
        failure is not None
        or driver.fault is not None
        or (driver.finish is not None and driver.finish.error is not None)
    )
    if failed and not plan.is_resumed and not any(map(_has_begun, driver.machine.trials)):
        journal.discard()
        return
    try:
        if driver.fault is None:
            journal.commit()
        if driver.fault is None and plan.spec.fsync == "never":
            journal.look()
        elif driver.fault is None:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(journal.sync, limiter=anyio.CapacityLimiter(1))
    finally:
        journal.close()


def _has_begun(trial: TrialRecord) -> bool:
    """Whether a trial ran; one that waits for its next attempt has not started that one."""
    return trial.is_final or trial.started_at > 0 or trial.attempt > 1 or bool(trial.failures)


@asynccontextmanager
async def _search(plan: Plan, driver: Driver, tasks: anyio.abc.TaskGroup) -> AsyncIterator[VerdictSteps | None]:
    """The sampler and the pruner, each in its place; gives the steps at which verdicts are possible."""
    spec, machine = plan.spec, driver.machine
    setting = Setting(plan.space, spec.directions, spec.seed, spec.reproducible)
    places = [plan.sampler_host] if plan.pruner is None else [plan.sampler_host, plan.pruner_host]
    answerers: dict[str, Answerer] = {}
    hosts = []
    for place in dict.fromkeys(places):
        sampler = plan.sampler if place == plan.sampler_host else None
        pruner = plan.pruner if place == plan.pruner_host else None
        if place == INLINE:
            desk = _desk(setting, sampler, pruner)
            answerers[place] = OnLoop(desk, sampler is not None, machine.trials, driver.post)
        else:
            parts = Parts(_packed("sampler", sampler), _packed("pruner", pruner), place)
            host = SamplerHost(
                *(
                    parts,
                    setting,
                    spec.concurrency or _MANY,
                    machine.history,
                    machine.trials,
                    driver.post,
                    driver.break_off,
                )
            )
            answerers[place] = _with_first(host, plan, setting, driver) if sampler is not None else host
            hosts.append(host)
            tasks.start_soon(host.keep)
    pruning = None if plan.pruner is None else answerers[plan.pruner_host]
    driver.search = Search(answerers[plan.sampler_host], pruning, machine.history, machine.trials)
    try:
        yield None if pruning is None else await pruning.opened()
    finally:
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as closing:
                for host in hosts:
                    closing.start_soon(host.close)


def _with_first(host: SamplerHost, plan: Plan, setting: Setting, driver: Driver) -> Answerer:
    if not plan.n_first:
        return host
    sampler = RandomSampler()
    sampler.open(setting.space, setting.directions, setting.seed)
    return WithFirst(host, Desk(setting.space, sampler, None, 0), plan.n_first, driver.post)


def _desk(setting: Setting, sampler: Any, pruner: Any) -> Desk:
    """A desk on the loop.

    Raises:
        ConfigError: The sampler or pruner refuses an option, the space, or the directions.
        PluginError: It raises something else.
    """
    make = None
    if pruner is not None:  # with a window each running trial has a pruner, and every one starts as the given one was
        make = (lambda: copy.deepcopy(pruner)) if setting.window else (lambda: pruner)
    try:
        return desk_of(setting, sampler, make)
    except ConfigError:
        raise
    except Exception as error:
        what = "sampler" if pruner is None else "pruner" if sampler is None else "sampler or pruner"
        raise PluginError(f"the {what} cannot be opened: {type(error).__name__}: {error}") from error


def _packed(what: str, part: Any) -> bytes | None:
    return None if part is None else pickled(what, part)


def _crew(plan: Plan) -> Crew:
    """The crew of a run: its executor, or a place for those that may be added to it."""
    if isinstance(plan.executor, Crew):
        return plan.executor
    return Crew(first=plan.executor, first_name=plan.spec.executor.name)


def _setup_of(member: Any, plan: Plan, setup: Setup) -> Setup:
    """What one executor is told: the objective for this process, or for another one."""
    if hasattr(member, "set_needs"):
        member.set_needs(setup.needs)
    if not getattr(member, "remote", True):
        return setup if setup.call is not None else replace(setup, call=plan.objective.here())
    metrics = setup.objective.metrics
    is_packed = setup.objective.target or setup.objective.pickled
    objective = setup.objective if is_packed else plan.objective.packed(metrics, remote=True)
    return replace(setup, call=None, objective=objective)


def _slots(spec: SweepSpec, machine: Machine) -> int:
    """How many trials can run at a time: no more than there are left to run."""
    if spec.n_trials is None or not spec.concurrency:
        return spec.concurrency
    left = spec.n_trials - sum(trial.is_final for trial in machine.trials)
    return max(1, min(spec.concurrency, left))


def _check_needs(setup: Setup, executors: Mapping[str, Any]) -> None:
    """Refuse needs that none of the executors can meet, now that they are open and know what they have."""
    refused = refusal(setup.needs, executors)
    if refused is not None:
        raise ConfigError(refused)


@asynccontextmanager
async def _executing(executor: Any, crew: Crew, setup: Setup, driver: Driver) -> AsyncIterator[None]:
    """The executor, open. Whatever it raises in its own code is a `PluginError`; the body lets no `Exception` through."""
    try:
        async with crew.open(setup, driver):
            if executor is crew:
                _check_needs(setup, crew.members)
                yield
            else:
                async with executor.open(crew.setup_for(executor), crew.door):
                    _check_needs(setup, dict.fromkeys(crew.names, executor))
                    yield
    except Exception as error:
        cause = _first(error)
        if isinstance(cause, AsyncSweepError):
            raise cause from None
        raise PluginError(f"the executor {executor!r} failed: {type(cause).__name__}: {cause}") from error


@asynccontextmanager
async def _exporting(plan: Plan, driver: Driver) -> AsyncIterator[None]:
    """Each exporter in a task of its own, with its own buffer.

    One that cannot be opened ends the sweep before its first trial; one that raises later is reported and left out.
    """
    if not plan.exporters:
        yield
        return
    async with anyio.create_task_group() as tasks:
        for exporter in plan.exporters:
            try:
                if hasattr(exporter, "begin"):
                    exporter.begin(_info(plan, driver))
                with anyio.move_on_after(EXPORT_OPEN_S) as limit:
                    await tasks.start(_export, exporter, driver.watchers.add())
            except ConfigError:
                raise
            except Exception as error:
                raise PluginError(f"the exporter {type(exporter).__name__} cannot be opened: {error!r}") from error
            if limit.cancelled_caught:
                raise PluginError(
                    f"the exporter {type(exporter).__name__} cannot be opened: it took longer than {EXPORT_OPEN_S:g} s"
                )
        try:
            yield
        finally:
            driver.watchers.close()
            tasks.cancel_scope.deadline = anyio.current_time() + EXPORT_GRACE_S


def _info(plan: Plan, driver: Driver) -> SweepInfo:
    return SweepInfo(
        name="sweep" if plan.directory is None else plan.directory.name,
        directory=plan.directory,
        space=plan.space,
        directions=dict(plan.spec.directions),
        objective=plan.spec.objective,
        trials=lambda: driver.machine.trials,
    )


async def _export(exporter: Exporter, watcher: Watcher, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    is_open = False
    try:
        async with exporter:
            is_open = True
            task_status.started()
            while batch := await watcher.take():
                await exporter.export(batch)
    except Exception as error:  # somebody else's code: the sweep goes on without it
        if not is_open:
            raise
        trace = describe(error, first_frame_is_ours=False)[2]  # without secrets, as `exc_info` would not be
        log.error("the exporter %s failed and gets no more updates\n%s", type(exporter).__name__, trace)


def _show(plan: Plan, driver: Driver, updates: Sequence[Update], on_batch: Callable[[Sequence[Update]], None]) -> None:
    """What everybody sees of a batch of updates."""
    if PluginFailed in map(type, updates):  # of all updates there are, one in thousands
        for update in updates:
            if isinstance(update, PluginFailed):
                _log_fault(update)
    if log.isEnabledFor(logging.INFO):
        for update in updates:
            if isinstance(update, TrialFinished):
                log.info("%s", line_of(driver.machine.trials[update.trial], driver.machine.best))
    if plan.registry.listens:
        for source, error in plan.registry.on_updates(tuple(updates)):  # nobody empties it for the next
            log.error("the plugin %s failed in asyncsweep_on_updates: %s", source, redacted(repr(error)))
    on_batch(updates)


def _log_fault(update: PluginFailed) -> None:
    error = update.error
    log.error(
        "%s failed, the sweep goes on: %s%s", update.where, error, f"\n{error.traceback}" if error.traceback else ""
    )


def line_of(trial: TrialRecord, best: TrialRecord | None) -> str:
    """What the log says of a final trial, in the words that users of Optuna know."""
    if trial.state is State.PRUNED:
        return f"Trial {trial.number} pruned."
    if trial.state is State.FAILED:
        return f"Trial {trial.number} failed with {trial.error} and parameters: {trial.params}."
    if trial.state is State.CANCELLED:
        return f"Trial {trial.number} cancelled."
    values = trial.metrics
    value = f"value: {trial.value}" if len(values) == 1 else f"values: {values}"
    line = f"Trial {trial.number} finished with {value} and parameters: {trial.params}."
    return line if best is None else f"{line} Best is trial {best.number} with value: {best.value}."


def _first(error: BaseException) -> BaseException:
    """The first fault of a group: the others came of it, or at the same time. An order to exit goes before all faults."""
    if isinstance(error, BaseExceptionGroup):
        error = error.subgroup(_ORDERS) or error
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
