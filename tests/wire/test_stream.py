"""Bytes from somebody else cost no more than they are worth, and what is no message is a `StreamError`."""

from __future__ import annotations

import random
import resource
import struct
from typing import Any

import msgpack
import pytest

from asyncsweep.wire.stream import MESSAGE_LIMIT_BYTES, Decoder, StreamError, pack


def decoded(data: bytes, limit_bytes: int = MESSAGE_LIMIT_BYTES) -> list[list[Any]]:
    decoder = Decoder(limit_bytes)
    decoder.feed(data)
    return list(decoder)


def feed_without_end(decoder: Decoder) -> None:
    while True:
        decoder.feed(b"x" * 100)
        list(decoder)


def test_messages_come_out_as_they_went_in() -> None:
    messages = [(16, 5, 0, 0.5, None), (20, 5, "key", {"a": [1, b"x", None, True]})]
    assert decoded(b"".join(pack(message) for message in messages)) == [list(message) for message in messages]


def test_a_message_may_arrive_byte_by_byte() -> None:
    decoder, seen = Decoder(), []
    for byte in pack((16, 5, 0, 0.5, None)):
        decoder.feed(bytes([byte]))
        seen += list(decoder)
    assert seen == [[16, 5, 0, 0.5, None]]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xc1", id="a byte that MessagePack never uses"),
        pytest.param(pack((1, 2))[1:], id="no array"),
        pytest.param(b"\x90", id="an empty array"),
        pytest.param(b"\x91\xa1x", id="a text for a tag"),
        pytest.param(b"\x91\xc3", id="a boolean for a tag"),
        pytest.param(b"\x92\x01" + msgpack.packb(msgpack.ExtType(5, b"x")), id="an extension type"),
        pytest.param(b"\x92\x01\xa2\xff\xff", id="text that is no UTF-8"),
        pytest.param(b"\x92\x01\x81\x90\x01", id="a list for a key"),
        pytest.param(b"\x91" * 5000, id="endless nesting"),
        pytest.param(b"\x92\x01\xdd\xff\xff\xff\xff", id="an array that claims 4 billion elements"),
        pytest.param(b"\x92\x01\xdf\xff\xff\xff\xff", id="a map that claims 4 billion entries"),
    ],
)
def test_what_is_no_message_is_a_stream_error(data: bytes) -> None:
    with pytest.raises(StreamError):
        decoded(data)


def test_a_message_of_the_limit_is_taken_and_one_above_is_not() -> None:
    decoded(pack((1, b"x" * 900)), limit_bytes=1000)
    with pytest.raises(StreamError, match="larger than the limit"):
        decoded(pack((1, b"x" * 1100)), limit_bytes=1000)


@pytest.mark.parametrize(
    "head", [b"\x92\x01\xc6\xff\xff\xff\xff", b"\x92\x01\xdb\xff\xff\xff\xff"], ids=["bytes", "text"]
)
def test_4_gib_that_are_claimed_are_refused_when_the_limit_has_arrived(head: bytes) -> None:
    decoder = Decoder(1000)
    decoder.feed(head)
    assert list(decoder) == []
    with pytest.raises(StreamError):
        feed_without_end(decoder)


def test_a_timestamp_becomes_a_plain_number() -> None:
    assert decoded(b"\x92\x01" + msgpack.packb(msgpack.Timestamp(5, 0))) == [[1, 5.0]]


def test_nested_claims_cost_no_memory() -> None:
    claim = b"\xdd" + struct.pack(">I", MESSAGE_LIMIT_BYTES // 4)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert decoded(b"\x92\x01" + claim * 900) == []
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


def test_20000_mutated_frames_give_messages_or_stream_errors() -> None:
    rng = random.Random(5)
    frames = [
        pack((16, 2**62, 3, 0.5, {"a": 1.0})),
        pack((13, 5, "x", {"type": "float"})),
        pack((23, 5, ["E", "m", "t"])),
    ]
    refused = 0
    for _ in range(20_000):
        frame = bytearray(rng.choice(frames))
        for _ in range(rng.randint(1, 4)):
            frame[rng.randrange(len(frame))] = rng.randrange(256)
        try:
            for message in decoded(bytes(frame)):
                assert type(message) is list and type(message[0]) is int
        except StreamError:
            refused += 1
    assert 1_000 < refused < 19_000
