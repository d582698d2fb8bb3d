"""Time that never goes back, and timers."""

from __future__ import annotations

import time

import anyio
import pytest

from asyncsweep.core.events import TimerFired
from asyncsweep.driver.clock import Clock, Timers


def test_the_clock_starts_at_the_wall_clock() -> None:
    assert abs(Clock().now() - time.time()) < 1.0


def test_the_clock_never_starts_before_what_the_journal_has_seen() -> None:
    later = time.time() + 10_000
    assert later <= Clock(later).now() < later + 1.0


def test_the_clock_follows_no_change_of_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    before = clock.now()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert 0.0 <= clock.now() - before < 1.0


@pytest.mark.anyio
async def test_timers_fire_in_the_order_in_which_they_are_due() -> None:
    fired: list[tuple[int, int]] = []
    done = anyio.Event()

    def post(event: TimerFired) -> None:
        fired.append((event.trial, event.attempt))
        if len(fired) == 3:
            done.set()

    timers = Timers(post)
    timers.set(1, 1, 0.03)
    timers.set(2, 1, 0.01)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(timers.run)
            timers.set(3, 2, 0.02)
            await done.wait()
            tasks.cancel_scope.cancel()
    assert fired == [(2, 1), (3, 2), (1, 1)]


@pytest.mark.anyio
async def test_a_cancelled_timer_does_not_fire() -> None:
    fired: list[int] = []
    done = anyio.Event()

    def post(event: TimerFired) -> None:
        fired.append(event.trial)
        done.set()

    timers = Timers(post)
    timers.set(1, 1, 0.01)
    timers.set(2, 1, 0.03)
    timers.cancel(1, 1)
    timers.cancel(9, 9)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(timers.run)
            await done.wait()
            tasks.cancel_scope.cancel()
    assert fired == [2]


@pytest.mark.anyio
async def test_a_timer_that_is_set_again_fires_at_its_new_time_alone() -> None:
    fired: list[float] = []
    done = anyio.Event()

    def post(event: TimerFired) -> None:
        fired.append(event.trial)
        if event.trial == 2:
            done.set()

    timers = Timers(post)
    timers.set(1, 1, 0.01)
    timers.set(1, 1, 60.0)
    timers.set(2, 1, 0.03)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(timers.run)
            await done.wait()
            tasks.cancel_scope.cancel()
    assert fired == [2]


def test_cancelled_timers_do_not_pile_up() -> None:
    timers = Timers(lambda event: None)
    timers.set(0, 1, 3600.0)
    for trial in range(1, 20_000):
        timers.set(trial, 1, 3600.0 + trial)
        timers.cancel(trial, 1)
    assert (len(timers._heap) <= 1_002, timers._heap[0][1:]) == (True, (0, 1))


def test_timers_that_are_set_again_do_not_pile_up() -> None:
    timers = Timers(lambda event: None)
    for n in range(20_000):
        timers.set(0, 1, 3600.0 + n)
    assert len(timers._heap) <= 1_002
