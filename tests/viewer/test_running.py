"""A sweep of this process as a viewer's source: what its driver knows, and what it has shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

import asyncsweep as sw
from asyncsweep.core.machine import Phase
from asyncsweep.driver.driver import Due
from asyncsweep.driver.updates import Watcher
from asyncsweep.viewer.running import RunSource
from asyncsweep.viewer.source import Source, Stand

pytestmark = pytest.mark.anyio

SPACE = {"x": sw.Float(0, 1)}


@asynccontextmanager
async def held(**settings: Any) -> AsyncIterator[tuple[sw.SweepRun, anyio.Event]]:
    """A run with two trials under way, and what lets them go."""
    hold = anyio.Event()

    async def objective(x: float) -> float:
        await hold.wait()
        return x

    sweep = sw.Sweep(objective, SPACE, **{"sampler": "random", "n_trials": 4, "concurrency": 2, **settings})
    with anyio.fail_after(30):
        async with sweep.start() as run:
            updates = run.updates()
            while run.counts[sw.State.RUNNING] < 2:
                await anext(updates)
            yield run, hold


async def test_it_looks_at_what_the_run_knows_and_copies_nothing() -> None:
    async with held() as (run, hold):
        source: Source = RunSource(run)
        assert source.trials is run._driver.machine.trials and source.spec is run._plan.spec
        assert (source.name, source.generation, source.problem, source.is_live) == ("sweep", 0, "", True)
        assert source.best is None
        hold.set()
        result = await run.result()
        assert source.best is result.best and len(source.trials) == 4


async def test_it_is_called_like_its_directory_or_as_it_is_told(tmp_path: Path) -> None:
    async with held(directory=tmp_path / "first") as (run, hold):
        assert (RunSource(run).name, RunSource(run, "mine").name) == ("first", "mine")
        hold.set()


async def test_a_run_stands_as_it_was_steered_until_it_has_ended() -> None:
    async with held() as (run, hold):
        source = RunSource(run)
        assert source.stand == Stand("RUNNING")
        run.pause()
        assert source.stand == Stand("PAUSED")
        run.unpause()
        run.stop("enough")
        assert source.stand == Stand("STOPPING", "enough") and source.is_live
        hold.set()
        await run.result()
        assert source.stand == Stand("ENDED", "enough") and not source.is_live
    assert source.stand == Stand("ENDED", "enough")


async def test_the_error_that_ended_a_sweep_is_told() -> None:
    async with held(max_failures=0, concurrency=2) as (run, _):
        source = RunSource(run)
        trial = await run.ask()
        run.tell(trial, state="FAILED")
        with pytest.raises(sw.TooManyFailures):
            await run.result()
        assert source.stand.state == "ENDED" and source.stand.error.startswith("TooManyFailures: ")


async def test_a_fault_of_the_sweep_itself_is_told() -> None:
    async def break_off() -> None:
        async with held() as (run, _):
            sources.append(RunSource(run))
            run._driver.break_off(sw.JournalError("no space left", path="/sweep"))

    sources: list[RunSource] = []
    with pytest.raises(sw.JournalError):
        await break_off()
    assert sources[0].stand == Stand("ENDED", "", "no space left") and not sources[0].is_live


@pytest.mark.parametrize("fsync", ["batch", "always"])
async def test_a_run_that_was_broken_off_is_interrupted_and_its_watchers_are_closed(tmp_path: Path, fsync: str) -> None:
    async def break_off() -> None:
        async with held(directory=tmp_path / "first", fsync=fsync) as (run, _):
            sources.append(RunSource(run))
            watchers.append(sources[0].watch(100))
            raise KeyError

    sources: list[RunSource] = []
    watchers: list[Watcher] = []
    with pytest.raises(KeyError):
        await break_off()
    source, watcher = sources[0], watchers[0]
    assert source.stand == Stand("INTERRUPTED") and not source.is_live
    assert watcher.closed and source.watch(100).closed


async def test_an_end_that_is_not_synced_yet_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stands: list[Stand] = []

    def let_out(due: Due) -> None:
        if run._driver.machine.phase is Phase.FINISHED:
            stands.append(source.stand)
        shown(due)

    async with held(directory=tmp_path / "first", fsync="always") as (run, hold):
        source, shown = RunSource(run), run._driver.let_out
        monkeypatch.setattr(run._driver, "let_out", let_out)
        hold.set()
        await run.result()
    assert stands[0] == Stand("STOPPING", "n_trials reached")


async def test_it_takes_the_updates_from_now_on_within_its_bounds() -> None:
    async with held() as (run, hold):
        watcher = RunSource(run).watch(3)
        hold.set()
        await run.result()
        found = await watcher.take()
        assert isinstance(found[0], sw.UpdatesSkipped) and len(found) == 4
        assert isinstance(found[-1], sw.SweepFinished) and watcher.closed


async def test_logs_are_the_runs(tmp_path: Path) -> None:
    async with held() as (run, hold):
        with pytest.raises(sw.ConfigError, match="keeps no output"):
            await RunSource(run).log(0, None, 0, 100)
        hold.set()
    async with held(directory=tmp_path / "first") as (run, hold):
        assert (await RunSource(run).log(0, None, 0, 100)).attempt == 1
        with pytest.raises(sw.ConfigError, match="no trial 9"):
            await RunSource(run).log(9, None, 0, 100)
        hold.set()


async def test_its_commands_steer_the_run() -> None:
    async with held() as (run, hold):
        commands = RunSource(run).commands
        commands.check("pause", {})
        assert (await commands.answer("pause", {}))["is_paused"] and run.is_paused
        await commands.answer("unpause", {})
        hold.set()


async def test_a_run_that_has_not_started_is_refused() -> None:
    async def objective(x: float) -> float:
        return x

    with pytest.raises(sw.ConfigError, match="has not started"):
        RunSource(sw.Sweep(objective, SPACE).start())
