"""The actor's talk, without a cluster: who waits, and in which order things are taken."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asyncsweep_ray.actor import Call, Post, Reply, pack, reply_of

from asyncsweep.executors.outposts.messages import Hello, Leave, Left, from_outpost, packed

pytestmark = pytest.mark.anyio


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    def begin(self: Any) -> None:
        self._serving = asyncio.get_running_loop().create_task(self._outpost.serve())

    monkeypatch.setattr(Post, "_begin", begin)
    return Post({}, 60.0)


async def exchange(post: Post, number: int, data: bytes) -> Reply:
    return reply_of(await post.exchange(pack(Call(number, data))))


async def test_a_call_that_waits_returns_when_the_next_one_comes(post: Post) -> None:
    first = await exchange(post, 0, b"")
    assert [type(message) for message in from_outpost(first.data)] == [Hello]
    waiting = asyncio.create_task(exchange(post, 1, b""))
    await asyncio.sleep(0)
    last = asyncio.create_task(exchange(post, 2, b""))
    assert from_outpost((await waiting).data) == []
    last.cancel()


async def test_what_is_said_is_taken_in_its_order_whatever_order_it_comes_in(post: Post) -> None:
    await exchange(post, 0, b"")
    told: list[bytes] = []
    post._outpost.tell = told.append  # type: ignore[method-assign]
    calls = [asyncio.create_task(exchange(post, number, data)) for number, data in ((2, b"two"), (1, b"one"))]
    while len(told) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert told == [b"one", b"two"]
    for call in calls:
        call.cancel()


async def test_after_the_last_word_every_call_returns_at_once(post: Post) -> None:
    await exchange(post, 0, b"")
    last = await exchange(post, 1, packed([Leave()]))
    assert from_outpost(last.data) == [Left(None)]
    assert (await exchange(post, 2, b"")).data == b""
