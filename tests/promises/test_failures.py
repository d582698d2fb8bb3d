"""Promise R27: failed trials never stall a sweep."""

from __future__ import annotations

import random
from typing import Any

import anyio
import anyio.lowlevel
import pytest

import asyncsweep as sw

pytestmark = pytest.mark.anyio

N_TRIALS = 20
SPACE = {"x": sw.Float(0.0, 1.0)}


class Failing:
    """Fails in so many of a hundred calls, by chance, and keeps what it did: how each attempt of each trial ended."""

    def __init__(self, rate: int) -> None:
        self._rate, self._dice = rate, random.Random(rate)
        self.did: dict[int, list[bool]] = {}

    async def __call__(self, trial: Any) -> float:
        for _ in range(self._dice.randrange(3)):
            await anyio.lowlevel.checkpoint()
        fails = self._dice.randrange(100) < self._rate
        self.did.setdefault(trial.number, []).append(not fails)
        if fails:
            raise self._dice.choice((ValueError, OSError, AssertionError))("by chance")
        return float(trial.params["x"])


@pytest.mark.parametrize("rates", [range(first, 101, 10) for first in range(1, 11)], ids=lambda rates: f"{rates[0]}")
async def test_a_sweep_ends_with_right_counts_whatever_share_of_its_attempts_fails(rates: range) -> None:
    for rate in rates:
        times, objective = rate % 4, Failing(rate)
        sweep = sw.Sweep(
            objective.__call__, SPACE, sampler="random", n_trials=N_TRIALS, concurrency=3, retries=times, seed=rate
        )
        with anyio.fail_after(30):
            result = await sweep.run()
        assert (result.reason, len(result.trials)) == ("n_trials reached", N_TRIALS)
        for trial in result.trials:
            ends = objective.did[trial.number]
            assert trial.state is (sw.State.COMPLETE if ends[-1] else sw.State.FAILED)
            # Tried again after each failure, as often as it may be, and not once it was complete.
            assert ends == [False] * (len(ends) - 1) + [ends[-1]]
            assert len(ends) == times + 1 or ends[-1]
            assert (trial.attempt, len(trial.failures)) == (len(ends), len(ends) - 1)
        n_complete = sum(ends[-1] for ends in objective.did.values())
        assert (result.counts[sw.State.COMPLETE], result.counts[sw.State.FAILED]) == (n_complete, N_TRIALS - n_complete)
        assert rate < 100 or n_complete == 0


async def test_a_sweep_whose_every_attempt_fails_ends_where_backoff_is_asked_for() -> None:
    objective = Failing(100)
    retries = sw.Retry(times=2, backoff_s=(0.001, 0.002))
    sweep = sw.Sweep(objective.__call__, SPACE, sampler="random", n_trials=9, concurrency=3, retries=retries)
    with anyio.fail_after(30):
        result = await sweep.run()
    assert result.counts[sw.State.FAILED] == 9
    assert [len(ends) for ends in objective.did.values()] == [3] * 9
