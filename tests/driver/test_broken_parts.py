"""Samplers, pruners, exporters, hooks and executors that raise, lie or die."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

import asyncsweep as sw
from asyncsweep.core.events import Started, WorkerJoined
from asyncsweep.executors.inline import InlineExecutor
from tests.parts import Broken, BrokenPruner
from tests.small_objectives import SPACE, curve, square

pytestmark = pytest.mark.anyio


def states(result: sw.Result) -> list[str]:
    return [trial.state.value for trial in result.trials]


async def run(objective: Any = square, space: Any = SPACE, **settings: Any) -> tuple[sw.Result, list[str]]:
    """The result, and where plugins failed."""
    failed = []
    with anyio.fail_after(30):
        async with sw.Sweep(
            objective, space, **{"sampler": "random", "n_trials": 5, "seed": 1, **settings}
        ).start() as run:
            async for update in run.updates():
                if isinstance(update, sw.PluginFailed):
                    failed.append(f"{update.where}: {update.error}")
            return await run.result(), failed


HOSTS = pytest.mark.parametrize("host", ["inline", "process"])
GARBAGE = [None, 5, [], {}, {"x": "a"}, {"x": 7.0}, {"y": 0.5}, {"x": math.nan}, {"x": 0.5, "z": 1}, {"x": object()}]


@pytest.mark.any_loop
@HOSTS
async def test_a_sampler_that_raises_fails_its_trial_alone(host: str) -> None:
    result, failed = await run(sampler=Broken("ask", "raise", host=host))
    assert states(result) == ["COMPLETE", "COMPLETE", "FAILED", "COMPLETE", "COMPLETE"]
    assert failed == ["sampler.ask: ValueError: broken here (in Broken)"]


async def test_a_sampler_that_answers_with_garbage_fails_its_trial_alone() -> None:
    for garbage in GARBAGE:
        result, failed = await run(sampler=Broken("ask", garbage), n_trials=4)
        assert (states(result), len(failed)) == (["COMPLETE", "COMPLETE", "FAILED", "COMPLETE"], 1)


@pytest.mark.any_loop
async def test_a_sampler_in_the_host_that_answers_with_garbage_fails_its_trials_alone() -> None:
    result, failed = await run(sampler=Broken("ask", {"x": 7.0}, at=(1, 3), host="process"), n_trials=5)
    assert (states(result), len(failed)) == (["COMPLETE", "FAILED", "COMPLETE", "FAILED", "COMPLETE"], 2)


@pytest.mark.any_loop
@HOSTS
async def test_a_sampler_that_always_raises_ends_the_sweep_after_three_times(host: str) -> None:
    with pytest.raises(sw.PluginError, match="ValueError: broken here") as caught:
        await run(sampler=Broken("ask", "raise", at=range(100), host=host), n_trials=100)
    assert isinstance(caught.value.result, sw.Result) and states(caught.value.result) == ["FAILED"] * 3


@pytest.mark.any_loop
@HOSTS
async def test_a_sampler_that_raises_when_it_is_told_harms_no_trial(host: str) -> None:
    result, failed = await run(sampler=Broken("tell", "raise", host=host))
    assert (states(result), failed) == (["COMPLETE"] * 5, ["sampler.tell: ValueError: broken here (in Broken)"])


@pytest.mark.any_loop
@HOSTS
@pytest.mark.parametrize("how", ["raise", 7.0, "a"])
async def test_a_sampler_that_cannot_suggest_fails_the_trial_that_asked(host: str, how: Any) -> None:
    async def suggesting(trial: Any) -> float:
        return await trial.suggest_float_async("x", 0.0, 1.0)

    result, _ = await run(suggesting, {}, sampler=Broken("suggest", how, host=host), n_trials=4)
    assert states(result) == ["COMPLETE", "COMPLETE", "FAILED", "COMPLETE"]


async def test_a_sampler_that_dies_at_every_ask_ends_the_sweep_clearly() -> None:
    with pytest.raises(sw.PluginError, match=r"the sampler host ended by itself \(exit code 3\), 3 times") as caught:
        await run(sampler=Broken("ask", "die", host="process"))
    assert isinstance(caught.value.result, sw.Result)
    assert states(caught.value.result)[:2] == ["COMPLETE", "COMPLETE"]


@pytest.mark.any_loop
async def test_a_sampler_that_dies_when_it_is_told_ends_the_sweep_clearly() -> None:
    with pytest.raises(sw.PluginError, match="exit code 3"):
        await run(sampler=Broken("tell", "die", host="process"))


@pytest.mark.any_loop
async def test_a_sampler_that_dies_while_it_is_opened_is_a_plugin_error() -> None:
    class Dying(Broken):
        def open(self, *_: Any) -> None:
            os._exit(4)

    with pytest.raises(sw.PluginError, match="exit code 4"):
        await run(sampler=Dying("", "", host="process"))


@pytest.mark.any_loop
@HOSTS
async def test_a_sampler_that_cannot_be_opened_is_a_plugin_error(host: str) -> None:
    class Closed(Broken):
        def open(self, *_: Any) -> None:
            raise ValueError("cannot open")

    with pytest.raises(sw.PluginError, match="ValueError: cannot open"):
        await run(sampler=Closed("", "", host=host))


@pytest.mark.any_loop
@HOSTS
@pytest.mark.parametrize("where", ["judge", "finish"])
async def test_a_pruner_that_raises_lets_the_trial_go_on(host: str, where: str) -> None:
    result, failed = await run(curve, pruner=BrokenPruner(where, "raise", host), n_trials=12)
    final = sum(result.counts[state] for state in (sw.State.COMPLETE, sw.State.PRUNED))
    assert final == 12 and "ValueError: broken here" in failed[0]
    if where == "judge":
        assert states(result)[7] == "COMPLETE"


@pytest.mark.any_loop
async def test_a_pruner_that_dies_ends_the_sweep_clearly() -> None:
    with pytest.raises(sw.PluginError, match="exit code 3"):
        await run(curve, pruner=BrokenPruner("judge", "die", "process"), n_trials=12)


async def test_a_pruner_without_a_method_is_refused() -> None:
    class Half:
        def judge(self, trial: int, step: int) -> bool:
            return False

    with pytest.raises(sw.ConfigError, match="it lacks open, report, restart, finish"):
        sw.Sweep(curve, SPACE, pruner=Half())


# -- exporters and hooks -------------------------------------------------------------------------------------------------


class Exporter:
    """Keeps what it gets, until it breaks."""

    def __init__(self, breaks_at: str = "") -> None:
        self.breaks_at = breaks_at
        self.got: list[sw.Update] = []
        self.left = False

    async def __aenter__(self) -> Exporter:
        self._break("enter")
        return self

    async def __aexit__(self, *_: object) -> None:
        self.left = True
        self._break("exit")

    async def export(self, updates: Sequence[sw.Update]) -> None:
        self._break("export")
        self.got += updates

    def _break(self, where: str) -> None:
        if where == self.breaks_at:
            raise ValueError("broken here")


async def test_an_exporter_gets_every_update_and_is_left() -> None:
    exporter = Exporter()
    await run(exporters=[exporter])
    kinds = [type(update).__name__ for update in exporter.got]
    assert (kinds.count("TrialFinished"), kinds[-1], exporter.left) == (5, "SweepFinished", True)


@pytest.mark.parametrize("where", ["export", "exit"])
async def test_an_exporter_that_breaks_is_left_out_and_logged(where: str, caplog: pytest.LogCaptureFixture) -> None:
    other = Exporter()
    result, _ = await run(exporters=[Exporter(where), other])
    assert (states(result), len(other.got) > 5) == (["COMPLETE"] * 5, True)
    [said] = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert said.startswith("the exporter Exporter failed and gets no more updates\n")


async def test_an_exporter_that_cannot_be_opened_is_a_plugin_error_before_the_first_trial() -> None:
    with pytest.raises(sw.PluginError, match=r"the exporter Exporter cannot be opened: ValueError\('broken here'\)"):
        await run(exporters=[Exporter("enter")])


async def test_an_exporter_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from asyncsweep.driver import session

    class Hanging(Exporter):
        async def export(self, updates: Sequence[sw.Update]) -> None:
            await anyio.sleep_forever()

    monkeypatch.setattr(session, "EXPORT_GRACE_S", 0.1)
    result, _ = await run(exporters=[Hanging()])
    assert states(result) == ["COMPLETE"] * 5


async def test_a_hook_that_raises_harms_nobody_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Raising:
        @staticmethod
        @sw.hookimpl
        def asyncsweep_on_updates(updates: Any) -> None:
            raise ValueError("broken here")

        @staticmethod
        @sw.hookimpl
        def asyncsweep_finished(result: Any) -> None:
            raise ValueError("broken there")

    result, _ = await run(plugins=[Raising()])
    assert states(result) == ["COMPLETE"] * 5
    assert any("asyncsweep_on_updates" in message and "broken here" in message for message in caplog.messages)
    assert any("asyncsweep_finished" in message and "broken there" in message for message in caplog.messages)


async def test_the_hooks_see_every_update_and_the_result_once() -> None:
    class Seeing:
        updates: list[Any] = []  # noqa: RUF012  one object, one test
        results: list[Any] = []  # noqa: RUF012

        @sw.hookimpl
        def asyncsweep_on_updates(self, updates: Any) -> None:
            self.updates.extend(updates)

        @sw.hookimpl
        def asyncsweep_finished(self, result: Any) -> None:
            self.results.append(result)

    seeing = Seeing()
    result, _ = await run(plugins=[seeing])
    finished = [update for update in seeing.updates if isinstance(update, sw.TrialFinished)]
    assert (len(finished), [found.reason for found in seeing.results]) == (5, [result.reason])


# -- executors ---------------------------------------------------------------------------------------------------------


class BrokenExecutor(InlineExecutor):
    """An executor of somebody else's."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where

    @asynccontextmanager
    async def open(self, setup: Any, inbox: Any) -> AsyncIterator[None]:
        if self.where == "open":
            raise ValueError("broken here")
        async with super().open(setup, inbox):
            if self.where == "task":
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._crash)
                    yield
            else:
                yield

    async def _crash(self) -> None:
        raise ValueError("broken here")

    def launch(self, job: Any) -> None:
        if self.where == "launch":
            raise ValueError("broken here")
        if self.where == "nonsense":
            self._inbox.post(WorkerJoined(job.worker))
        if self.where == "stale":
            self._inbox.post(Started(job.trial + 5, job.attempt), Started(job.trial, job.attempt + 5))
        super().launch(job)


