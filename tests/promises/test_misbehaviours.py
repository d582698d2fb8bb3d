"""Promise R23: whatever somebody else's code does, its trial is harmed at most, or the sweep ends with a clear error.

Each hook with each of six misbehaviours. Whatever came of it, the journal is whole, and a sweep whose parts behave goes on from
it to its end. What single faults lead to in particular is in `tests/driver/test_broken_parts.py` and
`tests/search/test_what_others_give.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

import asyncsweep as sw
from asyncsweep.driver.replay import replay
from asyncsweep.journal import journal as journals
from asyncsweep.journal.writer import NAME
from tests.promises.misbehaviours import AT_CALL, MISBEHAVIOURS, PLACES, Exit, Misbehaving, part

SPACE = {"x": sw.Float(0.0, 1.0)}
N_TRIALS = 8
HOSTED = [place for place in PLACES if place.startswith(("sampler", "pruner"))]
BEHAVED: dict[str, Any] = {
    "sampler": "random", "pruner": None, "executor": "inline", "exporters": (), "plugins": (), "stop_when": None,
}  # fmt: skip

pytestmark = [
    # An order to exit ends the loop at once; what it had begun a moment before is never awaited.
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


async def objective(trial: Any) -> float:
    y = await trial.suggest_float_async("y", 0.0, 1.0)
    for step in range(4):
        trial.report(trial.params["x"] + y + step, step)
        if await trial.should_prune_async():
            raise sw.TrialPruned
    return float(trial.params["x"])


async def hangs(trial: Any) -> float:
    """Every second trial has to be ended by force."""
    if trial.number % 2:
        await anyio.sleep_forever()
    return await objective(trial)


async def run(place: str, misbehaving: Misbehaving, host: str, directory: Path) -> sw.Result:
    settings: dict[str, Any] = {
        "sampler": "random",
        "pruner": "median",
        "n_trials": N_TRIALS,
        "concurrency": 2,
        "seed": 1,
    }
    settings |= part(place, misbehaving, host)
    if place == "executor.kill":
        settings["trial_timeout"] = 0.05
    with anyio.fail_after(30):
        return await sw.Sweep(
            hangs if place == "executor.kill" else objective, SPACE, directory=directory, grace_s=1.0, **settings
        ).run()


async def go_on(directory: Path) -> sw.Result:
    with anyio.fail_after(30):
        if not (directory / NAME).exists():  # it was refused before its first trial
            return await sw.Sweep(objective, SPACE, n_trials=N_TRIALS, directory=directory, **BEHAVED).run()
        return await sw.Sweep.resume(directory, objective, n_trials=N_TRIALS, trial_timeout=None, **BEHAVED)


def final(trials: Any) -> dict[int, Any]:
    return {t.number: (t.state, t.params, t.metrics, list(t.reports)) for t in trials if t.is_final}


def check(place: str, how: str, host: str, directory: Path) -> None:
    misbehaving = Misbehaving(how)
    result = None
    try:
        result = anyio.run(run, place, misbehaving, host, directory)
    except Exit:
        assert how == "exits"
    except sw.PluginError:  # any other error fails the test
        assert how in ("raises", "gives garbage", "spoils its argument", "exits")
    assert misbehaving.calls >= AT_CALL or host != "inline"  # a host has a copy
    if result is not None:
        harmed = [t for t in result.trials if t.error is not None and t.error.type != "TrialTimeout"]
        assert len(harmed) <= 1, [str(trial.error) for trial in harmed]
        cancelled = result.counts[sw.State.CANCELLED]
        assert not cancelled or (place, how) == ("stop_when", "gives garbage")
        if how in ("blocks", "gives nothing") and place not in ("sampler.ask", "sampler.suggest"):
            assert harmed == []
    before = final(replay(journals.read(directory).events, "journal").trials) if (directory / NAME).exists() else {}
    after = anyio.run(go_on, directory)
    assert len(after.trials) == N_TRIALS
    assert {number: trial for number, trial in final(after.trials).items() if number in before} == before
    assert len(final(after.trials)) == N_TRIALS


@pytest.mark.parametrize("how", MISBEHAVIOURS)
@pytest.mark.parametrize("place", PLACES)
def test_a_part_that_misbehaves_harms_a_trial_at_most_and_never_the_journal(
    place: str, how: str, tmp_path: Path
) -> None:
    check(place, how, "inline", tmp_path / "sweep")


@pytest.mark.deep
@pytest.mark.parametrize("host", ["thread", "process"])
@pytest.mark.parametrize("how", MISBEHAVIOURS)
@pytest.mark.parametrize("place", HOSTED)
def test_a_part_that_misbehaves_in_its_host_harms_a_trial_at_most_and_never_the_journal(
    place: str, how: str, host: str, tmp_path: Path
) -> None:
    check(place, how, host, tmp_path / "sweep")
