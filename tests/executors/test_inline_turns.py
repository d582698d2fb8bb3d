"""What `inline` tells, and when: together where nobody could tell the difference, and always before another task's turn."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.abc
import anyio.lowlevel
import pytest

import asyncsweep as sw
from asyncsweep.core.events import Event, Finished, Killed, Reported, Started, WorkerJoined
from asyncsweep.executors import inline
from asyncsweep.executors.inline import InlineExecutor
from asyncsweep.hooks.contracts import Job, ObjectiveSpec, Setup
from asyncsweep.worker.objective import Call

pytestmark = pytest.mark.anyio

N = 8


class Clock:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


class Posts:
    """An inbox that launches what it is told to, and keeps what was posted together."""

    def __init__(self) -> None:
        self.all: list[tuple[Event, ...]] = []
        self.executor = InlineExecutor()
        self.n_left = 0
        self._n_launched = 0
        self.ended = anyio.Event()

    def post(self, *events: Event) -> None:
        self.all.append(events)
        ends = sum(isinstance(event, Finished | Killed) for event in events)
        self.launch(min(self.n_left, ends))
        if ends and sum(isinstance(event, Finished) for batch in self.all for event in batch) == self._n_launched:
            self.ended.set()

    def launch(self, count: int) -> None:
        self.n_left -= count
        for _ in range(count):
            self.executor.launch(Job(self._n_launched, 1, "inline", {"x": 0.5}))
            self._n_launched += 1

    @property
    def shapes(self) -> list[list[tuple[str, int]]]:
        """The posts after the first, as (type, trial)."""
        return [[(type(event).__name__, event.trial) for event in batch] for batch in self.all[1:]]  # type: ignore[attr-defined]


@asynccontextmanager
async def running(objective: Any, n_trials: int, slots: int = N) -> AsyncIterator[Posts]:
    posts = Posts()
    posts.n_left = n_trials
    call = Call(objective, ["x"], None)
    spec = ObjectiveSpec("", b"", ("x",), ("x",), ("value",))
    async with posts.executor.open(Setup(call, spec, slots, None, None, 1.0, ""), posts):
        assert isinstance(posts.all[0][0], WorkerJoined)
        posts.launch(slots)
        yield posts


async def test_trials_that_never_wait_are_told_of_together() -> None:
    async def objective(trial: sw.Trial) -> float:
        trial.report(trial.params["x"], 0)
        return 1.0

    async with running(objective, 4 * N) as posts:
        await posts.ended.wait()
    told = [event for batch in posts.all for event in batch]
    assert [(type(event), event.trial) for event in told[1:]] == [  # type: ignore[attr-defined]
        (kind, number) for number in range(4 * N) for kind in (Started, Reported, Finished)
    ]
    assert len(posts.all) < 4 * N  # a slow machine ends a turn early


async def test_a_turn_ends_between_two_tellings_where_trials_take_as_long_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise each turn would end with a telling of the one or two trials that passed its end."""
    clock = Clock()
    monkeypatch.setattr(inline, "time", clock)

    async def objective(trial: sw.Trial) -> float:
        clock.now += inline._TURN_S / (2.5 * N)
        return 1.0

    async with running(objective, 20 * N) as posts:
        await posts.ended.wait()
    lengths = [len(batch) for batch in posts.all[1:]]
    assert lengths[-13:-3] == [2 * N] * 10  # at first more runners than one are awake, and at the end jobs are short


async def test_all_is_told_before_another_task_has_its_turn() -> None:
    seen: list[list[list[tuple[str, int]]]] = []

    async def objective(trial: sw.Trial) -> float:
        trial.report(0.5, 0)
        await anyio.lowlevel.checkpoint()
        trial.report(0.25, 1)
        await looked.wait()
        return 1.0

    looked = anyio.Event()
    async with running(objective, 1, slots=1) as posts, anyio.create_task_group() as tasks:

        async def look() -> None:
            while len(seen) < 5:
                seen.append(posts.shapes)
                await anyio.lowlevel.checkpoint()
            looked.set()

        tasks.start_soon(look)
        await posts.ended.wait()
    begun, reported = [[("Started", 0), ("Reported", 0)]], [[("Started", 0), ("Reported", 0)], [("Reported", 0)]]
    assert [one for one in seen if one] == [one for one in seen if one == begun] + [
        one for one in seen if one == reported
    ]
    assert reported in seen and posts.shapes == [*reported, [("Finished", 0)]]


async def test_a_trial_that_reports_without_a_pause_does_not_fill_the_memory() -> None:
    async def objective(trial: sw.Trial) -> float:
        for step in range(1000):
            trial.report(0.5, step)
        return 1.0

    async with running(objective, 1, slots=1) as posts:
        await posts.ended.wait()
    assert max(map(len, posts.all)) <= 64
    assert sum(map(len, posts.all)) == 1003


async def test_one_that_waits_does_not_hold_up_the_others() -> None:
    async def objective(trial: sw.Trial) -> float:
        if trial.number == 0:
            await others.wait()
        return 1.0

    others = anyio.Event()
    async with running(objective, 10 * N) as posts:
        with anyio.fail_after(30):
            while sum(type(event) is Finished for batch in posts.all for event in batch) < 10 * N - 1:
                await anyio.lowlevel.checkpoint()
        others.set()
        await posts.ended.wait()


async def test_all_slots_are_used_at_once() -> None:
    async def objective(trial: sw.Trial) -> float:
        nonlocal n_here
        n_here += 1
        if n_here == N:
            all_here.set()
        await all_here.wait()
        return 1.0

    n_here, all_here = 0, anyio.Event()
    async with running(objective, 2 * N) as posts:
        with anyio.fail_after(30):
            await posts.ended.wait()


async def test_the_host_has_its_turns_between_trials_that_never_wait() -> None:
    async def objective(trial: sw.Trial) -> float:
        return math.sqrt(sum(range(2000)))  # some 20 us

    aside: list[int] = []
    async with running(objective, 3000) as posts, anyio.create_task_group() as tasks:

        async def host() -> None:
            while True:
                aside.append(posts.executor._n_aside)
                await anyio.lowlevel.checkpoint()

        tasks.start_soon(host)
        await posts.ended.wait()
        tasks.cancel_scope.cancel()
    assert len(aside) > 10
    assert max(aside) == 1  # several would each take a turn before the host has the next


async def test_the_traceback_of_an_error_begins_in_the_objective() -> None:
    async def inner() -> None:
        await anyio.lowlevel.checkpoint()
        raise ValueError("no luck")

    async def objective(trial: sw.Trial) -> float:
        await inner()
        return 1.0

    result = await sw.Sweep(objective, {"x": sw.Float(0, 1)}, sampler="random", n_trials=1).run()
    error = result.trials[0].error
    assert error is not None
    lines = [line for line in error.traceback.splitlines() if line.startswith("  File")]
    assert [line.rpartition(" ")[2] for line in lines] == ["objective", "inner"]


async def test_what_the_objective_does_with_a_cancellation_is_its_own_affair() -> None:
    story: list[str] = []

    async def objective(trial: sw.Trial) -> float:
        try:
            await anyio.sleep_forever()
        except BaseException:
            story.append("cancelled")
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.01)
            story.append("cleaned up")
            raise
        return 1.0

    sweep = sw.Sweep(objective, {"x": sw.Float(0, 1)}, sampler="random", n_trials=2, trial_timeout=0.05, grace_s=5)
    result = await sweep.run()
    assert story == ["cancelled", "cleaned up"] * 2
    assert [str(trial.error).split(":")[0] for trial in result.trials] == ["TrialTimeout"] * 2