@pytest.mark.parametrize("where", ["open", "launch", "task"])
async def test_an_executor_that_raises_is_a_plugin_error(where: str) -> None:
    with pytest.raises(sw.PluginError, match="ValueError: broken here"):
        await run(executor=BrokenExecutor(where))


async def test_an_executor_that_says_the_impossible_is_an_error_with_the_story() -> None:
    with pytest.raises(sw.InvalidTransition, match=r"WorkerJoined cannot happen: worker .* is here already") as caught:
        await run(executor=BrokenExecutor("nonsense"))
    assert len(caught.value.story) >= 1


async def test_an_executor_that_speaks_of_strangers_is_ignored() -> None:
    result, _ = await run(executor=BrokenExecutor("stale"))
    assert states(result) == ["COMPLETE"] * 5


async def test_a_plugin_that_empties_a_batch_hides_nothing_from_stop_when() -> None:
    class Emptying:
        @staticmethod
        @sw.hookimpl
        def asyncsweep_on_updates(updates: Any) -> None:
            updates.clear()

    sweep = sw.Sweep(square, SPACE, sampler="random", n_trials=9, plugins=[Emptying()], stop_when=lambda run: True)
    assert len((await sweep.run()).trials) < 9


def test_a_plugin_that_checks_a_sweep_cannot_change_it() -> None:
    class Emptying:
        @staticmethod
        @sw.hookimpl
        def asyncsweep_check(spec: Any) -> None:
            spec.space.clear()
            spec.directions.clear()

    sweep = sw.Sweep(square, SPACE, sampler="random", plugins=[Emptying()])
    assert list(sweep.spec.space) == list(SPACE)
    assert sweep.spec.directions == {"value": "minimize"}
