"""Short trials in processes: the next one waits at its worker, and loses nothing by that."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest

import asyncsweep as sw
from asyncsweep.core.slots import Slots
from asyncsweep.worker.claims import Claims, new_claims

pytestmark = [pytest.mark.anyio, pytest.mark.any_loop]

SETTINGS: dict[str, Any] = {"sampler": "random", "executor": "process", "concurrency": 2, "seed": 1}
LONG_S = 2.0


def one_is_long(trial: sw.Trial) -> float:
    if trial.number == 20:
        time.sleep(LONG_S)
    return 0.0


def one_ends_its_worker(trial: sw.Trial) -> float:
    if trial.number == 20 and trial.attempt == 1:
        time.sleep(0.05)  # so that something waits behind it
        os.kill(os.getpid(), signal.SIGKILL)
    return float(trial.attempt)


def short(trial: sw.Trial) -> float:
    return 0.0


@pytest.fixture
def n_ahead(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with each launch to a busy worker."""
    launches: list[int] = []
    take = Slots.take_ahead

    def counted(self: Slots, attempt: tuple[int, int]) -> str:
        launches.append(attempt[0])
        return take(self, attempt)

    monkeypatch.setattr(Slots, "take_ahead", counted)
    return launches


async def test_short_trials_wait_at_their_worker(n_ahead: list[int]) -> None:
    """All but the first ones; of two that are heard to have ended together, two follow, of which one waits."""
    result = await sw.Sweep(short, {}, n_trials=300, **SETTINGS).run()
    assert {(str(trial.state), trial.attempt) for trial in result.trials} == {("COMPLETE", 1)}
    assert len(n_ahead) > 120


@pytest.mark.parametrize(
    "settings",
    [{"concurrency": 1}, {"reproducible": 2}, {"executor": {"name": "process", "max_trials_per_worker": 50}}],
)
async def test_nothing_waits_where_it_must_not(n_ahead: list[int], settings: dict[str, Any]) -> None:
    await sw.Sweep(short, {"x": sw.Float(0.0, 1.0)}, n_trials=60, **{**SETTINGS, **settings}).run()
    assert n_ahead == []


async def test_no_trial_waits_for_a_long_one_that_runs_at_its_worker(n_ahead: list[int]) -> None:
    result = await sw.Sweep(one_is_long, {}, n_trials=60, **SETTINGS).run()
    long = result.trials[20]
    assert n_ahead and long.duration_s is not None and long.duration_s >= LONG_S
    assert [trial.number for trial in result.trials if trial.finished_at > long.finished_at - LONG_S / 2] == [20]


@pytest.mark.each_loop
async def test_what_waits_at_a_worker_that_is_killed_runs_elsewhere_and_has_not_failed() -> None:
    result = await sw.Sweep(one_ends_its_worker, {}, n_trials=60, retries=1, **SETTINGS).run()
    assert [(trial.number, trial.value) for trial in result.trials if trial.attempt != 1] == [(20, 2.0)]
    assert [len(trial.failures) for trial in result.trials] == [int(trial.number == 20) for trial in result.trials]


@pytest.mark.each_loop
async def test_no_trial_begins_while_the_sweep_is_paused() -> None:
    async with sw.Sweep(short, {}, n_trials=None, **SETTINGS).start() as run:
        for pauses_at in (50, 100, 150):
            async for update in run.updates():
                if isinstance(update, sw.TrialFinished) and update.trial >= pauses_at:
                    break
            run.pause()
            # What was taken back counts as never launched; what could not be had begun already.
            n_begun = sum(trial.attempt > 0 for trial in run.trials)
            while run.counts[sw.State.RUNNING]:
                await anext(aiter(run.updates()))
            assert sum(trial.attempt > 0 for trial in run.trials) == n_begun
            run.unpause()
        run.stop(now=True)


def test_an_attempt_is_either_the_workers_or_the_controllers() -> None:
    """Two processes lock the same byte; the descriptor is shared, as a worker has it."""
    claims = new_claims()
    assert claims is not None
    one, other = claims.places(), claims.places()
    mine, theirs, elsewhere = next(one), next(one), next(other)
    assert claims.take(mine)
    child = os.fork()
    if not child:
        here = Claims(claims.fd)
        os._exit(here.take(mine) * 4 + here.take(theirs) * 2 + here.take(elsewhere))
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 3
    assert claims.take(mine) and claims.take(theirs)  # the dead claim nothing any more
    claims.close()
