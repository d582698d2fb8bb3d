"""The actor's talk, without a cluster: what a call waits for, and in which order things are taken."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import anyio
import msgspec
import pytest
from asyncsweep_ray import actor
from asyncsweep_ray.actor import Call, Post, Reply, pack, reply_of
from asyncsweep_ray.cluster import _Line

from asyncsweep.executors.outposts.messages import Hello, Leave, Left, from_outpost, packed
from asyncsweep.executors.outposts.seats import Seat

PATIENCE_S = 30.0


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    monkeypatch.setattr(actor, "_node", lambda: "here")
    post = Post({}, 60.0)
    yield post
    post._talk._tasks[1].cancel()  # the lease's, which nobody else ends
    post._turns.close()


def exchange(post: Post, number: int, data: bytes) -> Reply:
    return reply_of(post.exchange(pack(Call(number, data))))


def tell(post: Post, number: int, data: bytes) -> None:
    post.tell(pack(Call(number, data)))


def test_an_actor_has_no_coroutines_for_which_ray_would_run_it_on_an_event_loop() -> None:
    assert inspect.getmembers(Post, inspect.iscoroutinefunction) == []


def test_a_call_waits_until_there_is_something_to_say_and_is_told_things_meanwhile(post: Post) -> None:
    first = exchange(post, 0, b"")
    assert [type(message) for message in from_outpost(first.data)] == [Hello]
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(exchange, post, 1, b"")
        tell(post, 2, b"")
        tell(post, 3, packed([Leave()]))
        assert from_outpost(waiting.result(PATIENCE_S).data) == [Left(None)]


def test_what_is_said_is_taken_in_its_order_whatever_order_it_comes_in(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange(post, 0, b"")
    told: list[bytes] = []
    ended = threading.Event()

    def take(data: bytes) -> None:
        told.append(data)
        if data == b"three":
            ended.set()

    monkeypatch.setattr(post._talk._outpost, "tell", take)
    for number, data in ((3, b"three"), (1, b"one"), (2, b"two")):
        tell(post, number, data)
    assert ended.wait(PATIENCE_S)
    assert told == [b"one", b"two", b"three"]


def test_what_cannot_be_taken_is_the_end_of_the_outpost(post: Post) -> None:
    exchange(post, 0, b"")
    with pytest.raises(msgspec.DecodeError):
        exchange(post, 1, b"no message")
    assert from_outpost(exchange(post, 2, b"").data) == [Left(None)]


def test_after_the_last_word_every_call_returns_at_once(post: Post) -> None:
    exchange(post, 0, b"")
    last = exchange(post, 1, packed([Leave()]))
    assert from_outpost(last.data) == [Left(None)]
    assert exchange(post, 2, b"").data == b""


class Fails(Exception):
    """As Ray says that a call was lost."""


@pytest.mark.anyio
async def test_a_seat_to_which_something_could_not_be_told_is_lost() -> None:
    """The call that waits may not be, and goes on: what comes next would wait for what was lost, for ever."""
    lost: list[str] = []
    seat = Seat("ray-1")
    seat.place = "there"
    seats = SimpleNamespace(lost=lambda seat, reason: lost.append(f"{seat.name}: {reason}"))

    async def fail() -> None:
        raise Fails("it is out of reach")

    far = SimpleNamespace(tell=SimpleNamespace(remote=lambda packed: fail()))
    ray: Any = SimpleNamespace(exceptions=SimpleNamespace(RayError=Fails))
    async with anyio.create_task_group() as tasks:
        line: Any = _Line(ray, far, seat, seats, tasks)  # type: ignore[arg-type]
        seat.out.put(Leave())
        seat.out.close()
        await line.tell()
    assert lost == ["ray-1: the actor at there was lost: it is out of reach"]
