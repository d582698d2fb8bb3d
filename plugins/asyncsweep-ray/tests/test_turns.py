"""An event loop that runs in whichever thread waits for something of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asyncsweep_ray.turns import Turns

PATIENCE_S = 30.0


@pytest.fixture
def turns() -> Iterator[Turns]:
    turns = Turns()
    yield turns
    turns.close()


async def ident() -> int:
    return threading.get_ident()


async def background(coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    return asyncio.get_running_loop().create_task(coroutine)


def test_a_coroutine_runs_in_the_thread_that_waits_for_it(turns: Turns) -> None:
    assert turns.run(ident()) == threading.get_ident()
    with ThreadPoolExecutor(1) as other:
        theirs, ran_in = other.submit(lambda: (threading.get_ident(), turns.run(ident()))).result(PATIENCE_S)
    assert ran_in == theirs != threading.get_ident()


def test_what_it_raises_is_raised_there_and_the_next_one_runs(turns: Turns) -> None:
    async def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        turns.run(fails())
    assert turns.run(ident()) == threading.get_ident()


def test_what_was_begun_goes_on_while_nobody_calls_and_the_next_call_has_its_turn(turns: Turns) -> None:
    ticks, ended = [0], threading.Event()

    async def tick() -> None:
        while True:
            await asyncio.sleep(0.001)
            ticks[0] += 1
            if ticks[0] == 100:
                ended.set()

    task = turns.run(background(tick()))
    assert ended.wait(PATIENCE_S)
    for _ in range(3):
        assert turns.run(ident()) == threading.get_ident()
    turns.call_soon(task.cancel)
    turns.run(asyncio.wait([task]))


def test_who_waits_for_its_turn_gets_it_however_slowly_it_wakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that keeps the loop going is quick here to take it again: that was for ever, as it had been asked to stop once."""
    monkeypatch.setattr("asyncsweep_ray.turns.PAUSE_S", 0.0)
    turns = Turns()
    with ThreadPoolExecutor(1) as other:
        for _ in range(300):
            assert other.submit(turns.run, ident()).result(PATIENCE_S)
    turns.close()


def test_two_that_call_at_once_are_both_served(turns: Turns) -> None:
    with ThreadPoolExecutor(2) as threads:
        calls = [threads.submit(turns.run, asyncio.sleep(0.001, number)) for number in range(50)]
        assert [call.result(PATIENCE_S) for call in calls] == list(range(50))


def test_what_is_called_soon_wakes_who_waits(turns: Turns) -> None:
    news: list[asyncio.Event] = []
    begun = threading.Event()

    async def waits() -> str:
        news.append(asyncio.Event())
        begun.set()
        await news[0].wait()
        return "woken"

    with ThreadPoolExecutor(1) as other:
        call = other.submit(turns.run, waits())
        assert begun.wait(PATIENCE_S)
        turns.call_soon(lambda: news[0].set())
        assert call.result(PATIENCE_S) == "woken"


def test_what_is_called_soon_while_the_loop_stands_still_is_called_at_its_next_turn(turns: Turns) -> None:
    order: list[str] = []

    async def last() -> None:
        order.append("run")

    turns.call_soon(order.append, "soon")
    turns.run(last())
    assert order == ["soon", "run"]
