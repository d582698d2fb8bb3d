"""How much of the loop's time viewers take, when there is enough of it and when it is tight."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import anyio
import pytest

from asyncsweep.testing import events as on
from asyncsweep.viewer import budget as budget_module
from asyncsweep.viewer import hub as hub_module
from asyncsweep.viewer.budget import LONGEST_TICK_S, LOOK_S, TICK_S, Budget, wanted_s
from asyncsweep.viewer.flow import Flow
from asyncsweep.viewer.forms import JSON
from asyncsweep.viewer.hub import Hub
from asyncsweep.viewer.status import Pace
from tests.viewer.histories import BenchSource, opened


class Thread:
    """A clock, and what the loop's thread has worked."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.worked = 5.0

    def passes(self, seconds: float, share: float) -> None:
        self.now += seconds
        self.worked += seconds * share

    def budget(self, *, is_shared: bool = True) -> Budget:
        return Budget(is_shared, lambda: self.now, lambda: self.worked)


@pytest.fixture
def thread() -> Thread:
    return Thread()


def test_rounds_are_so_far_apart_that_their_work_is_a_twentieth_of_the_time(thread: Thread) -> None:
    budget = thread.budget()
    budget.begin()
    assert budget.due_at == pytest.approx(thread.now + TICK_S)
    budget.spend(0.001)
    assert budget.due_at == pytest.approx(thread.now + TICK_S)
    budget.spend(0.019)
    assert budget.due_at == pytest.approx(thread.now + 0.4)
    budget.spend(50.0)
    assert budget.due_at == pytest.approx(thread.now + LONGEST_TICK_S)
    budget.begin()
    assert budget.due_at == pytest.approx(thread.now + TICK_S)


@pytest.mark.parametrize(("share", "is_tight"), [(0.9, True), (0.6, True), (0.4, False), (0.0, False)])
def test_the_time_is_tight_where_others_have_the_thread_for_most_of_it(
    thread: Thread, share: float, is_tight: bool
) -> None:
    budget = thread.budget()
    thread.passes(1.0, share)
    budget.begin()
    assert budget.is_tight is is_tight
    budget.spend(0.3)  # what viewers themselves work does not count
    thread.passes(2.0, share)
    thread.worked += 0.3
    budget.begin()
    assert budget.is_tight is is_tight


def test_a_moment_says_nothing_of_how_tight_the_time_is(thread: Thread) -> None:
    budget = thread.budget()
    thread.passes(1.0, 0.9)
    budget.begin()
    thread.passes(0.01, 0.0)
    budget.begin()
    assert budget.is_tight


def test_the_time_is_never_tight_where_nothing_has_precedence_or_all_is_wanted(thread: Thread) -> None:
    alone = thread.budget(is_shared=False)
    wanted = thread.budget()
    thread.passes(1.0, 1.0)
    alone.begin()
    wanted.begin(is_tight=False)
    assert not alone.is_tight and not wanted.is_tight


def test_a_look_ends_early_only_when_the_time_is_tight(thread: Thread) -> None:
    budget = thread.budget()
    budget.begin()
    budget.spend(LOOK_S)
    assert not budget.has_looked
    thread.passes(1.0, 1.0)
    budget.begin()
    assert budget.is_tight and not budget.has_looked
    budget.spend(LOOK_S)
    assert budget.has_looked


def test_a_thread_that_works_or_waits_for_a_processor_is_busy() -> None:
    before, began = wanted_s(), time.perf_counter()
    while time.perf_counter() - began < 0.1:
        pass
    assert wanted_s() - before > 0.09
    before = wanted_s()
    time.sleep(0.4)
    assert wanted_s() - before < 0.3


def test_the_rate_of_who_is_behind_is_counted() -> None:
    pace = Pace()
    assert pace.rate_per_s(100.0, is_behind=True) is None
    pace.counted(80.0, 0)  # too long ago
    pace.counted(98.0, 1_000)
    assert pace.rate_per_s(100.0, is_behind=True) is None
    pace.counted(100.0, 5_000)
    assert pace.rate_per_s(100.0, is_behind=True) == 2_000.0


