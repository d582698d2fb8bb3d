"""The controller's end of a link."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from asyncsweep.link.stream import MessageStream, StreamError
from asyncsweep.wire.stream import Decoder, pack

pytestmark = pytest.mark.anyio


class Ends:
    """A stream, what it heard, and the raw socket at its other end."""

    def __init__(self, tasks: anyio.abc.TaskGroup, limit_bytes: int) -> None:
        ours, self.other = socket.socketpair()
        self.other.setblocking(False)
        self.batches: list[list[list[Any]]] = []
        self.stream = MessageStream(ours, tasks, self.batches.append, limit_bytes)


@asynccontextmanager
async def ends(limit_bytes: int = 2**20) -> AsyncIterator[Ends]:
    async with anyio.create_task_group() as tasks:
        both = Ends(tasks, limit_bytes)
        with anyio.fail_after(10):
            yield both
        both.stream.close()
        both.other.close()
        tasks.cancel_scope.cancel()


async def test_all_messages_of_one_wake_up_come_together() -> None:
    async with ends() as both:
        both.other.sendall(pack((1, "a")) + pack((2, "b")))
        both.other.close()
        await both.stream.read()
        assert both.batches == [[[1, "a"], [2, "b"]]]


async def test_messages_before_garbage_are_heard() -> None:
    async with ends() as both:
        both.other.sendall(pack((1, "a")) + b"\xc1")
        with pytest.raises(StreamError):
            await both.stream.read()
        assert both.batches == [[[1, "a"]]]


async def test_a_message_above_the_limit_is_a_stream_error() -> None:
    async with ends(limit_bytes=1000) as both:
        both.other.sendall(pack((1, b"x" * 2000)))
        with pytest.raises(StreamError):
            await both.stream.read()


async def test_a_message_is_sent_at_once() -> None:
    async with ends() as both:
        both.stream.send((1, "a"))
        assert both.other.recv(100) == pack((1, "a"))


async def test_what_is_said_in_answer_to_messages_goes_together() -> None:
    ours, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # what is sent together is received together
    other.setblocking(False)
    async with anyio.create_task_group() as tasks:

        def answer(messages: list[list[Any]]) -> None:
            for message in messages:
                stream.send((message[0], "answer"))
            with pytest.raises(BlockingIOError):
                other.recv(100)

        stream = MessageStream(ours, tasks, answer)
        other.send(pack((1, "a")) + pack((2, "b")))
        assert stream.read_now()
        assert other.recv(100) == pack((1, "answer")) + pack((2, "answer"))
        stream.send((3, "later"))
        assert other.recv(100) == pack((3, "later"))
        stream.close()
        other.close()


async def test_answers_go_out_although_one_message_could_not_be_taken() -> None:
    async with ends() as both:

        def answer(messages: list[list[Any]]) -> None:
            both.stream.send((1, "answer"))
            raise StreamError("the second one is no message")

        both.stream._on_messages = answer
        both.other.sendall(pack((1, "a")) + pack((2, "b")))
        with pytest.raises(StreamError, match="second"):
            await both.stream.read()
        assert both.other.recv(100) == pack((1, "answer"))


async def test_answers_behind_what_a_full_socket_did_not_take_stay_behind_it() -> None:
    async with ends() as both:

        def answer(messages: list[list[Any]]) -> None:
            for message in messages:
                both.stream.send((message[0], b""))

        both.stream._on_messages = answer
        for number in range(20):
            both.stream.send((number, b"x" * 100_000))
        both.other.sendall(pack((20, "a")) + pack((21, "b")))
        assert both.stream.read_now()
        decoder = Decoder()
        numbers: list[int] = []
        while len(numbers) < 22:
            await anyio.wait_readable(both.other)
            decoder.feed(both.other.recv(2**16))
            numbers += [message[0] for message in decoder]
        assert numbers == list(range(22))


async def test_what_a_full_socket_does_not_take_is_sent_later_in_order() -> None:
    async with ends() as both:
        for number in range(40):
            both.stream.send((number, b"x" * 100_000))
        decoder = Decoder()
        numbers: list[int] = []
        while len(numbers) < 40:
            await anyio.wait_readable(both.other)
            decoder.feed(both.other.recv(2**16))
            numbers += [message[0] for message in decoder]
        assert numbers == list(range(40))


async def test_sending_to_nobody_is_no_error() -> None:
    async with ends() as both:
        both.other.close()
        both.stream.send((1, "a"))
        await both.stream.read()
        assert both.batches == []


async def test_closing_ends_a_reader_that_waits() -> None:
    async with ends() as both, anyio.create_task_group() as tasks:
        tasks.start_soon(both.stream.read)
        await anyio.lowlevel.checkpoint()
        both.stream.close()
