"""Sweeps over a table of known results, in virtual time: to compare samplers and pruners without waiting.

The sweep is the real one: driver, state machine, sampler and pruner. Only the trials are not run: what they would report
comes from the table, after as many virtual seconds as they would take.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple, cast

from asyncsweep import settings
from asyncsweep.core import events as ev
from asyncsweep.core.effects import AnswerVerdict
from asyncsweep.core.machine import Machine
from asyncsweep.core.records import Direction, SweepSpec
from asyncsweep.driver.clock import Clock
from asyncsweep.driver.driver import Driver
from asyncsweep.driver.search import OnLoop, Search
from asyncsweep.errors import AsyncSweepError, ConfigError, PluginError
from asyncsweep.hooks.contracts import Answer, Executor, Job, JobId
from asyncsweep.result import Result
from asyncsweep.search.desk import Desk
from asyncsweep.search.parts import Setting, desk_of
from asyncsweep.space import Space
from asyncsweep.sweep import Sweep
from asyncsweep.testing.simulation.tables import Known, Missing, Table
from asyncsweep.testing.simulation.world import VirtualTimers, World
from asyncsweep.worker.port import Steps

# A day after the epoch: so that virtual times are exact, and nobody takes them for real ones.
_BEGAN_AT_S = 86_400.0


class Simulated(NamedTuple):
    """A sweep that took place in virtual time.

    Attributes:
        result: What it found, as `Sweep.run` gives it. The trials' times are virtual; subtract `began_at` from them.
        duration_s: How many virtual seconds the whole sweep took.
        busy_s: How many seconds its trials ran, all together: at most `duration_s * concurrency`.
        began_at: The virtual time at which it began, as the trials' times count.
    """

    result: Result
    duration_s: float
    busy_s: float
    began_at: float


def simulate(
    space: Mapping[str, Any] | Space,
    table: Any,
    *,
    direction: str | Mapping[str, Direction] = "minimize",
    sampler: Any = "tpe",
    pruner: Any = None,
    n_trials: int | None = 100,
    concurrency: int = 1,
    timeout: float | None = None,
    target: float | None = None,
    patience: int | None = None,
    seed: int | None = None,
    reproducible: bool | int = False,
    missing: Missing = "nearest",
) -> Simulated:
    """What a sweep with these settings would find, and how long it would take, from results that are known already.

    Nothing waits, so that settings can be compared in a second: a pruner with another, one worker with eight. Samplers and
    pruners answer in this process, and take no virtual time. Call it anywhere; it needs no event loop, and blocks one.

    Args:
        space: As for `Sweep`; not empty.
        table: The known results: a list of dicts or a DataFrame, with one column for each parameter and one for each field
            of a `Curve` (`values`, the learning curve as a list; `step_s`, seconds for each step; `value`, what the trial
            returns), or a function from parameters to a `Curve`.
        direction: As for `Sweep`.
        sampler: As for `Sweep`: any name, Optuna's too, or an object.
        pruner: As for `Sweep`. It is asked at every step at which a verdict is possible, and obeyed.
        n_trials: As for `Sweep`.
        concurrency: How many trials run at a time.
        timeout: Virtual seconds after which the sweep stops.
        target: As for `Sweep`.
        patience: As for `Sweep`.
        seed: As for `Sweep`; the same seed gives the same result.
        reproducible: As for `Sweep`.
        missing: What a trial gets whose parameters are in no row: "nearest", the row with the nearest numbers, each
            measured as a share of its range, in which everything else is equal; or "error".

    Raises:
        ConfigError: An argument or a row is wrong, or a trial's parameters are not in the table.
        PluginError: The sampler or pruner broke.
    """
    sweep = Sweep(
        _tabulated,
        space,
        direction=direction,
        sampler=sampler,
        pruner=pruner,
        executor="inline",
        n_trials=n_trials,
        concurrency=concurrency,
        timeout=timeout,
        target=target,
        patience=patience,
        seed=seed,
        reproducible=reproducible,
    )
    if not len(sweep.space):
        raise ConfigError("space: it is empty; a table needs parameters to look up")
    if n_trials is None and timeout is None:
        raise ConfigError("n_trials=None: give n_trials, or a timeout in virtual seconds")
    known = Table(sweep.space, tuple(sweep.spec.directions), table, missing)
    return _Tabulation(sweep.spec, _desk(sweep), known).run()


async def _tabulated(trial: Any) -> float:
    """Stands for the objective, which is not called."""
    raise NotImplementedError


def _desk(sweep: Sweep) -> Desk:
    """The sampler and the pruner, in this process."""
    spec = sweep.spec
    setting = Setting(sweep.space, spec.directions, spec.seed, spec.reproducible)
    sampler = settings.make("sampler", sweep.sampler, sweep.registry)
    if sweep.pruner is None:
        return desk_of(setting, sampler, None)
    pruner = settings.make("pruner", sweep.pruner, sweep.registry)
    return desk_of(setting, sampler, partial(copy.deepcopy, pruner) if setting.window else lambda: pruner)


class _Tabulation:
    """One sweep; its executor, too."""

    def __init__(self, spec: SweepSpec, desk: Desk, table: Table) -> None:
        self._spec = spec
        self._table = table
        self._world = world = World()
        self._machine = machine = Machine()
        timers = VirtualTimers(world, lambda event: self._driver.post(event))
        clock = Clock(wall=lambda: _BEGAN_AT_S, monotonic=lambda: world.now)
        self._driver = driver = Driver(machine, None, lambda updates: None, clock=clock, timers=timers)
        steps = desk.verdict_steps()
        self._verdicts = None if steps is None else Steps(*steps.parts)
        answerer = OnLoop(desk, True, machine.trials, driver.post)
        pruning = None if steps is None else answerer
        driver.search = Search(answerer, pruning, machine.history, machine.trials)
        driver.executor = cast(Executor, self)  # it is never opened: there is no event loop
        self._running: dict[JobId, _Attempt] = {}
        self._busy_s = 0.0

    def run(self) -> Simulated:
        driver, world = self._driver, self._world
        driver.post(ev.SweepOpened(self._spec))
        driver.post(ev.WorkerJoined("table", self._spec.concurrency))
        while driver.finish is None and driver.fault is None:
            if not world.step():
                raise AssertionError(f"nothing is left to happen: {self._machine.story(ev.Paused())}")
        result = Result(self._spec, self._machine.trials, driver.finish.reason if driver.finish else "")
        fault = driver.fault
        if fault is not None:
            raise fault.__cause__ if isinstance(fault.__cause__, AsyncSweepError) else fault
        assert driver.finish is not None
        if driver.finish.error is not None:
            raise PluginError(str(driver.finish.error), result)
        return Simulated(result, world.now, self._busy_s, _BEGAN_AT_S)

    # -- the executor -----------------------------------------------------------------------------------------------------

    def launch(self, job: Job) -> None:
        key = JobId(job.trial, job.attempt)
        self._running[key] = _Attempt(self._table.find(job.params), self._world.now)
        self._driver.post(ev.Started(*key))
        self._next(key)

    def kill(self, job: JobId, grace_s: float) -> None:
        self._end(job, ev.Killed(*job))

    def answer(self, job: JobId, answer: Answer) -> None:
        attempt = self._running.get(JobId(*job))
        if attempt is None or not isinstance(answer, AnswerVerdict):
            return
        if answer.prune:
            self._end(JobId(*job), ev.Pruned(*job))
        else:
            attempt.asked_step = answer.step
            self._next(JobId(*job))

    # -- trials -----------------------------------------------------------------------------------------------------------

    def _next(self, key: JobId) -> None:
        attempt = self._running[key]
        if attempt.step + 1 < len(attempt.known.pauses_s):
            self._world.after(attempt.known.pauses_s[attempt.step + 1], lambda: self._step(key))
        else:
            self._end(key, ev.Finished(*key, attempt.known.metrics))

    def _step(self, key: JobId) -> None:
        attempt = self._running.get(key)
        if attempt is None:
            return
        attempt.step += 1
        step, values = attempt.step, attempt.known.values
        if not values:
            self._next(key)
            return
        reported = ev.Reported(*key, step, values[step])
        if self._verdicts is not None and self._verdicts.is_due(step, attempt.asked_step):
            self._driver.post(reported, ev.VerdictAsked(*key, step))
        else:
            self._driver.post(reported)
            self._next(key)

    def _end(self, key: JobId, event: ev.Event) -> None:
        attempt = self._running.pop(JobId(*key), None)
        if attempt is not None:
            self._busy_s += self._world.now - attempt.began_s
        self._driver.post(event)


class _Attempt:
    """A trial under way."""

    def __init__(self, known: Known, began_s: float) -> None:
        self.known = known
        self.began_s = began_s
        self.step = -1
        self.asked_step = -1