# -- the hub and its viewers ---------------------------------------------------------------------------------------------


def tight(monkeypatch: pytest.MonkeyPatch, n: int) -> tuple[BenchSource, Hub, Callable[[], bool]]:
    """A sweep that leaves no time, of which so many trials were not looked at yet; and a switch that gives the time back."""
    monkeypatch.setattr(hub_module, "STEP_UPDATES", 3)
    monkeypatch.setattr(budget_module, "LOOK_S", 0.0)  # a look is one step
    monkeypatch.setattr(budget_module, "TICK_S", 0.002)
    monkeypatch.setattr(budget_module, "LONGEST_TICK_S", 0.002)
    source = opened(on.spec(n_trials=None), on.worker_joined())
    source.is_here = True
    hub = Hub(source)
    worked = [1e9]

    def busy() -> float:
        worked[0] += 100.0
        return worked[0]

    hub.budget._busy = busy
    hub.pull()
    for number in range(n):
        source.bench.send(on.suggested(number), on.started(number), on.finished(number, 1.0 + number))
    source.publish()
    return source, hub, worked.clear  # type: ignore[return-value]


@pytest.mark.anyio
async def test_a_backlog_is_worked_off_in_rounds_when_the_time_is_tight(monkeypatch: pytest.MonkeyPatch) -> None:
    _, hub, _ = tight(monkeypatch, 5)
    seen = []
    with anyio.fail_after(10):
        while hub.table.n_final < 5:
            await hub.newer(hub.seq, hub.budget.round)
            seen.append((hub.budget.round, hub.table.n_final))
    rounds = [round for round, _ in seen]
    assert hub.budget.is_tight
    assert len(seen) >= 5 and len(set(rounds)) == len(rounds)


@pytest.mark.anyio
async def test_catching_up_takes_all_at_once_though_the_time_is_tight(monkeypatch: pytest.MonkeyPatch) -> None:
    _, hub, _ = tight(monkeypatch, 20)
    await hub.newer(hub.seq, hub.budget.round)
    assert hub.budget.is_tight and hub.has_work
    await hub.catch_up()
    assert (hub.table.n_final, hub.has_work) == (20, False)


@pytest.mark.anyio
async def test_a_viewer_is_told_one_thing_in_a_round_when_the_time_is_tight(monkeypatch: pytest.MonkeyPatch) -> None:
    _, hub, _ = tight(monkeypatch, 4)
    flow = Flow(JSON)
    flow.open("bench", hub, None, None)
    while (message := flow.next()) is not None:
        flow.ack(flow.sent)
    with anyio.fail_after(10):
        await hub.newer(hub.seq, -1)
        assert flow.may_be_told
        message = flow.next()
        assert message is not None and json.loads(message)["type"] == "delta"
        flow.ack(flow.sent)
        assert hub.budget.is_tight and not flow.may_be_told
        await hub.newer(-1, flow.round)
    assert flow.may_be_told


def test_the_end_is_not_told_while_there_is_a_backlog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "STEP_UPDATES", 3)
    source = opened(on.spec(n_trials=3), on.worker_joined())
    hub = Hub(source)
    hub.pull()
    for number in range(3):
        source.bench.send(on.suggested(number), on.started(number), on.finished(number, 1.0))
    source.publish()
    hub.pull()
    hub._settle()  # as at the end of a look that was cut short
    assert (hub.has_work, hub.status()["state"]) == (True, "RUNNING")
    assert hub.table.n_final == 1
    assert (hub.status()["total"], hub.status()["counts"]["COMPLETE"]) == (3, 3)  # how far the sweep is, though
    while hub.has_work:
        hub.pull()
    assert hub.status()["state"] == "ENDED"
