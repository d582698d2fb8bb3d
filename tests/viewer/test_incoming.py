"""What viewers say, in whatever shape it comes: nothing raises but `Unwelcome`, and nothing grows."""

from __future__ import annotations

import json
import tracemalloc
from random import Random
from typing import Any

import msgspec
import pytest

from asyncsweep.errors import ConfigError
from asyncsweep.viewer import incoming
from asyncsweep.viewer.forms import JSON, MSGPACK, Form
from asyncsweep.viewer.incoming import QUESTIONS, Ack, Ask, Open, Unwelcome, Watch

FORMS = pytest.mark.parametrize("form", [JSON, MSGPACK], ids=lambda form: form.name)

GOOD: list[dict[str, Any]] = [
    {"type": "open", "sweep": "first", "epoch": "f3a9", "since": 17},
    {"type": "open"},
    {"type": "ack", "received": 17},
    {"type": "watch", "trials": [3, 4, 12]},
    {"type": "ask", "id": 4, "what": "trial", "trial": 3},
    {"type": "ask", "id": 4, "what": "log", "trial": 3, "attempt": None, "offset": -65536},
    {"type": "ask", "id": 4, "what": "csv", "trials": [1, 2], "offset": 0},
    {"type": "ask", "id": 4, "what": "enqueue", "params": {"lr": 0.1, "opt": ["a", {"b": None}]}},
    {"type": "ask", "id": 4, "what": "enqueue", "params": {}, "choices": {"opt": 2}},
    {"type": "ask", "id": 4, "what": "stop", "reason": "enough", "now": True},
]


def encoded(message: Any, form: Form) -> bytes | str:
    return json.dumps(message) if form is JSON else msgspec.msgpack.encode(message)


@FORMS
def test_messages_are_understood(form: Form) -> None:
    opened, anew, acked, watched, asked, *_ = (incoming.read(encoded(message, form), form) for message in GOOD)
    assert opened == Open("first", "f3a9", 17)
    assert anew == Open()
    assert acked == Ack(17)
    assert watched == Watch([3, 4, 12])
    assert isinstance(asked, Ask)
    assert (asked.id, asked.what, incoming.fields(asked, form)) == (4, "trial", incoming.OfTrial(3))


@FORMS
def test_what_is_unknown_is_passed_over(form: Form) -> None:
    assert incoming.read(encoded({"type": "dance", "received": "x"}, form), form) is None
    assert incoming.read(encoded({"type": "ack", "received": 1, "more": [{}]}, form), form) == Ack(1)


NO_MESSAGES: list[tuple[Any, str]] = [
    ([], "a message: expected `object`, got `array`"),
    (None, "a message: expected `object`, got `null`"),
    ("open", "a message: expected `object`, got `str`"),
    ({}, "a message: object missing required field `type`"),
    ({"type": 1}, "a message: type: expected `str`, got `int`"),
    ({"type": "open", "sweep": 1}, "open: sweep: expected `str | null`, got `int`"),
    ({"type": "open", "since": "1"}, "open: since: expected `int | null`, got `str`"),
    ({"type": "ack"}, "ack: object missing required field `received`"),
    ({"type": "ack", "received": None}, "ack: received: expected `int`, got `null`"),
    ({"type": "watch", "trials": {}}, "watch: trials: expected `array`, got `object`"),
    ({"type": "watch", "trials": list(range(65))}, "watch: at most 64 trials"),
    ({"type": "ask", "what": "status"}, "ask: object missing required field `id`"),
    ({"type": "ask", "id": "x", "what": "status"}, "ask: id: expected `int`, got `str`"),
    ({"type": "ask", "id": 1}, "ask: object missing required field `what`"),
]


@FORMS
@pytest.mark.parametrize(("message", "reason"), NO_MESSAGES, ids=lambda value: str(value)[:30])
def test_what_is_no_message_ends_the_connection(message: Any, reason: str, form: Form) -> None:
    with pytest.raises(Unwelcome) as caught:
        incoming.read(encoded(message, form), form)
    assert caught.value.reason == str(caught.value) == reason


@pytest.mark.parametrize(
    ("data", "form"),
    [
        ("", JSON), ("{", JSON), ('{"type":"open"}x', JSON), ("\ud800", JSON), ("NaN", JSON), (b"\xff", JSON),
        ("[" * 200_000, JSON), ('{"type":"ack","received":' + "[" * 100_000, JSON), ('{"type":"ask","id":' + "9" * 5_000 + "}", JSON),
        (b"", MSGPACK), (b"\xc1", MSGPACK), (b"\x91" * 200_000, MSGPACK), (b"\xdf\xff\xff\xff\xff", MSGPACK), (b"\xdd\xff\xff\xff\xff", MSGPACK),
        (b"\x81\xa4type\xc6\xff\xff\xff\xff", MSGPACK), ("open", MSGPACK), (b"\x81\xa4type\xd9\x01\xff", MSGPACK),
        (" " * (2**20 + 1), JSON), (b"\x00" * (2**20 + 1), MSGPACK),
    ],
    ids=lambda value: getattr(value, "name", repr(value)[:20]),
)  # fmt: skip
def test_bytes_that_are_no_message_end_the_connection(data: bytes | str, form: Form) -> None:
    with pytest.raises(Unwelcome) as caught:
        incoming.read(data, form)
    assert len(caught.value.reason) <= 120


@FORMS
def test_a_reason_fits_into_the_closing_of_a_websocket(form: Form) -> None:
    message = {"type": "open", "sweep": [1], "x" * 5_000: 1}
    with pytest.raises(Unwelcome) as caught:
        incoming.read(encoded(message, form), form)
    assert len(caught.value.reason.encode()) <= 123


def mutated(data: bytes, random: Random) -> bytes:
    found = bytearray(data)
    for _ in range(random.randrange(1, 5)):
        place = random.randrange(len(found) + 1)
        match random.randrange(5):
            case 0:
                found[place:place] = random.randbytes(random.randrange(1, 9))
            case 1:
                del found[place : place + random.randrange(1, 6)]
            case 2 if place < len(found):
                found[place] ^= 1 << random.randrange(8)
            case 3:
                found[place:place] = found[: random.randrange(20)]
            case _:
                found[place:place] = random.choice(
                    (
                        b"[" * 3_000,
                        b"\x91" * 3_000,
                        b"\xff\xff\xff\xff",
                        b"1e999",
                        b'"\\u0000"',
                        b"\xc7\x01\x05\x00",
                        b"null",
                    )
                )
    return bytes(found)


@FORMS
def test_two_thousand_mutated_messages_raise_nothing_but_unwelcome(form: Form) -> None:
    random, outcomes = Random(7), {"read": 0, "unwelcome": 0, "answered": 0}
    tracemalloc.start()
    try:
        for count in range(2_000):
            text = encoded(random.choice(GOOD), form)
            data: bytes | str = mutated(text.encode() if isinstance(text, str) else text, random)
            if form is JSON and isinstance(data, bytes):
                data = data.decode(errors="replace")
            try:
                message = incoming.read(data, form)
                outcomes["read"] += 1
                if isinstance(message, Ask):
                    incoming.fields(message, form)
            except Unwelcome:
                outcomes["unwelcome"] += 1
            except ConfigError:
                outcomes["answered"] += 1
            if count == 200:
                tracemalloc.reset_peak()
                before = tracemalloc.get_traced_memory()[0]
        now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert all(outcomes.values()), outcomes
    assert now - before < 200_000
    assert peak - before < 5_000_000


def test_what_nobody_asked_for_is_not_made_into_objects() -> None:
    data = '{"type": "ack", "received": 1, "more": [' + "[],".join([""] * 300_000) + "[]]}"
    assert len(data) < 2**20
    tracemalloc.start()
    try:
        assert incoming.read(data, JSON) == Ack(1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * len(data)


def test_every_question_of_the_page_on_the_stream_is_known() -> None:
    assert set(QUESTIONS) == {"trial", "log", "csv", "status", "pause", "unpause", "stop", "cancel", "enqueue"}
